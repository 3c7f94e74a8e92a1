"""get_server_status: whether ComfyUI and this server work, and if not, what to do about it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from comfy_mcp import __version__
from comfy_mcp.errors import HostError, StateError
from comfy_mcp.guard.call import Granted
from comfy_mcp.store.protocol import Frozen
from comfy_mcp.tools.app import App, Caller

if TYPE_CHECKING:
    from comfy_mcp.host.standing import Capabilities, Device, HostStatus, QueueView
    from comfy_mcp.jobs.manager import Jobs

__all__ = ["ServerStatus", "get_server_status"]

SECONDS = 10.0
"""How long ComfyUI may take to say how it is."""

MOST_DEVICES = 4
MIB = 1024 * 1024

NAME = 80
"""Characters of a name that ComfyUI, or a custom node in it, chose."""

WORDS = 400
"""Characters of what went wrong."""

DEAD = "ComfyUI answers but runs nothing any more: its owner has to restart it."
FROZEN = "The owner has stopped this; calls that change something are refused. Tell the user."
POLICY = "The newest policy file cannot be used: tell the owner; the last good one counts."
CLOSED = "The policy file cannot be used and all calls are refused until the owner corrects it."
STATE = "Limits and audit log cannot be written: nothing that changes anything is allowed."


class _Shown(BaseModel):
    model_config = ConfigDict(frozen=True)


class QueueLength(_Shown):
    """How many jobs, everybody's."""

    running: int
    pending: int


class DeviceMemory(_Shown):
    """A GPU, or the CPU; MiB."""

    name: str
    total: int | None = None
    free: int | None = None


class ServerStatus(_Shown):
    """How ComfyUI and this server are."""

    host: Annotated[str, Field(description="ComfyUI")]
    reachable: bool
    comfyui_version: str | None = None
    capabilities: list[str] | None = None
    queue: QueueLength | None = None
    devices: Annotated[list[DeviceMemory] | None, Field(description="MiB")] = None
    ram: DeviceMemory | None = None
    worker: Literal["alive", "dead", "unknown"] = "unknown"
    events: Literal["websocket", "polling"] = "polling"
    policy_revision: str
    degraded: Annotated[dict[str, str], Field(description="What is broken, and what to do")] = {}
    server_version: str


async def get_server_status(app: App, caller: Caller) -> ServerStatus:
    """Is ComfyUI up, is its queue worked on, how much memory is free, is anything broken?"""
    async with caller.admitted(app, caller.call()) as granted:
        jobs = await app.jobs()
        degraded = await _degraded(app, caller, jobs, granted)
        seen = await _look(jobs)
    if isinstance(seen, str):
        return _status(app, jobs, {"host_unreachable": seen, **degraded})
    status, queue = seen
    dead = {"worker_dead": DEAD} if status.worker == "dead" else {}
    return _status(app, jobs, {**dead, **degraded}).model_copy(update=_host(status, queue))


async def _look(jobs: Jobs) -> tuple[HostStatus, QueueView] | str:
    """What ComfyUI says of itself, or why it says nothing."""
    try:
        async with asyncio.timeout(SECONDS):
            status, queue = await asyncio.gather(jobs.host.status(), jobs.host.queue())
            return status, queue
    except HostError as error:
        return str(error)[:WORDS]
    except TimeoutError:
        return f"ComfyUI did not answer within {SECONDS:.0f} s: it may be busy; try again."


async def _degraded(app: App, caller: Caller, jobs: Jobs, granted: Granted) -> dict[str, str]:
    """What of this server does not work as it should."""
    source = app.gate.source
    found: dict[str, str] = {}
    if source.closed or source.degraded:
        found["policy_file"] = CLOSED if source.closed else POLICY
    try:
        standing = (await app.gate.status(caller.call(), jobs.label)).standing
    except StateError:
        return {**found, "state": STATE}
    if not granted.written:
        found["state"] = STATE
    if isinstance(standing, Frozen):
        found["frozen"] = FROZEN
    return found


def _status(app: App, jobs: Jobs, degraded: dict[str, str]) -> ServerStatus:
    """All that is known without ComfyUI."""
    return ServerStatus(
        host=app.place,
        reachable=False,
        events="websocket" if jobs.listening else "polling",
        policy_revision=app.gate.loaded.revision.removeprefix("sha256:")[:12],
        degraded=degraded,
        server_version=__version__,
    )


def _host(status: HostStatus, queue: QueueView) -> dict[str, object]:
    """The fields that ComfyUI fills."""
    return {
        "reachable": True,
        "comfyui_version": status.version[:NAME],
        "capabilities": _capabilities(status.capabilities),
        "queue": QueueLength(running=len(queue.running), pending=len(queue.pending)),
        "devices": [_device(one) for one in status.devices[:MOST_DEVICES]],
        "ram": DeviceMemory(name="ram", total=_mib(status.ram_total), free=_mib(status.ram_free)),
        "worker": status.worker.value,
    }


def _capabilities(found: Capabilities) -> list[str]:
    names = ("chosen_ids", "jobs", "atomic_cancel", "targeted_interrupt")
    return [name for name in names if getattr(found, name)]


def _device(device: Device) -> DeviceMemory:
    return DeviceMemory(
        name=device.name[:NAME], total=_mib(device.vram_total), free=_mib(device.vram_free)
    )


def _mib(size: int | None) -> int | None:
    return None if size is None else size // MIB
