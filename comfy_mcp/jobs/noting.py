"""Writes a job's progress down now and then: only the process that submitted it is told of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from comfy_mcp.errors import StateError
from comfy_mcp.jobs.watch import Watch
from comfy_mcp.store.protocol import Store

__all__ = ["Noter"]

log = logging.getLogger(__name__)

EVERY_SECONDS = 1.0
"""Between two notes of one job, and before the first: short jobs cost nothing."""


class Noter:
    """Notes how far jobs are, for those who look at the journal; *spawn* holds on to a task.

    *clock* gives seconds that only rise; without one it is the event loop's.
    """

    def __init__(
        self,
        store: Store,
        now_ms: Callable[[], int],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        *,
        every: float = EVERY_SECONDS,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._store = store
        self._now_ms = now_ms
        self._spawn = spawn
        self._every = every
        self._clock = clock or _loop_time
        self._underway: set[str] = set()

    def heard(self, watch: Watch) -> None:
        """Note the job's progress, if it runs and the last note is old enough, and written."""
        if watch.client_id is None or watch.live.status != "in_progress":
            return
        now = self._clock()
        if watch.noted_at is None:
            watch.noted_at = now
        if now - watch.noted_at >= self._every and watch.prompt_id not in self._underway:
            watch.noted_at = now
            self._underway.add(watch.prompt_id)
            self._spawn(self._note(watch))

    async def _note(self, watch: Watch) -> None:
        live = watch.live
        progress = {
            "percent": live.percent,
            "node_id": live.node_id,
            "value": live.value,
            "max": live.most,
        }
        try:
            await self._store.note_progress(watch.prompt_id, self._now_ms(), progress)
        except StateError as error:
            # Nothing depends on it: the next note may succeed, and the end is written down anyway.
            log.debug("The progress of %s was not noted: %s", watch.prompt_id, error)
        finally:
            self._underway.discard(watch.prompt_id)


def _loop_time() -> float:
    return asyncio.get_running_loop().time()
