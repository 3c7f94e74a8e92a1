"""The ComfyUI on the other end: the way to it, and what was learnt of it since it came up."""

from __future__ import annotations

import time
from collections.abc import Callable

from comfy_mcp.host.aliases import Aliases
from comfy_mcp.host.cloud import is_cloud
from comfy_mcp.host.standing import Capabilities
from comfy_mcp.host.transport import MAX_JSON, Timeouts, Transport
from comfy_mcp.host.version import (
    ATOMIC_CANCEL,
    CHOSEN_IDS,
    JOBS,
    TARGETED_INTERRUPT,
    Version,
    parse_version,
)
from comfy_mcp.host.wire import SystemStats
from comfy_mcp.settings import Address

__all__ = ["Peer"]


class Peer:
    """One ComfyUI. What was learnt is forgotten when it was away: another may come back.

    *clock*: seconds that only rise, for what is remembered for a moment. *epoch* rises whenever
    ComfyUI may have been restarted: nobody answered, or a socket broke; *forget* is called then.
    """

    def __init__(
        self,
        address: Address,
        *,
        now_ms: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
        timeouts: Timeouts = Timeouts(),
        pause: float = 0.2,
        max_json: int = MAX_JSON,
    ) -> None:
        self.address = address
        self.now_ms = now_ms
        self.clock = clock
        self.timeouts = timeouts
        self.pause = pause
        self.wire = Transport(
            address, timeouts=timeouts, pause=pause, lost=self.away, max_json=max_json
        )
        self.aliases = Aliases()
        self.epoch = 0
        self.jobs: bool | None = None
        """Whether it has /api/jobs; None: not asked yet."""
        self.forget: Callable[[], None] | None = None
        self.mints = False
        """It was seen to give a job an id of its own."""
        self._stats: SystemStats | None = None

    @property
    def base(self) -> str:
        """Where it is, without a slash at the end."""
        return self.address.base

    async def stats(self) -> SystemStats:
        """Version, memory and devices, as they are now."""
        self._stats = await self.wire.read("/system_stats", SystemStats)
        return self._stats

    async def version(self) -> Version | None:
        """Asked once for each time that ComfyUI is reached anew; None for a fork's own name."""
        stats = self._stats or await self.stats()
        return parse_version(stats.system.comfyui_version)

    async def named_version(self) -> str:
        """Its version in its own words; asked once for each time that it is reached anew."""
        stats = self._stats or await self.stats()
        return stats.system.comfyui_version[:120]

    async def is_cloud(self) -> bool:
        """Whether it is Comfy Cloud, by its host name or by what it says of itself.

        Cloud gives jobs ids of its own, runs several at once in an order of its own, and its
        interrupts and deletions reach further than those of a ComfyUI.
        """
        if is_cloud(self.address):
            return True
        stats = self._stats or await self.stats()
        return stats.system.cloud_version is not None

    async def keeps_ids(self) -> bool:
        """Whether a job is known there by the id we gave it. A fork may say so and do otherwise."""
        version = await self.version()
        if self.mints or await self.is_cloud():
            return False
        return version is not None and version >= CHOSEN_IDS

    async def capabilities(self) -> Capabilities:
        """What it can do, by its version and by what was seen."""
        version = await self.version()

        def since(first: Version) -> bool:
            return version is not None and version >= first

        cloud = await self.is_cloud()
        jobs = cloud or (since(JOBS) if self.jobs is None else self.jobs)
        # What tells no version may be older than any that does; the jobs routes are newer than
        # interrupts with an aim.
        aims = jobs if version is None else since(TARGETED_INTERRUPT)
        return Capabilities(
            chosen_ids=await self.keeps_ids(),
            jobs=jobs,
            atomic_cancel=cloud or since(ATOMIC_CANCEL),
            targeted_interrupt=aims and not cloud,
        )

    def away(self) -> None:
        """Nobody answers, or a socket broke: what comes back may be another ComfyUI."""
        self.epoch += 1
        self.jobs = self._stats = None
        self.mints = False
        if self.forget is not None:
            self.forget()
