"""What became of a job, decided by looking at ComfyUI, and written into the journal once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from comfy_mcp.errors import HostError, StateError
from comfy_mcp.host import Absent, Ended, Pending, Running, Sighting
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.jobs.lost import cause_of, lost_note
from comfy_mcp.jobs.record import KNOWN_AS, gpu_ms, made_by, never_began, outcome_record, result_of
from comfy_mcp.jobs.table import ends, may_move
from comfy_mcp.store.protocol import JobRow, Store

__all__ = ["Judge"]

log = logging.getLogger(__name__)

RECONCILE_SECONDS = 10.0
"""An admission waits this long at most for jobs that may have ended."""

REMEMBERED = 10_000
"""Jobs of which it is known when they were last seen."""

EARLIER = 5
"""Older jobs that are looked for to see whether ComfyUI is still the same."""

NEWER = 50
"""Ended jobs whose numbers are compared with that of a lost one."""


class Judge:
    """Looks at one ComfyUI for one journal; *settled* hears of every job that has ended.

    It gets the job's row as it was just written, or an older one if somebody else wrote it first.

    *doubt* is the pause in seconds before a job that was not found is looked for once more;
    *forget* is how many seconds old a submit must be before a job that ComfyUI does not know
    counts as lost. *order* is how many seconds a job that left the queue is left to whoever told it
    to.
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
        order: float,
    ) -> None:
        self._host = host
        self._store = store
        self._label = label
        self._now_ms = now_ms
        self._settled = settled
        self._pause = doubt
        self._forget = forget
        self._order = order
        self._sent: dict[str, float] = {}
        """When this process sent a job, by the event loop's clock; until it is seen there."""
        self._seen: dict[str, int] = {}
        """In which of the host's epochs an unfinished job was last seen there, or sent there."""

    def recall(self, row: JobRow) -> None:
        """Tell the host by what id it knows the job, as the journal has it."""
        known_as = row.result.get(KNOWN_AS)
        if isinstance(known_as, str):
            self._host.learn(row.prompt_id, known_as)

    def sends(self, prompt_id: str) -> None:
        """ComfyUI is about to get the job."""
        self._sent[prompt_id] = asyncio.get_running_loop().time()
        self.saw(prompt_id)

    def saw(self, prompt_id: str, epoch: int | None = None) -> None:
        """ComfyUI had the job in *epoch* (None: now)."""
        self._seen.pop(prompt_id, None)
        self._seen[prompt_id] = self._host.epoch if epoch is None else epoch
        if len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]

    async def look(
        self, prompt_id: str, row: JobRow | None = None, *, fresh: bool = True
    ) -> Sighting:
        """Look at ComfyUI, and write down what the journal does not know yet: that it runs, an end.

        Not *fresh*: for those who ask again and again; see `ComfyHost.look`.

        Raises:
            HostError: ComfyUI cannot be asked.
            StateError: an end cannot be written down.
        """
        if row is not None:
            self.recall(row)
        # Of before the look: if ComfyUI goes away after it has answered, that is news.
        epoch = self._host.epoch
        seen = await self._host.look(prompt_id, fresh=fresh)
        if row is None or ends(row.status) or row.host != self._label:
            return seen
        if isinstance(seen, Absent):
            return await self._doubt(row)
        await self._found(row, seen, epoch)
        return seen

    async def lose(self, row: JobRow) -> None:
        """Write down that ComfyUI has a job no more, and why as far as can be known.

        Raises:
            StateError: it cannot be written down.
        """
        ended = await self._store.jobs(self._label, count=NEWER)
        open_ = await self._store.unfinished(host=self._label)
        later = [one for one in (*ended, *open_) if one.seq > row.seq]
        seen = self._seen.get(row.prompt_id)
        cause = cause_of(row, seen=seen, epoch=self._host.epoch, later=later)
        await self.settle(row, "lost", lost_note(cause))

    async def left(self, row: JobRow, *, epoch: int) -> None:
        """Write down that a job left the queue that was told in *epoch* to leave it.

        One that was seen to run should be in the history. If ComfyUI was away since, nobody knows
        whether the job ran: then its GPU time is not given back.

        Raises:
            StateError: it cannot be written down.
        """
        if row.running_ms is not None:
            await self.lose(row)
        else:
            never_ran = self._host.epoch == epoch and self._young(row.changed_ms)
            await self.settle(row, "cancelled", {}, never_ran=never_ran)

    async def settle(
        self, row: JobRow, status: str, result: Mapping[str, Any], *, never_ran: bool = False
    ) -> None:
        """Write a job's end down, once, whoever notices it first.

        Raises:
            StateError: it cannot be written down.
        """
        # Read again: somebody may have noted why the job was to be stopped, or how it ended.
        row = await self._store.job(row.prompt_id) or row
        self._seen.pop(row.prompt_id, None)
        self._sent.pop(row.prompt_id, None)
        if may_move(row.status, status):
            row = await self._write(row, status, {**row.result, **result}, never_ran=never_ran)
        self._settled(row)

    async def _write(
        self, row: JobRow, status: str, result: Mapping[str, Any], *, never_ran: bool
    ) -> JobRow:
        """Write the end; gives the row as it is then, or as it was if somebody was quicker."""
        took_ms = 0 if never_ran or never_began(row, status, result) else gpu_ms(result)
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

    async def _keep_id(self, row: JobRow) -> None:
        """Write down by what id ComfyUI knows the job, if only the job itself told us."""
        theirs = self._host.theirs(row.prompt_id)
        if theirs == row.prompt_id or row.result.get(KNOWN_AS) == theirs:
            return
        try:
            fresh = await self._store.job(row.prompt_id) or row
            result = {**fresh.result, KNOWN_AS: theirs}
            await self._store.move_job(row.prompt_id, fresh.status, self._now_ms(), result=result)
        except StateError:
            log.exception("By what id ComfyUI knows %s could not be written down.", row.prompt_id)

    async def _found(self, row: JobRow, seen: Pending | Running | Ended, epoch: int) -> None:
        """Write down what a look says that the journal does not know yet."""
        if isinstance(seen, Ended):
            await self.settle(row, seen.outcome, result_of(seen))
            return
        self.saw(row.prompt_id, epoch)
        await self._keep_id(row)
        if isinstance(seen, Running):
            await self._runs(row)
        elif row.status == "submitting":
            await self._waits(row)

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

    async def _waits(self, row: JobRow) -> None:
        """Write down that ComfyUI has a job whose answer was lost, or whose process was killed."""
        try:
            fresh = await self._store.job(row.prompt_id)
            if fresh is not None and fresh.status == "submitting":
                await self._store.move_job(row.prompt_id, "pending", self._now_ms())
        except StateError:
            log.exception("Job %s waits, but that could not be written down.", row.prompt_id)

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
        epoch = self._host.epoch
        seen = await self._host.look(row.prompt_id)
        fresh = await self._store.job(row.prompt_id) or row
        if not isinstance(seen, Absent):
            await self._found(fresh, seen, epoch)
        elif fresh.status == "stopping":
            await self._took_leave(fresh)
        elif fresh.status != "submitting" or not self._under_way(fresh):
            await self.lose(fresh)
        return seen

    async def _took_leave(self, row: JobRow) -> None:
        """A job is gone that was to leave the queue: whether it was told to is not known.

        It is cancelled if ComfyUI is the one that had it, since it is not in its history.
        """
        seen_here = self._seen.get(row.prompt_id) == self._host.epoch
        if not seen_here and self._within(row.changed_ms, self._order):
            return
        if seen_here or await self._is_the_same(row):
            # Asked long ago, it may have run and gone while nobody looked: nothing is given.
            never_ran = row.running_ms is None and self._young(row.changed_ms)
            await self.settle(row, "cancelled", {}, never_ran=never_ran)
        else:
            await self.lose(row)

    async def _is_the_same(self, row: JobRow) -> bool:
        """Whether ComfyUI still has a job that is older than *row*: then it was not restarted."""
        ended = await self._store.jobs(self._label, before=row.seq, count=EARLIER)
        open_ = [one for one in await self._store.unfinished(host=self._label) if one.seq < row.seq]
        for earlier in (*open_[-EARLIER:], *ended):
            self.recall(earlier)
            if not isinstance(await self._host.look(earlier.prompt_id), Absent):
                return True
        return False

    def _under_way(self, row: JobRow) -> bool:
        """Whether a job may yet come in that was sent, by whatever process."""
        sent = self._sent.get(row.prompt_id)
        if sent is None:
            return self._young(row.created_ms)
        return asyncio.get_running_loop().time() - sent < self._forget

    def _young(self, since_ms: int) -> bool:
        return self._within(since_ms, self._forget)

    def _within(self, since_ms: int, seconds: float) -> bool:
        return 0 <= self._now_ms() - since_ms < seconds * 1000
