"""Stopping one job, and only that one, and saying truthfully whether it stopped.

ComfyUI can accept a cancel and lose it (it clears its interrupt flag when a job starts), and an
interrupt only takes effect between nodes or steps. So: ask, look, ask again, until the job has left
the running list or the time is over.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from comfy_mcp.errors import HostRejected, HostTimeout, HostUnreachable
from comfy_mcp.host import Absent, Ended, Pending, Running, Sighting
from comfy_mcp.host.standing import Worker
from comfy_mcp.jobs.record import result_of
from comfy_mcp.jobs.show import ELSEWHERE
from comfy_mcp.jobs.table import ends
from comfy_mcp.permit import StopPermit
from comfy_mcp.store.protocol import JobRow

if TYPE_CHECKING:
    from comfy_mcp.jobs.desk import Desk

__all__ = ["Outcome", "StopReport", "stop"]

Outcome = Literal["cancelled", "already_finished", "still_running", "not_found"]

AGAIN = (0.3, 0.7, 1.0, 2.0)
"""Seconds until the order is sent again; the last one repeats."""

DEAF_TURNS = 3
"""After so many orders without effect ComfyUI is asked whether it works at all."""

OTHERS_SECONDS = 8.0
"""How long somebody else who is stopping the job is given to write down what became of it."""

LOOKS = (0.02, 0.05, 0.1, 0.25)
"""Seconds between looks; the last one repeats."""


@dataclass(frozen=True, slots=True)
class StopReport:
    """*was* is pending, in_progress or the final status; *actions* are the requests sent."""

    outcome: Outcome
    was: str
    actions: tuple[str, ...]
    took_ms: int


@dataclass(slots=True)
class _Attempt:
    """One effort to stop a job; *first* is how it was found, *seen* how it is now.

    *epoch* is the host's at the beginning.
    """

    jobs: Desk
    prompt_id: str
    permit: StopPermit
    seconds: float
    row: JobRow | None
    first: Sighting
    seen: Sighting
    epoch: int
    ran: bool = False
    sent: Counter[str] = field(default_factory=Counter[str])

    @property
    def coming(self) -> bool:
        """Whether it was sent to ComfyUI, which does not show it yet."""
        submitting = self.row is not None and self.row.status == "submitting"
        return submitting and isinstance(self.seen, Absent)

    async def run(self) -> None:
        """Ask and look until the job is gone or the time is over."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.seconds
        await self._appear(deadline)
        if self.row is not None and isinstance(self.seen, Pending):
            # Written first: whoever misses the job in the queue must know that it was taken out.
            await self.jobs.store.move_job(self.prompt_id, "stopping", self.jobs.now_ms())
        turn = 0
        while isinstance(self.seen, Pending | Running):
            pause = AGAIN[min(turn, len(AGAIN) - 1)]
            try:
                await self._once(min(loop.time() + pause, deadline))
            except (HostUnreachable, HostTimeout):
                # Away for a moment, perhaps to be restarted: what was begun is not left undone.
                if loop.time() + pause >= deadline:
                    raise
                await asyncio.sleep(pause)
            turn += 1
            if loop.time() >= deadline or (turn >= DEAF_TURNS and await self._is_dead()):
                break

    async def _once(self, until: float) -> None:
        self.ran = self.ran or isinstance(self.seen, Running)
        self.sent.update(await self.jobs.host.stop(self.prompt_id, self.permit))
        await self._look_until(until)

    async def _appear(self, deadline: float) -> None:
        """A submit whose answer was lost may come in late: then it is stopped, too."""
        loop = asyncio.get_running_loop()
        while self.coming and loop.time() < deadline:
            await asyncio.sleep(LOOKS[-1])
            self.row = await self.jobs.store.job(self.prompt_id)
            self.seen = await self.jobs.host.look(self.prompt_id)
            self.first = self.seen

    async def _is_dead(self) -> bool:
        """Whether asking is in vain: ComfyUI's worker died, and only a restart helps."""
        return await self.jobs.host.worker() is Worker.DEAD

    async def _look_until(self, when: float) -> None:
        loop = asyncio.get_running_loop()
        for turn in range(1_000):
            await self._look()
            if not isinstance(self.seen, Pending | Running) or loop.time() >= when:
                return
            pause = LOOKS[min(turn, len(LOOKS) - 1)]
            await asyncio.sleep(max(0.0, min(pause, when - loop.time())))

    async def _look(self) -> None:
        self.seen = await self.jobs.host.look(self.prompt_id)
        if isinstance(self.seen, Absent) and self.ran:
            # Finished jobs enter the history a moment after they leave the queue's view.
            await asyncio.sleep(0.25)
            self.seen = await self.jobs.host.look(self.prompt_id)


async def stop(jobs: Desk, prompt_id: str, permit: StopPermit, *, seconds: float) -> StopReport:
    """Stop *prompt_id*, pending or running, within *seconds*, and look whether it did stop.

    Raises:
        HostError: ComfyUI cannot be asked, or cannot do it without hitting other jobs.
        PermitError: *permit* is for another job or out of date.
    """
    began = jobs.now_ms()
    row = await jobs.store.job(prompt_id)
    if row is not None and row.host != jobs.label:
        raise HostRejected(ELSEWHERE, kind="other_host")
    if row is not None and ends(row.status):
        return StopReport("already_finished", row.status, (), jobs.now_ms() - began)
    epoch = jobs.host.epoch
    first = await jobs.judge.look(prompt_id, row)
    if row is not None and isinstance(first, Absent):
        row = await _as_others_left_it(jobs, row, seconds)
        if row.status == "cancelled":
            # Somebody else was quicker to take it out of the queue, and it was to leave it.
            return StopReport("cancelled", "pending", (), jobs.now_ms() - began)
    attempt = _Attempt(jobs, prompt_id, permit, seconds, row, first, first, epoch)
    if attempt.coming or isinstance(first, Pending | Running):
        await _shielded(attempt)
    actions = tuple(
        name if count == 1 else f"{name} x{count}" for name, count in attempt.sent.items()
    )
    outcome = _outcome(attempt, attempt.first)
    return StopReport(outcome, _word(attempt.first), actions, jobs.now_ms() - began)


async def _as_others_left_it(jobs: Desk, row: JobRow, seconds: float) -> JobRow:
    """The row of a job that is gone; whoever is taking it out of the queue is waited for."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + min(seconds, OTHERS_SECONDS)
    while True:
        row = await jobs.store.job(row.prompt_id) or row
        if row.status != "stopping" or loop.time() >= deadline:
            return row
        await asyncio.sleep(LOOKS[-1])
        await jobs.judge.look(row.prompt_id, row)


async def _shielded(attempt: _Attempt) -> None:
    """A stop that was begun is finished and written down, also if nobody waits for it any more."""

    async def work() -> None:
        try:
            await attempt.run()
        finally:
            await _write_down(attempt)

    task = asyncio.ensure_future(work())
    attempt.jobs.keep(task)
    await asyncio.shield(task)


async def _write_down(attempt: _Attempt) -> None:
    row = await attempt.jobs.store.job(attempt.prompt_id)
    if row is None or attempt.coming:
        return
    if isinstance(attempt.seen, Ended):
        await attempt.jobs.judge.settle(row, attempt.seen.outcome, result_of(attempt.seen))
    elif isinstance(attempt.seen, Absent):
        attempt.ran = attempt.ran or row.running_ms is not None
        judge = attempt.jobs.judge
        if attempt.ran:
            await judge.lose(row)
        else:
            await judge.left(row, epoch=attempt.epoch)


def _outcome(attempt: _Attempt, first: Sighting) -> Outcome:
    match attempt.seen:
        case Ended(outcome=outcome):
            mine = outcome == "cancelled" and not isinstance(first, Ended)
            return "cancelled" if mine else "already_finished"
        case Absent():
            gone = isinstance(first, Absent) or attempt.ran
            return "not_found" if gone else "cancelled"
        case Pending() | Running():
            return "still_running"


def _word(seen: Sighting) -> str:
    match seen:
        case Pending():
            return "pending"
        case Running():
            return "in_progress"
        case Ended(outcome=outcome):
            return outcome
        case Absent():
            return "not_found"
