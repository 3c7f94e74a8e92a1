"""free_memory: models out of the GPU's memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import repeat
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from comfy_mcp.errors import HostError, WorkflowError
from comfy_mcp.quoting import plain
from comfy_mcp.tools.app import App, Caller

if TYPE_CHECKING:
    from comfy_mcp.host.client import ComfyHost
    from comfy_mcp.host.standing import HostStatus

__all__ = ["Freed", "MemoryOf", "free_memory"]

MIB = 1024 * 1024
MOST_DEVICES = 4
NAME = 80

LOOKS = 8
"""How often is looked whether it is done, while nothing runs: for two seconds together."""

PAUSE = 0.25

LATER = "ComfyUI does it once the running job has ended; nothing is freed before that."
DONE = "ComfyUI was told, and more memory is free now."
NOTHING = "ComfyUI was told, but no more memory is free than before: perhaps nothing was loaded."
UNKNOWN = "ComfyUI was told; how much memory is free now it does not say."
NEITHER = "With neither unload_models nor free_memory there is nothing to do."


class MemoryOf(BaseModel):
    """A GPU, or the machine's RAM; MiB."""

    model_config = ConfigDict(frozen=True)

    name: str
    total: int
    free_before: int
    free_after: int | None = None


class Freed(BaseModel):
    """What became of it."""

    model_config = ConfigDict(frozen=True)

    message: str
    memory: Annotated[list[MemoryOf], Field(description="MiB")] = []


async def free_memory(
    app: App,
    caller: Caller,
    *,
    unload_models: Annotated[bool, Field(description="Out of the GPU's memory")] = True,
    free_memory: Annotated[bool, Field(description="Also all cached results")] = False,
) -> Freed:
    """Have ComfyUI give memory back, after the job that runs; the next job loads models anew."""
    if not unload_models and not free_memory:
        raise WorkflowError(NEITHER)
    async with caller.admitted(app, caller.call(frees=True)) as granted:
        if granted.free is None:
            raise AssertionError("memory was to be freed without a permit")
        host = (await app.jobs()).host
        before = await host.status()
        await host.free(granted.free, unload_models=unload_models, free_memory=free_memory)
        try:
            busy = any(await host.queue_length())
            after = None if busy else await _later(host, before)
        except HostError:
            return Freed(message=UNKNOWN, memory=_memory(before, None))
    if after is None:
        return Freed(message=LATER, memory=_memory(before, None))
    grown = _free(after) > _free(before)
    return Freed(message=DONE if grown else NOTHING, memory=_memory(before, after))


async def _later(host: ComfyHost, before: HostStatus) -> HostStatus:
    """How much is free once more of it is, or after two seconds."""
    after = before
    for _ in range(LOOKS):
        await asyncio.sleep(PAUSE)
        after = await host.status()
        if _free(after) > _free(before):
            break
    return after


def _free(status: HostStatus) -> int:
    """MiB that are free on all devices; noise of less than that is nothing."""
    return sum(_mib(each.vram_free) for each in status.devices)


def _memory(before: HostStatus, after: HostStatus | None) -> list[MemoryOf]:
    """Each device as it was, and as it is; then the machine's own memory."""
    return [
        MemoryOf(name=plain(name, NAME), total=total, free_before=free, free_after=later)
        for (name, total, free), later in zip(_lines(before), _after(after), strict=False)
    ]


def _after(status: HostStatus | None) -> Iterable[int | None]:
    return repeat(None) if status is None else [free for _, _, free in _lines(status)]


def _lines(status: HostStatus) -> list[tuple[str, int, int]]:
    """Name, MiB in all, MiB free."""
    devices = [
        (each.name, _mib(each.vram_total), _mib(each.vram_free))
        for each in status.devices[:MOST_DEVICES]
    ]
    return [*devices, ("RAM", _mib(status.ram_total), _mib(status.ram_free))]


def _mib(size: int | None) -> int:
    return (size or 0) // MIB
