"""Many jobs in one short answer; pure, `comfy_mcp.jobs.lister` does the asking.

First those that run, then those that wait in the order in which they will run, then those that have
ended, newest first.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING, Annotated, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from comfy_mcp.errors import WorkflowError
from comfy_mcp.jobs.job import Status
from comfy_mcp.jobs.table import ends, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from comfy_mcp.host.standing import FinishedJob, Queued
    from comfy_mcp.store.values import JobRow

__all__ = [
    "ENDED",
    "After",
    "Cursor",
    "Entry",
    "JobPage",
    "ListedJob",
    "Viewer",
    "finished_entry",
    "page_of",
    "queued_entry",
    "read_cursor",
    "row_entry",
]

RANKS = {"in_progress": 0, "pending": 1}
"""What comes first; ended jobs are last."""

ENDED = 2

LAST = 1e300
"""The turn of what has no number: JSON has no infinity."""

Number = Annotated[float, Field(allow_inf_nan=False)]

_Parts = TypeAdapter(
    tuple[
        Annotated[int, Field(ge=0, le=2)],
        Number,
        Number,
        Annotated[str, Field(max_length=200)],
        Annotated[int, Field(ge=0, lt=2**63)] | None,
    ]
)
"""A cursor as JSON. Whoever hands one back may have written it."""


class ListedJob(BaseModel):
    """One job in a line."""

    model_config = ConfigDict(frozen=True)

    prompt_id: str
    status: Status
    owner: Literal["mine", "other agent", "human"] = "mine"
    workflow: Annotated[str | None, Field(description="Library name, or inline")] = None
    sweep_id: str | None = None
    queue_position: Annotated[int | None, Field(description="1 runs next")] = None
    age_s: Annotated[float | None, Field(description="Since it was submitted")] = None
    running_s: float | None = None


class JobPage(BaseModel):
    """Some jobs: what runs, what waits in run order, then what has ended, newest first."""

    model_config = ConfigDict(frozen=True)

    jobs: list[ListedJob]
    next_cursor: Annotated[str | None, Field(description="More: ask again with it")] = None
    warnings: list[str] = []


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks, and when: of others' jobs it sees only how they stand."""

    grant: str
    now_ms: int

    def age_s(self, since_ms: int) -> float:
        """Seconds since then."""
        return round(max(0, self.now_ms - since_ms) / 1000, 1)


@dataclass(frozen=True, slots=True, order=True)
class After:
    """Where a job stands among all: jobs that come later compare greater.

    *turn* is ComfyUI's number of a job that waits, and how new an ended one is; *tie* orders those
    of one moment as the journal does. They stay what they are while the queue moves, so that a page
    begun here neither repeats nor passes over a job.
    """

    rank: int
    turn: float
    tie: float
    prompt_id: str


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ends; *seq* is the number of the last row of the journal that it has shown."""

    after: After
    seq: int | None = None

    def text(self) -> str:
        """As a word that callers hand back."""
        after = self.after
        parts = [after.rank, after.turn, after.tie, after.prompt_id, self.seq]
        word = json.dumps(parts, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(word).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Entry:
    """A job and where it stands; *seq* is its row's number, None if the journal has none."""

    at: After
    job: ListedJob
    seq: int | None = None

    def at_position(self, position: int | None) -> Entry:
        """The same with its place in the queue."""
        return replace(self, job=self.job.model_copy(update={"queue_position": position}))


def read_cursor(text: str) -> Cursor:
    """Where the next page begins.

    Raises:
        WorkflowError: it is no cursor of ours.
    """
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        found = _Parts.validate_json(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, RecursionError) as error:
        raise WorkflowError(
            "That is no cursor of list_jobs. Take next_cursor of the page before, or leave it out."
        ) from error
    rank, turn, tie, prompt_id, seq = found
    return Cursor(After(rank, turn, tie, prompt_id), seq)


def queued_entry(
    job: Queued, status: Status, position: int | None, row: JobRow | None, who: Viewer
) -> Entry:
    """A job that runs or waits; *row* is what the journal has of it."""
    at = After(RANKS[status], job.number if isfinite(job.number) else LAST, 0, job.prompt_id)
    if row is not None:
        return replace(_of_row(row, status, who), at=at).at_position(position)
    created = job.created_ms
    told = ListedJob(
        prompt_id=job.prompt_id,
        status=status,
        owner="human",
        queue_position=position,
        age_s=None if created is None else who.age_s(created),
    )
    return Entry(at, told)


def row_entry(row: JobRow, who: Viewer) -> Entry:
    """A job as the journal has it."""
    status = cast("Status", "failed" if row.status == "refused" else shown(row.status))
    entry = _of_row(row, status, who)
    if ends(row.status):
        return entry
    return replace(entry, at=After(RANKS[status], LAST, row.seq, row.prompt_id))


def finished_entry(job: FinishedJob, who: Viewer) -> Entry:
    """A job that only ComfyUI remembers."""
    told = ListedJob(
        prompt_id=job.prompt_id,
        status=cast("Status", job.outcome),
        owner="human",
        age_s=None if job.created_ms is None else who.age_s(job.created_ms),
    )
    return Entry(After(ENDED, -float(job.created_ms or 0), 0, job.prompt_id), told)


def page_of(
    entries: Iterable[Entry], cursor: Cursor | None, limit: int, warnings: Iterable[str] = ()
) -> JobPage:
    """The first *limit* of *entries* that come after *cursor*, in order."""
    ordered = sorted(entries, key=lambda entry: entry.at)
    rest = [entry for entry in ordered if cursor is None or entry.at > cursor.after]
    taken = rest[:limit]
    more = None
    if len(rest) > limit:
        rows = [one.seq for one in taken if one.at.rank == ENDED and one.seq is not None]
        seq = rows[-1] if rows else (cursor.seq if cursor else None)
        more = Cursor(taken[-1].at, seq).text()
    return JobPage(jobs=[one.job for one in taken], next_cursor=more, warnings=list(warnings))


def _of_row(row: JobRow, status: Status, who: Viewer) -> Entry:
    mine = row.grant == who.grant
    told = ListedJob(
        prompt_id=row.prompt_id,
        status=status,
        owner="mine" if mine else "other agent",
        workflow=row.workflow if mine else None,
        sweep_id=(row.sweep or None) if mine else None,
        age_s=who.age_s(row.created_ms) if mine else None,
        running_s=_running_s(row, status, who) if mine else None,
    )
    return Entry(After(ENDED, -float(row.created_ms), -row.seq, row.prompt_id), told, row.seq)


def _running_s(row: JobRow, status: Status, who: Viewer) -> float | None:
    """How long it has run by now, or ran in all."""
    if ends(row.status):
        return None if row.gpu_ms is None else round(row.gpu_ms / 1000, 1)
    if status != "in_progress" or row.running_ms is None:
        return None
    return who.age_s(row.running_ms)
