"""Taking all waiting jobs of one caller out of the queue: none that runs, and nobody else's."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from comfy_mcp.errors import HostRejected, PermitError
from comfy_mcp.host import Absent, Ended, Pending, Running, Sighting
from comfy_mcp.jobs.record import result_of
from comfy_mcp.jobs.table import ends
from comfy_mcp.permit import StopPermit
from comfy_mcp.store.protocol import JobRow

if TYPE_CHECKING:
    from comfy_mcp.jobs.desk import Desk

__all__ = ["WAITING", "ClearReport", "clear"]

TURNS = 4
"""How often the order is sent: a job may stand in the queue twice."""

PAUSE = 0.2

AT_ONCE = 16

WAITING = frozenset({"pending", "stopping"})
"""Not those whose submit is under way: they may come in after the queue was cleared."""

REMOVE = "POST /api/queue {delete}"


@dataclass(frozen=True, slots=True)
class ClearReport:
    """*started* began to run before they could be taken out; *gone* had ended by themselves.

    *waiting* are still in the queue. *actions* are the requests sent.
    """

    cleared: tuple[str, ...]
    started: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    took_ms: int = 0
    actions: tuple[str, ...] = ()


async def clear(
    jobs: Desk, grant: str, permit: StopPermit, prompt_ids: tuple[str, ...]
) -> ClearReport:
    """Take those of *prompt_ids* that belong to *grant* and wait out of the queue; look at each.

    Raises:
        HostError: ComfyUI cannot be asked.
        StateError: the journal cannot be used.
        PermitError: *permit* is not for all of them.
    """
    began = jobs.now_ms()
    rows = [row for one in prompt_ids if (row := await jobs.store.job(one)) is not None]
    own = [row for row in rows if row.grant == grant and row.host == jobs.label]
    for row in own:
        if row.prompt_id not in permit.prompt_ids:
            # The host checks it, too, but by then the journal would be written.
            raise PermitError(f"The permit of {permit.decision_id} is for other jobs.")
        jobs.judge.recall(row)
    clearance = _Clearance(jobs, permit)
    task = asyncio.ensure_future(clearance.run([row for row in own if row.status in WAITING]))
    # Begun is finished and written down, also if nobody waits for it any more.
    jobs.keep(task)
    await asyncio.shield(task)
    gone = [row.prompt_id for row in own if ends(row.status)]
    return ClearReport(
        cleared=tuple(clearance.cleared),
        started=clearance.those(Running),
        gone=(*gone, *clearance.ended),
        waiting=clearance.those(Pending),
        took_ms=jobs.now_ms() - began,
        actions=tuple(_times(name, count) for name, count in clearance.sent.items()),
    )


@dataclass(slots=True)
class _Clearance:
    """One effort; *seen* is how each job stands now.

    Of those that are in the queue no more, *cleared* were taken out of it, and *ended* were not.
    """

    jobs: Desk
    permit: StopPermit
    seen: dict[str, Sighting] = field(default_factory=dict[str, Sighting])
    cleared: list[str] = field(default_factory=list[str])
    ended: list[str] = field(default_factory=list[str])
    sent: Counter[str] = field(default_factory=Counter[str])

    def those(self, kind: type[Sighting]) -> tuple[str, ...]:
        """The jobs that stand so."""
        return tuple(one for one, sight in self.seen.items() if isinstance(sight, kind))

    async def run(self, rows: list[JobRow]) -> None:
        """Order and look until none of *rows* waits, and write down what became of them."""
        epoch = self.jobs.host.epoch
        await self._look_at(rows)
        for row in self._waiting(rows):
            # Written first: whoever misses the job in the queue must know that it was taken out.
            await self.jobs.store.move_job(row.prompt_id, "stopping", self.jobs.now_ms())
        for turn in range(TURNS):
            left = self._waiting(rows)
            if not left:
                break
            if turn:
                await asyncio.sleep(PAUSE)
            await self._order(left)
            await self._look_at(left)
        for row in rows:
            await self._write_down(row, epoch)

    def _waiting(self, rows: list[JobRow]) -> list[JobRow]:
        return [row for row in rows if isinstance(self.seen[row.prompt_id], Pending)]

    async def _order(self, rows: list[JobRow]) -> None:
        try:
            await self.jobs.host.remove([row.prompt_id for row in rows], self.permit)
        except HostRejected as error:
            if error.kind != "no_safe_removal":
                raise
            await self._one_by_one(rows)
        else:
            self.sent[REMOVE] += 1

    async def _one_by_one(self, rows: list[JobRow]) -> None:
        """Where ComfyUI's order for many would stop running jobs as well."""
        for row in rows:
            if isinstance(await self.jobs.host.look(row.prompt_id), Pending):
                self.sent.update(await self.jobs.host.stop(row.prompt_id, self.permit))

    async def _look_at(self, rows: list[JobRow]) -> None:
        few = asyncio.Semaphore(AT_ONCE)

        async def look(row: JobRow) -> tuple[str, Sighting]:
            async with few:
                return row.prompt_id, await self.jobs.host.look(row.prompt_id)

        self.seen.update(await asyncio.gather(*map(look, rows)))

    async def _write_down(self, row: JobRow, epoch: int) -> None:
        seen, jobs = self.seen[row.prompt_id], self.jobs
        fresh = await jobs.store.job(row.prompt_id) or row
        if isinstance(seen, Ended):
            await jobs.judge.settle(fresh, seen.outcome, result_of(seen))
            # Comfy Cloud keeps what was taken out of its queue, as a job that never began.
            out = seen.outcome == "cancelled" and seen.started_ms is None
            (self.cleared if out else self.ended).append(row.prompt_id)
        elif isinstance(seen, Running):
            await jobs.store.move_job(row.prompt_id, "in_progress", jobs.now_ms())
        elif isinstance(seen, Absent):
            await self._gone(fresh, epoch)

    async def _gone(self, row: JobRow, epoch: int) -> None:
        """It is nowhere: taken out, or lost before it could be."""
        if row.status == "stopping":
            await self.jobs.judge.left(row, epoch=epoch)
        elif not ends(row.status):
            await self.jobs.judge.lose(row)
        now = await self.jobs.store.job(row.prompt_id) or row
        if now.status == "cancelled":
            self.cleared.append(row.prompt_id)
        else:
            self.ended.append(row.prompt_id)


def _times(name: str, count: int) -> str:
    return name if count == 1 else f"{name} x{count}"
