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
    """Notes how far jobs are, for those who look at the journal; *spawn* holds on to a task."""

    def __init__(
        self,
        store: Store,
        now_ms: Callable[[], int],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        *,
        every: float = EVERY_SECONDS,
    ) -> None:
        self._store = store
        self._now_ms = now_ms
        self._spawn = spawn
        self._every = every

    def heard(self, watch: Watch) -> None:
        """Note the job's progress, if it runs and the last note is old enough."""
        if watch.client_id is None or watch.live.status != "in_progress":
            return
        now = asyncio.get_running_loop().time()
        if watch.noted_at is None:
            watch.noted_at = now
        if now - watch.noted_at >= self._every:
            watch.noted_at = now
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
