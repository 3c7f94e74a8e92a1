"""What became of a job, decided by looking at ComfyUI, and written into the journal once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from comfy_mcp.errors import HostError, StateError
from comfy_mcp.host import Absent, Ended, Running, Sighting
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.jobs.record import gpu_ms, made_by, outcome_record, result_of
from comfy_mcp.jobs.table import ends, may_move
from comfy_mcp.store.protocol import JobRow, Store

__all__ = ["Judge"]

log = logging.getLogger(__name__)

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
        """Look at ComfyUI, and write down what the journal does not know yet: that it runs, an end.

        Raises:
            HostError: ComfyUI cannot be asked.
            StateError: an end cannot be written down.
        """
        seen = await self._host.look(prompt_id)
        if row is None or ends(row.status) or row.host != self._label:
            return seen
        if isinstance(seen, Running):
            await self._runs(row)
        if isinstance(seen, Ended):
            await self.settle(row, seen.outcome, result_of(seen))
        elif isinstance(seen, Absent):
            return await self._doubt(row)
        return seen

    async def settle(
        self, row: JobRow, status: str, result: Mapping[str, Any], *, never_ran: bool = False
    ) -> None:
        """Write a job's end down, once, whoever notices it first.

        Raises:
            StateError: it cannot be written down.
        """
        # Read again: somebody may have noted why the job was to be stopped, or how it ended.
        row = await self._store.job(row.prompt_id) or row
        if may_move(row.status, status):
            row = await self._write(row, status, {**row.result, **result}, never_ran=never_ran)
        self._settled(row)

    async def _write(
        self, row: JobRow, status: str, result: Mapping[str, Any], *, never_ran: bool
    ) -> JobRow:
        """Write the end; gives the row as it is then, or as it was if somebody was quicker."""
        took_ms = 0 if never_ran else gpu_ms(result)
        now_ms = self._now_ms()
        moved = await self._store.move_job(
            row.prompt_id,
            status,
            now_ms,
            result=result,
            record=outcome_record(row, status, took_ms),
            gpu_ms=took_ms,
            files=made_by(result),
        )
        if not moved:
            return row
        return replace(row, status=status, changed_ms=now_ms, result=result, gpu_ms=took_ms)

    async def _runs(self, row: JobRow) -> None:
        """Write the first sight of a running job down.

        Also of one that was asked to leave the queue: should it vanish now, that was no cancel.
        """
        if row.status == "in_progress" and row.running_ms is not None:
            return
        try:
            await self._store.move_job(row.prompt_id, "in_progress", self._now_ms())
        except StateError:
            # The job runs, written down or not; the next look tries again.
            log.exception("Job %s runs, but that could not be written down.", row.prompt_id)

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
            if fresh.status == "stopping":
                # Asked long ago, it may have run and gone while nobody looked: nothing is given.
                never_ran = fresh.running_ms is None and self._young(fresh.changed_ms)
                await self.settle(fresh, "cancelled", {}, never_ran=never_ran)
            elif fresh.status != "submitting" or not self._young(row.created_ms):
                await self.settle(fresh, "lost", {})
        return seen

    def _young(self, since_ms: int) -> bool:
        return 0 <= self._now_ms() - since_ms < self._forget * 1000
