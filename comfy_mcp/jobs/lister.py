"""Asking for many jobs at once: one look at ComfyUI's queue, and the journal's rows."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from comfy_mcp.errors import HostError
from comfy_mcp.jobs.listing import (
    ENDED,
    Cursor,
    Entry,
    JobPage,
    Viewer,
    finished_entry,
    page_of,
    queued_entry,
    read_cursor,
    row_entry,
)
from comfy_mcp.store.protocol import FINAL, JobRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from comfy_mcp.host.standing import QueueView
    from comfy_mcp.jobs.desk import Desk

__all__ = ["listed"]

MISSED = 20
"""Unfinished jobs that ComfyUI does not show, and that one list looks at."""

MISSED_SECONDS = 5.0

REMEMBERED = 200
"""Ended jobs that only ComfyUI knows, and that a list may show."""

LONGEST_ID = 64
"""Characters. ComfyUI before 0.25 takes any text for an id; longer ones are not told."""

_JOURNALED = {"failed": frozenset({"failed", "refused"})}
"""Words of callers for which the journal has more than one."""


async def listed(
    jobs: Desk,
    grant: str,
    *,
    statuses: frozenset[str],
    mine: bool,
    limit: int,
    cursor: str | None,
) -> JobPage:
    """A page of jobs; *statuses* empty means all.

    Raises:
        WorkflowError: *cursor* is none.
        StateError: the journal cannot be read.
    """
    begin = None if cursor is None else read_cursor(cursor)
    warnings: list[str] = []
    entries: list[Entry] = []
    if begin is None or begin.after.rank != ENDED:
        entries += await _alive(jobs, grant, mine=mine, warnings=warnings)
    entries += await _ended(jobs, grant, statuses, begin, mine=mine, count=limit + 1)
    if not mine and FINAL & _journaled(statuses):
        entries += await _remembered(jobs, Viewer(grant, jobs.now_ms()), warnings)
    if jobs.host.worker_died:
        warnings.append("ComfyUI's worker has died: no job will end until ComfyUI is restarted.")
    chosen = (one for one in entries if not statuses or one.job.status in statuses)
    return page_of(chosen, begin, limit, warnings)


async def _alive(jobs: Desk, grant: str, *, mine: bool, warnings: list[str]) -> list[Entry]:
    for row in await jobs.store.unfinished(host=jobs.label):
        jobs.judge.recall(row)
    who = Viewer(grant, jobs.now_ms())
    try:
        view = await jobs.host.queue()
    except HostError as error:
        warnings.append(f"Only what the journal knows: {error}")
        view = None
    # After the queue: a job that stands there was written down before it was sent.
    rows = await _unfinished(jobs, grant, mine=mine)
    if view is None:
        return [row_entry(row, who) for row in rows.values()]
    shown = {job.prompt_id for job in (*view.running, *view.pending)}
    missing = [row for row in rows.values() if row.prompt_id not in shown]
    await _look_for(jobs, missing)
    kept = await _unfinished(jobs, grant, mine=mine)
    rest = [row_entry(kept[row.prompt_id], who) for row in missing if row.prompt_id in kept]
    if mine:
        return [*_queued(view, rows, who, but=shown - rows.keys()), *rest]
    # What is in the journal and not open has ended since, and is told as that.
    strangers = [one for one in shown if one not in rows]
    ended = {one for one in strangers if await jobs.store.job(one) is not None}
    unfit = {one for one in strangers if len(one) > LONGEST_ID}
    return [*_queued(view, rows, who, but=ended | unfit), *rest]


def _queued(
    view: QueueView, rows: Mapping[str, JobRow], who: Viewer, *, but: set[str]
) -> Iterator[Entry]:
    for job in view.running:
        if job.prompt_id not in but:
            yield queued_entry(job, "in_progress", None, rows.get(job.prompt_id), who)
    for position, job in enumerate(view.pending, 1):
        if job.prompt_id not in but:
            yield queued_entry(job, "pending", position, rows.get(job.prompt_id), who)


async def _unfinished(jobs: Desk, grant: str, *, mine: bool) -> dict[str, JobRow]:
    rows = await jobs.store.unfinished(host=jobs.label, grant=grant if mine else None)
    return {row.prompt_id: row for row in rows}


async def _look_for(jobs: Desk, rows: list[JobRow]) -> None:
    """Jobs that are no longer in the queue have ended: whoever asks first writes that down."""

    async def look(row: JobRow) -> None:
        with suppress(HostError):
            await jobs.judge.look(row.prompt_id, row)

    with suppress(TimeoutError):
        async with asyncio.timeout(MISSED_SECONDS):
            await asyncio.gather(*map(look, rows[:MISSED]))


async def _ended(
    jobs: Desk,
    grant: str,
    statuses: frozenset[str],
    begin: Cursor | None,
    *,
    mine: bool,
    count: int,
) -> list[Entry]:
    wanted = _journaled(statuses)
    if not wanted:
        return []
    who = Viewer(grant, jobs.now_ms())
    rows = await jobs.store.jobs(
        jobs.label,
        grant=grant if mine else None,
        statuses=wanted,
        before=begin.seq if begin else None,
        count=count,
    )
    return [row_entry(row, who) for row in rows]


async def _remembered(jobs: Desk, who: Viewer, warnings: list[str]) -> list[Entry]:
    """Ended jobs that were not submitted through this journal."""
    for row in await jobs.store.jobs(jobs.label, count=REMEMBERED):
        jobs.judge.recall(row)
    try:
        told = await jobs.host.finished(REMEMBERED)
    except HostError:
        # The same trouble was told when the queue was asked for.
        return []
    if told is None:
        warnings.append("What has become of others' jobs is missing: ComfyUI gives no list of it.")
        return []
    fit = [job for job in told if len(job.prompt_id) <= LONGEST_ID]
    unknown = [job for job in fit if await jobs.store.job(job.prompt_id) is None]
    return [finished_entry(job, who) for job in unknown]


def _journaled(statuses: frozenset[str]) -> frozenset[str]:
    """The words of the journal for ended jobs of *statuses*; all of them for none."""
    if not statuses:
        return FINAL
    words = (_JOURNALED.get(word, frozenset({word})) for word in statuses)
    return frozenset(each for some in words for each in some) & FINAL
