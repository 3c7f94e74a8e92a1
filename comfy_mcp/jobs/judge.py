"""What became of a job, decided by looking at ComfyUI, and written into the journal once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from comfy_mcp.errors import HostError
from comfy_mcp.host import Absent, Ended, Running, Sighting
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.jobs.record import outcome_record, result_of
from comfy_mcp.jobs.table import ends, may_move
from comfy_mcp.store.protocol import JobRow, Store

__all__ = ["Judge"]

RECONCILE_SECONDS = 10.0
"""An admission waits this long at most for jobs that may have ended."""


class Judge:
    """Looks at one ComfyUI for one journal; *settled* hears of every job that has ended.

    It gets the job's row as it was just written, or an older one if somebody else wrote it first.

    *doubt* is the pause in seconds before a job that was not found is looked for once more;
    *forget* is how many seconds old a submit must be before a job that ComfyUI does not know
    counts as lost.
    """

    def __init__(
        self,
        host: ComfyHost,
        store: Store,
        *,
        label: str,
        now_ms: Callable[[], int],
        settled: Callable[[JobRow], None],
        doubt: float,
        forget: float,
    ) -> None:
        self._host = host
        self._store = store
        self._label = label
        self._now_ms = now_ms
        self._settled = settled
        self._pause = doubt
        self._forget = forget

    async def look(self, prompt_id: str, row: JobRow | None = None) -> Sighting:
        """Look at ComfyUI, and write down an end that the journal does not know yet."""
        seen = await self._host.look(prompt_id)
        if row is None or ends(row.status) or row.host != self._label:
            return seen
        if isinstance(seen, Running) and row.status == "stopping":
            # It was not taken out of the queue: should it vanish now, that was no cancel.
            await self._store.move_job(row.prompt_id, "in_progress", self._now_ms())
        if isinstance(seen, Ended):
            await self.settle(row, seen.outcome, result_of(seen))
        elif isinstance(seen, Absent):
            return await self._doubt(row)
        return seen

    async def settle(self, row: JobRow, status: str, result: Mapping[str, Any]) -> None:
        """Write a job's end down, once, whoever notices it first."""
        if may_move(row.status, status):
            result = {**row.result, **result}
            record = outcome_record(row.prompt_id, status, row.decision_id, result)
            now_ms = self._now_ms()
            if await self._store.move_job(
                row.prompt_id, status, now_ms, result=result, record=record
            ):
                row = replace(row, status=status, changed_ms=now_ms, result=result)
        self._settled(row)

    async def reconcile(self, grant: str) -> None:
        """Look at every unfinished job of *grant*, so that finished ones free their slots."""
        rows = await self._store.unfinished(host=self._label, grant=grant)
        with suppress(TimeoutError):
            async with asyncio.timeout(RECONCILE_SECONDS):
                await asyncio.gather(*(self._look_quietly(row) for row in rows))

    async def _look_quietly(self, row: JobRow) -> None:
        """A job that cannot be looked at keeps its slot."""
        with suppress(HostError):
            await self.look(row.prompt_id, row)

    async def _doubt(self, row: JobRow) -> Sighting:
        """A journaled job that ComfyUI does not show: look once more, then judge."""
        await asyncio.sleep(self._pause)
        seen = await self._host.look(row.prompt_id)
        fresh = await self._store.job(row.prompt_id) or row
        if isinstance(seen, Ended):
            await self.settle(fresh, seen.outcome, result_of(seen))
        elif isinstance(seen, Absent):
            young = 0 <= self._now_ms() - row.created_ms < self._forget * 1000
            if fresh.status == "stopping":
                await self.settle(fresh, "cancelled", {})
            elif fresh.status != "submitting" or not young:
                await self.settle(fresh, "lost", {})
        return seen
