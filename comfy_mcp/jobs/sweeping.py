"""Several jobs that belong together: sent in order, waited for, looked at, stopped as a whole."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from comfy_mcp.errors import (
    AnswerLost,
    ComfyMCPError,
    HostBusy,
    HostError,
    HostRejected,
    StateError,
)
from comfy_mcp.host import Pending, Running, Sighting
from comfy_mcp.jobs.clear import clear
from comfy_mcp.jobs.job import Job
from comfy_mcp.jobs.record import REFUSAL
from comfy_mcp.jobs.show import elsewhere, from_journal, from_live
from comfy_mcp.jobs.stop import stop
from comfy_mcp.jobs.table import ends
from comfy_mcp.permit import StopPermit, SubmitPermit
from comfy_mcp.store.protocol import JobRow
from comfy_mcp.workflow import Graph

if TYPE_CHECKING:
    from comfy_mcp.jobs.manager import Jobs

__all__ = ["Ready", "Told", "look", "send", "stop_all", "wait_all"]

log = logging.getLogger(__name__)

LONGEST = 60.0
"""Seconds for sending: other processes take a job that never comes for lost after some more."""

TROUBLES = 2
"""So many in a row that are the host's, not a graph's, and the rest is not sent."""

AT_ONCE = 8
STOPS_AT_ONCE = 4

NOT_SENT = "It was not sent, because ComfyUI could not take the runs before it: {why}"
STOPPED = "It was not sent: {why}"
RECALL = "recall"
"""Noted with a job that another process is to send, and is to send no more."""

TOO_LATE = "It was not sent, because sending the runs before it took too long."
ENDED = "It was not sent, because this server was stopped."

Told = Callable[[int, float], Awaitable[None]]
"""Told how many have ended, and how much of one more is done (0 to 1)."""


@dataclass(frozen=True, slots=True)
class Ready:
    """One run that was let through; *drawn* is for the agent, as `Jobs.submit` takes it."""

    graph: Graph
    prompt_id: str
    permit: SubmitPermit
    drawn: tuple[str, ...] = ()


async def send(
    jobs: Jobs,
    runs: Sequence[Ready],
    grant: str,
    note: Callable[[int, str], None],
    withdrawn: Callable[[], Awaitable[str | None]],
) -> None:
    """Queue *runs* in their order; *note* hears of each that failed: its index and error's code.

    A graph that ComfyUI refuses stops no other. If ComfyUI cannot be reached, the rest is given
    back, each with the reason, and so it is if this task is cancelled, or once *withdrawn* says
    that nothing more may be sent, and why.
    """
    waiting = {run.prompt_id: index for index, run in enumerate(runs)}
    jobs.unsent.update(waiting)
    why, left = ENDED, dict(waiting)
    try:
        why = await _send(jobs, runs, grant, note, withdrawn, left=left)
    finally:
        rest = [one for one in left if one in jobs.unsent]
        jobs.unsent.difference_update(left)
        for prompt_id in rest:
            note(left[prompt_id], HostError.code)
        if rest:
            work = jobs.spawn(_give_back(jobs, rest, why))
            await asyncio.shield(work)


async def _send(
    jobs: Jobs,
    runs: Sequence[Ready],
    grant: str,
    note: Callable[[int, str], None],
    withdrawn: Callable[[], Awaitable[str | None]],
    *,
    left: dict[str, int],
) -> str:
    """Takes out of *left* what was dealt with; why the rest was not sent."""
    loop = asyncio.get_running_loop()
    deadline, troubles = loop.time() + LONGEST, 0
    for index, run in enumerate(runs):
        if loop.time() > deadline:
            return TOO_LATE
        if index and (why := await withdrawn()) is not None:
            return STOPPED.format(why=why)
        for one in left:
            # They come in later than others that were admitted now, and are not lost for that.
            jobs.judge.sends(one)
        del left[run.prompt_id]
        if run.prompt_id not in jobs.unsent:
            note(index, "cancelled")
            continue
        jobs.unsent.discard(run.prompt_id)
        if await _recalled(jobs, run.prompt_id):
            note(index, "cancelled")
            continue
        try:
            await jobs.submit(
                run.graph, prompt_id=run.prompt_id, grant=grant, permit=run.permit, drawn=run.drawn
            )
        except ComfyMCPError as error:
            note(index, error.code)
            of_graph = isinstance(error, HostRejected) and not isinstance(error, HostBusy)
            troubles = 0 if of_graph else troubles + 1
            if troubles >= TROUBLES or not isinstance(error, HostRejected | AnswerLost):
                return NOT_SENT.format(why=error)
        else:
            troubles = 0
    return ENDED


async def _recalled(jobs: Jobs, prompt_id: str) -> bool:
    """Whether somebody in another process has stopped what was not sent yet; written down."""
    row = await jobs.store.job(prompt_id)
    if row is None or not (row.result.get(RECALL) or ends(row.status)):
        return False
    await jobs.judge.settle(row, "cancelled", {}, never_ran=True)
    return True


async def _give_back(jobs: Jobs, prompt_ids: Sequence[str], why: str) -> None:
    """Slots and budgets of jobs that nobody will send."""
    for prompt_id in prompt_ids:
        try:
            await jobs.store.move_job(prompt_id, "refused", jobs.now_ms(), result={REFUSAL: why})
        except StateError:
            log.exception("Job %s was not sent, but that could not be written down.", prompt_id)


async def wait_all(
    jobs: Jobs, rows: Sequence[JobRow], grant: str, seconds: float, tell: Told
) -> None:
    """Until all of *rows* have ended, or *seconds* are over.

    Raises:
        StateError: the journal cannot be read.
    """
    open_ = [row.prompt_id for row in rows if not ends(row.status)]
    if not open_ or seconds <= 0:
        return
    done = len(rows) - len(open_)

    async def one(prompt_id: str) -> None:
        async def heard(live: object) -> None:
            percent = getattr(live, "percent", 0.0)
            if getattr(live, "status", "") == "in_progress":
                await tell(done, percent / 100)

        await jobs.wait(prompt_id, grant, seconds + LONGEST, heard)

    tasks = [asyncio.ensure_future(one(prompt_id)) for prompt_id in open_]
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                for next_ in asyncio.as_completed(tasks):
                    await next_
                    done += 1
                    await tell(done, 0.0)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def look(jobs: Jobs, rows: Sequence[JobRow], grant: str) -> tuple[list[Job], str | None]:
    """Each of *rows* as it stands now; and why ComfyUI could not be asked, if it could not.

    One look at the queue; only what is in it no more is looked for by itself.

    Raises:
        StateError: the journal cannot be read.
    """
    if any(row.host != jobs.label for row in rows):
        return [elsewhere(row, grant) for row in rows], None
    open_ = [row for row in rows if not ends(row.status) and row.prompt_id not in jobs.unsent]
    for row in open_:
        jobs.judge.recall(row)
    places: dict[str, Sighting] = {}
    trouble: str | None = None
    if open_:
        try:
            view = await jobs.host.queue()
        except HostError as error:
            trouble = str(error)
        else:
            places = {one.prompt_id: Running() for one in view.running}
            places |= {one.prompt_id: Pending(at) for at, one in enumerate(view.pending, 1)}
    few = asyncio.Semaphore(AT_ONCE)

    async def one(row: JobRow) -> Job:
        now_ms = jobs.now_ms()
        if ends(row.status):
            return from_journal(row, grant, jobs.host, now_ms)
        if trouble is not None or row.prompt_id in jobs.unsent or row.prompt_id in places:
            return from_live(row, grant, places.get(row.prompt_id), None, now_ms)
        async with few:
            return await jobs.get(row.prompt_id, grant)

    return list(await asyncio.gather(*map(one, rows))), trouble


async def stop_all(
    jobs: Jobs, rows: Sequence[JobRow], grant: str, permit: StopPermit, *, seconds: float
) -> list[str]:
    """Stop all of *rows*: what waits first, then what runs; what could not be asked, in words.

    Raises:
        HostError: ComfyUI cannot be asked.
        StateError: the journal cannot be used.
        PermitError: *permit* is not for all of them.
    """
    prompt_ids = tuple(row.prompt_id for row in rows)
    for row in rows:
        if row.prompt_id in jobs.unsent:
            # From here on nobody sends it.
            jobs.unsent.discard(row.prompt_id)
            await jobs.judge.settle(row, "cancelled", {}, never_ran=True)
        elif row.status == "submitting":
            # Whoever sends it looks first. If it was sent just now, it appears and is stopped.
            note = {**row.result, RECALL: True}
            await jobs.store.move_job(row.prompt_id, row.status, jobs.now_ms(), result=note)
    await clear(jobs, grant, permit, prompt_ids)
    few = asyncio.Semaphore(STOPS_AT_ONCE)
    troubles: list[str] = []

    async def one(prompt_id: str) -> None:
        row = await jobs.store.job(prompt_id)
        if row is None or ends(row.status):
            return
        async with few:
            try:
                await stop(jobs, prompt_id, permit, seconds=seconds)
            except HostError as error:
                troubles.append(str(error))

    await asyncio.gather(*map(one, prompt_ids))
    return list(dict.fromkeys(troubles))
