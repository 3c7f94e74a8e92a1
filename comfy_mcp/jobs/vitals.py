"""Signs of life: whether a job that is silent is being worked on at all.

ComfyUI's worker thread can die while everything else goes on: jobs are taken and none is run. A
job of which nothing was heard for a while makes us ask ComfyUI's log. Loading a model is silent,
too, and may take minutes; it leaves no such sign.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from comfy_mcp.host.client import ComfyHost
from comfy_mcp.host.standing import Worker
from comfy_mcp.jobs.watch import Watch

__all__ = ["Vitals", "silence_in_words"]

TOLD_AFTER = 4
"""So many silences long, a running job is said to be silent."""


class Vitals:
    """Asks for the worker at most once in *seconds*, however many jobs are silent.

    *clock*: seconds that only rise.
    """

    def __init__(self, host: ComfyHost, *, seconds: float, clock: Callable[[], float]) -> None:
        self._host = host
        self._seconds = seconds
        self._clock = clock
        self._asked: float | None = None
        self._worker = Worker.UNKNOWN
        self._asking = asyncio.Lock()

    @property
    def dead(self) -> bool:
        """Whether the worker was seen to be dead."""
        return self._host.worker_died

    async def still_dead(self) -> bool:
        """Whether it is dead still: somebody may have restarted ComfyUI."""
        return self._host.worker_died and await self._host.worker() is Worker.DEAD

    async def check(self, watch: Watch) -> None:
        """After a look at an unfinished job: if it was silent for long, look whether it can go on.

        Whoever waits for it is told when it cannot.
        """
        silent = watch.silent_s
        if silent >= self._seconds:
            await self._ask()
        # Also if the log says nothing of a death: not every death leaves a sign.
        lasting = silent >= TOLD_AFTER * self._seconds and watch.live.status == "in_progress"
        watch.tell_life(dead=self.dead, silence_s=silent if lasting else None)

    async def _ask(self) -> None:
        async with self._asking:
            now = self._clock()
            if self._asked is None or now - self._asked >= self._seconds:
                self._worker = await self._host.worker()
                self._asked = self._clock()


def silence_in_words(seconds: float) -> str:
    """What a caller reads about a job of which nothing was heard."""
    return (
        f"No sign of life from it for {seconds:.0f} s: ComfyUI may be loading a model, or be stuck."
        " Look at ComfyUI's own window or log."
    )
