"""The jobs that were submitted through this state, inside one transaction."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from comfy_mcp.store.arithmetic import nearest_rank
from comfy_mcp.store.protocol import FINAL, JobRow, NewJob, SlotCap

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

__all__ = [
    "Moved",
    "Place",
    "add",
    "estimate",
    "find",
    "keyed",
    "listed",
    "move",
    "note",
    "of_sweep",
    "owned",
    "slots_used",
    "unfinished",
]

_COLUMNS = """
    prompt_id, owner, host, workflow, digest, decision_id, status, created_ms, changed_ms, result,
    shape, cap_ms, cap_rule, running_ms, gpu_ms, key, request, id,
    CASE WHEN open = 1 THEN progress END, sweep, place
"""
_RESULT = 9
_PROGRESS = 18

_ADD = """
    INSERT INTO jobs (
        prompt_id, owner, host, workflow, digest, shape, cap_ms, cap_rule, key, request,
        sweep, place, decision_id, created_ms, changed_ms, status, result, open
    ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'submitting', '{}', 1)
"""
_OPEN = "SELECT id, decision_id, sweep FROM jobs WHERE prompt_id = ? AND open = 1"
_MOVE = """
    UPDATE jobs SET status = :status, open = :open, changed_ms = :now_ms,
        result = coalesce(:result, result), gpu_ms = :gpu_ms,
        running_ms = CASE :status
            WHEN 'in_progress' THEN coalesce(running_ms, :now_ms) ELSE running_ms
        END
    WHERE id = :id
"""
_NOTE = "UPDATE jobs SET progress = ? WHERE prompt_id = ? AND open = 1"
_FIND = f"SELECT {_COLUMNS} FROM jobs WHERE prompt_id = ?"  # noqa: S608 - our own words
_UNFINISHED = f"""
    SELECT {_COLUMNS} FROM jobs
    WHERE host = :host AND open = 1 AND (:owner IS NULL OR owner = :owner) ORDER BY id
"""  # noqa: S608 - our own words
_KEYED = f"""
    SELECT {_COLUMNS} FROM jobs
    WHERE host = ? AND owner = ? AND key = ? AND key <> '' AND status <> 'refused'
"""  # noqa: S608 - our own words
_OF_ALL = "host = :host"
_OF_ONE = "host = :host AND owner = :owner"
_LISTED = {
    whose: f"""
        SELECT {_COLUMNS} FROM jobs
        WHERE {whose} AND id < :before AND status IN (SELECT value FROM json_each(:statuses))
        ORDER BY id DESC LIMIT :count
    """  # noqa: S608 - our own words
    for whose in (_OF_ALL, _OF_ONE)
}
"""Two statements, so that each is answered from an index of its own."""

_OF_SWEEP = f"SELECT {_COLUMNS} FROM jobs WHERE sweep = ? AND sweep <> '' ORDER BY place"  # noqa: S608 - our own words
_OWNED = """
    SELECT prompt_id FROM jobs
    WHERE owner = :owner AND prompt_id IN (SELECT value FROM json_each(:prompt_ids))
"""
_USED = "SELECT count(*) FROM jobs WHERE host = ? AND owner = ? AND open = 1"
_LAST_TIMES = """
    SELECT gpu_ms FROM jobs
    WHERE host = ? AND shape = ? AND status = 'completed' AND gpu_ms IS NOT NULL
    ORDER BY id DESC LIMIT 20
"""
_SLOWEST_BUT_ONE = 95

LARGEST = 2**63 - 1
"""No row has a higher number."""


class Moved(NamedTuple):
    """A job whose status was written: its row's number, the decision that let it in, its sweep."""

    id: int
    decision_id: str
    sweep: str


class Place(NamedTuple):
    """Where in which sweep a job stands, from 0; of no sweep as it is."""

    sweep: str = ""
    place: int = 0


def add(
    connection: sqlite3.Connection,
    job: NewJob,
    decision_id: str,
    now_ms: int,
    place: Place,
) -> int:
    """Write a job that is about to be submitted; it holds a slot from now on. The row's number."""
    who = (job.prompt_id, job.grant, job.host, job.workflow, job.digest)
    what = (job.shape, job.cap_ms, job.cap_rule, job.key, job.request)
    row = connection.execute(_ADD, (*who, *what, *place, decision_id, now_ms, now_ms))
    return int(row.lastrowid or 0)


def move(
    connection: sqlite3.Connection,
    prompt_id: str,
    status: str,
    now_ms: int,
    *,
    result: str | None,
    gpu_ms: int | None,
) -> Moved | None:
    """Write a job's new status; None if there is no such job or its status is final."""
    row = connection.execute(_OPEN, (prompt_id,)).fetchone()
    if row is None:
        return None
    moved = Moved(*row)
    values = {"result": result, "gpu_ms": gpu_ms, "now_ms": now_ms, "id": moved.id}
    connection.execute(_MOVE, {**values, "status": status, "open": int(status not in FINAL)})
    return moved


def note(connection: sqlite3.Connection, prompt_id: str, progress: str) -> None:
    """Write how far a job is, unless its status is final."""
    connection.execute(_NOTE, (progress, prompt_id))


def slots_used(connection: sqlite3.Connection, cap: SlotCap) -> int:
    """How many jobs hold a slot that *cap* counts."""
    return int(connection.execute(_USED, (cap.host, cap.grant)).fetchone()[0])


def find(connection: sqlite3.Connection, prompt_id: str) -> JobRow | None:
    """The job of that id."""
    row = connection.execute(_FIND, (prompt_id,)).fetchone()
    return None if row is None else _job(row)


def unfinished(connection: sqlite3.Connection, host: str, grant: str | None) -> tuple[JobRow, ...]:
    """The jobs on *host* without a final status, of *grant* or of all, oldest first."""
    rows = connection.execute(_UNFINISHED, {"host": host, "owner": grant})
    return tuple(_job(row) for row in rows)


def keyed(connection: sqlite3.Connection, host: str, grant: str, key: str) -> JobRow | None:
    """The job with that idempotency key, unless ComfyUI never took it."""
    row = connection.execute(_KEYED, (host, grant, key)).fetchone()
    return None if row is None else _job(row)


def of_sweep(connection: sqlite3.Connection, sweep_id: str) -> tuple[JobRow, ...]:
    """The jobs of a sweep, in their order."""
    return tuple(_job(row) for row in connection.execute(_OF_SWEEP, (sweep_id,)))


def owned(connection: sqlite3.Connection, grant: str, prompt_ids: Iterable[str]) -> frozenset[str]:
    """Those of *prompt_ids* that are jobs of *grant*."""
    values = {"owner": grant, "prompt_ids": json.dumps(sorted(set(prompt_ids)))}
    return frozenset(row[0] for row in connection.execute(_OWNED, values))


def listed(
    connection: sqlite3.Connection,
    *,
    host: str,
    grant: str | None,
    statuses: frozenset[str],
    before: int | None,
    count: int,
) -> tuple[JobRow, ...]:
    """At most *count* jobs with one of *statuses*, newest first, *before* the row's number."""
    values = {
        "host": host,
        "owner": grant,
        "before": LARGEST if before is None else before,
        "statuses": json.dumps(sorted(statuses)),
        "count": count,
    }
    query = _LISTED[_OF_ALL if grant is None else _OF_ONE]
    return tuple(_job(row) for row in connection.execute(query, values))


def estimate(connection: sqlite3.Connection, host: str, shape: str) -> int | None:
    """How many milliseconds jobs of *shape* took on *host*, the slowest of twenty left out."""
    if not shape:
        return None
    times = [row[0] for row in connection.execute(_LAST_TIMES, (host, shape))]
    return nearest_rank(times, _SLOWEST_BUT_ONE)


def _job(row: tuple[Any, ...]) -> JobRow:
    values = list(row)
    values[_RESULT] = json.loads(values[_RESULT])
    if values[_PROGRESS] is not None:
        values[_PROGRESS] = json.loads(values[_PROGRESS])
    return JobRow(*values)
