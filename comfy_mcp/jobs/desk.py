"""What everybody in this room works with: one ComfyUI, one journal, one judge."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from comfy_mcp.host.client import ComfyHost
    from comfy_mcp.jobs.judge import Judge
    from comfy_mcp.store.protocol import Store

__all__ = ["Desk"]


class Desk(Protocol):
    """`Jobs`, as those see it who stop, clear, list and watch over jobs."""

    host: ComfyHost
    store: Store
    label: str
    """Which ComfyUI it is, in the journal."""
    judge: Judge

    def now_ms(self) -> int:
        """Whole milliseconds since the Unix epoch."""
        ...

    def keep(self, task: asyncio.Task[Any]) -> None:
        """Hold on to a task until it is done or the server ends."""
        ...
