"""Taking all waiting jobs of one caller out of the queue: none that runs, and nobody else's."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from comfy_mcp.host import Absent, Ended, Pending, Running, Sighting
from comfy_mcp.jobs.lost import lost_note
from comfy_mcp.jobs.record import result_of
from comfy_mcp.jobs.table import ends
from comfy_mcp.permit import StopPermit
from comfy_mcp.store.protocol import JobRow

if TYPE_CHECKING:
    from comfy_mcp.jobs.manager import Jobs

__all__ = ["WAITING", "ClearReport", "clear"]

TURNS = 4
"""How often the order is sent: a job may stand in the queue twice."""

PAUSE = 0.2

AT_ONCE = 16

WAITING = frozenset({"pending", "stopping"})
"""Not those whose submit is under way: they may come in after the queue was cleared."""


@dataclass(frozen=True, slots=True)
class ClearReport:
    """*started* began to run before they could be taken out; *gone* had ended by themselves.

    *waiting* are still in the queue.
    """

    cleared: tuple[str, ...]
    started: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    took_ms: int = 0


async def clear(
    jobs: Jobs, grant: str, permit: StopPermit, prompt_ids: tuple[str, ...]
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
    waiting = [row for row in own if row.status in WAITING]
    task = asyncio.ensure_future(_clear(jobs, permit, waiting))
    # Begun is finished and written down, also if nobody waits for it any more.
    jobs.keep(task)
    seen = await asyncio.shield(task)

    def those(*kinds: type[Sighting]) -> tuple[str, ...]:
        return tuple(one for one, sight in seen.items() if isinstance(sight, kinds))

    gone = tuple(row.prompt_id for row in own if ends(row.status))
    return ClearReport(
        those(Absent), those(Running), gone + those(Ended), those(Pending), jobs.now_ms() - began
    )


async def _clear(jobs: Jobs, permit: StopPermit, rows: list[JobRow]) -> dict[str, Sighting]:
    for row in rows:
        # Written first: whoever misses the job in the queue must know that it was taken out.
        await jobs.store.move_job(row.prompt_id, "stopping", jobs.now_ms())
    seen: dict[str, Sighting] = {row.prompt_id: Pending(0) for row in rows}
    for turn in range(TURNS):
        left = [row for row in rows if isinstance(seen[row.prompt_id], Pending)]
        if not left:
            break
        if turn:
            await asyncio.sleep(PAUSE)
        await jobs.host.remove([row.prompt_id for row in left], permit)
        seen |= await _look_at(jobs, left)
    for row in rows:
        await _write_down(jobs, row, seen[row.prompt_id])
    return seen


async def _look_at(jobs: Jobs, rows: list[JobRow]) -> dict[str, Sighting]:
    few = asyncio.Semaphore(AT_ONCE)

    async def look(row: JobRow) -> tuple[str, Sighting]:
        async with few:
            return row.prompt_id, await jobs.host.look(row.prompt_id)

    return dict(await asyncio.gather(*map(look, rows)))


async def _write_down(jobs: Jobs, row: JobRow, seen: Sighting) -> None:
    fresh = await jobs.store.job(row.prompt_id) or row
    if isinstance(seen, Ended):
        await jobs.judge.settle(fresh, seen.outcome, result_of(seen))
    elif isinstance(seen, Absent):
        if fresh.running_ms is None:
            await jobs.judge.settle(fresh, "cancelled", {}, never_ran=True)
        else:
            await jobs.judge.settle(fresh, "lost", lost_note(jobs.judge.why_lost(fresh)))
    elif isinstance(seen, Running):
        await jobs.store.move_job(row.prompt_id, "in_progress", jobs.now_ms())
