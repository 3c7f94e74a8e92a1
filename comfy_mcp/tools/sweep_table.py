"""A sweep as one short table; pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from comfy_mcp.jobs.job import DROPPED, Job, Status

if TYPE_CHECKING:
    from comfy_mcp.store.protocol import SweepRow

__all__ = ["Sweep", "SweepRun", "as_table", "counted", "cursor_of"]

MOST_CHARS = 15_000
"""Of the rows of one answer, as JSON."""

MOST_VALUE = 80
MOST_NAMES = 12
MOST_OUTPUTS = 4
MOST_ERROR = 240
MOST_WARNING = 200
"""Of one row: a table is to be overlooked; get_job tells all."""


class SweepRun(BaseModel):
    """One run in a line."""

    model_config = ConfigDict(frozen=True)

    run: Annotated[int, Field(description="From 1")]
    changed: dict[str, Any] = {}
    prompt_id: str
    status: Status
    queue_position: int | None = None
    outputs: Annotated[list[str], Field(description="The first uris")] = []
    more_outputs: int | None = None
    error: Annotated[str | None, Field(description="get_job tells more")] = None
    warning: Annotated[str | None, Field(description="What ComfyUI left out")] = None


class Sweep(BaseModel):
    """Runs that were started together."""

    model_config = ConfigDict(frozen=True)

    sweep_id: str
    workflow: str
    runs: Annotated[int, Field(description="How many in all")]
    counts: Annotated[dict[str, int], Field(description="By status")]
    table: list[SweepRun]
    next_cursor: Annotated[str | None, Field(description="More: get_sweep with it")] = None
    warnings: list[str] = []
    next: Annotated[str | None, Field(description="What to do now")] = None


def counted(jobs: Sequence[Job]) -> dict[str, int]:
    """How many have each status."""
    return dict(Counter(job.status for job in jobs))


def cursor_of(text: str | None) -> int:
    """The index of the first row of a page."""
    return int(text) if text else 0


def as_table(
    row: SweepRow,
    jobs: Sequence[Job],
    changed: Sequence[Mapping[str, Any]],
    *,
    begin: int,
    warnings: Sequence[str],
) -> Sweep:
    """The rows from *begin* on, as many as fit into one answer."""
    table: list[SweepRun] = []
    room, end = MOST_CHARS, begin
    for at in range(begin, len(jobs)):
        one = _run(at, jobs[at], changed[at] if at < len(changed) else {})
        room -= len(json.dumps(one.model_dump(mode="json", exclude_none=True)))
        if table and room < 0:
            break
        table.append(one)
        end = at + 1
    return Sweep(
        sweep_id=row.sweep_id,
        workflow=row.workflow,
        runs=len(jobs),
        counts=counted(jobs),
        table=table,
        next_cursor=str(end) if end < len(jobs) else None,
        warnings=[one[:1000] for one in warnings],
    )


def _run(at: int, job: Job, changed: Mapping[str, Any]) -> SweepRun:
    uris = [output.uri for output in job.outputs]
    more = len(uris) - MOST_OUTPUTS
    return SweepRun(
        run=at + 1,
        changed={_cut(name): _short(value) for name, value in list(changed.items())[:MOST_NAMES]},
        prompt_id=job.prompt_id,
        status=job.status,
        queue_position=job.queue_position,
        outputs=uris[:MOST_OUTPUTS],
        more_outputs=more if more > 0 else None,
        error=_error(job),
        warning=_warning(job),
    )


def _error(job: Job) -> str | None:
    if job.error is None:
        return None
    node = f"node {job.error.node_id} ({job.error.node_type}): " if job.error.node_id else ""
    text = f"{node}{job.error.message}".strip()
    return _cut(text.splitlines()[0] if text else job.error.type, MOST_ERROR)


def _warning(job: Job) -> str | None:
    """The first output that ComfyUI dropped: a run that lacks one may well be completed."""
    dropped = (one for one in job.warnings if one.startswith(DROPPED))
    first = next(dropped, None)
    return None if first is None else _cut(" ".join(first.split()), MOST_WARNING)


def _short(value: object) -> object:
    return _cut(value) if isinstance(value, str) else value


def _cut(text: str, most: int = MOST_VALUE) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."
