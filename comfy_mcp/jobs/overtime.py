"""The watchdog: stops a job that runs longer than the policy let it, and notes why it was stopped.

It looks at nothing by itself: whoever sees a job run tells it, and is told when to look again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from comfy_mcp.errors import ComfyMCPError
from comfy_mcp.jobs.record import overtime_note
from comfy_mcp.jobs.stop import stop
from comfy_mcp.jobs.table import ends

if TYPE_CHECKING:
    from comfy_mcp.jobs.desk import Desk
    from comfy_mcp.jobs.watch import Watch
    from comfy_mcp.permit import StopPermit
    from comfy_mcp.store.protocol import JobRow

__all__ = ["Leave", "Watchdog"]

log = logging.getLogger(__name__)

Leave = Callable[["JobRow"], Awaitable["StopPermit"]]
"""Gives leave to stop a job that has run too long; raises Refused or StateError if it does not."""


class Watchdog:
    """Stops journaled jobs of one ComfyUI at their cap, each by one attempt at a time.

    An attempt takes at most *seconds*; one that did not stop the job is repeated after *again*
    seconds, for as long as the job runs.
    """

    def __init__(self, jobs: Desk, leave: Leave, *, seconds: float, again: float) -> None:
        self._jobs = jobs
        self._leave = leave
        self._seconds = seconds
        self._again = again

    def saw_run(self, watch: Watch, row: JobRow) -> float | None:
        """Take in that the job of *watch* and *row* runs; the time for the next look, if any.

        A job that is due is stopped in the background. Its time is counted by the event loop's
        clock, which does not step; only what it ran before it was seen here, by the journal's.
        """
        if row.cap_ms is None or row.host != self._jobs.label or ends(row.status):
            return None
        now = asyncio.get_running_loop().time()
        if watch.ran_from is None:
            since_ms = 0 if row.running_ms is None else self._jobs.now_ms() - row.running_ms
            ran_from = now - max(0, since_ms) / 1000
            # One that was submitted here did not run before.
            watch.ran_from = ran_from if watch.client_id is None else max(ran_from, watch.since)
        due = max(watch.ran_from + row.cap_ms / 1000, watch.spare_until)
        if now < due:
            return due
        if not watch.being_stopped:
            watch.being_stopped = True
            self._jobs.keep(asyncio.create_task(self._attempt(watch, row)))
        return None

    async def _attempt(self, watch: Watch, row: JobRow) -> None:
        try:
            await self._stop(row)
        except ComfyMCPError:
            log.exception(
                "Job %s has run longer than %s allows and could not be stopped; it is tried again.",
                row.prompt_id,
                row.cap_rule,
            )
        finally:
            watch.spare_until = asyncio.get_running_loop().time() + self._again
            watch.being_stopped = False

    async def _stop(self, row: JobRow) -> None:
        permit = await self._leave(row)
        if not await self._note(row):
            return
        report = await stop(self._jobs, row.prompt_id, permit, seconds=self._seconds)
        words = "Job %s has run longer than %s allows: %s."
        log.log(
            logging.WARNING if report.outcome == "still_running" else logging.INFO,
            words,
            row.prompt_id,
            row.cap_rule,
            report.outcome,
        )

    async def _note(self, row: JobRow) -> bool:
        """Write down why, before the order: whoever sees the job's end can then say it.

        False if it has ended meanwhile.
        """
        fresh = await self._jobs.store.job(row.prompt_id)
        if fresh is None or ends(fresh.status):
            return False
        noted = overtime_note(fresh)
        if noted.items() <= fresh.result.items():
            return True
        return await self._jobs.store.move_job(
            row.prompt_id,
            fresh.status,
            self._jobs.now_ms(),
            result={**fresh.result, **noted},
        )
