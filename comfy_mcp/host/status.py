"""A look at the whole host, read from GET /system_stats: sizes only where they are sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from comfy_mcp.host.standing import Capabilities, Device, HostStatus, Worker
from comfy_mcp.host.wire import SystemStats

__all__ = ["status_of"]

MOST_DEVICES = 64
MOST_TEXT = 120


def status_of(stats: SystemStats, capabilities: Capabilities, worker: Worker) -> HostStatus:
    """Version, memory, devices and whether it works; launch options and paths are left out."""
    return HostStatus(
        version=stats.system.comfyui_version[:MOST_TEXT],
        capabilities=capabilities,
        devices=tuple(map(_device, stats.devices[:MOST_DEVICES])),
        ram_total=_bytes(stats.system.ram_total),
        ram_free=_bytes(stats.system.ram_free),
        worker=worker,
    )


def _device(told: Mapping[str, Any]) -> Device:
    return Device(
        str(told.get("name", ""))[:MOST_TEXT],
        str(told.get("type", ""))[:MOST_TEXT],
        _bytes(told.get("vram_total")),
        _bytes(told.get("vram_free")),
    )


def _bytes(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
