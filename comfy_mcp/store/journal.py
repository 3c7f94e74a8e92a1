"""The jobs that were submitted through this state, inside one transaction."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from comfy_mcp.store.protocol import FINAL, JobRow, NewJob, SlotCap

if TYPE_CHECKING:
    import sqlite3

__all__ = ["add", "find", "move", "slots_used", "unfinished"]

_ADD = """
    INSERT INTO jobs (
        prompt_id, owner, host, workflow, digest, decision_id, status, created_ms, changed_ms,
        result, open
    ) VALUES (?, ?, ?, ?, ?, ?, 'submitting', ?, ?, '{}', 1)
"""
_MOVE = """
    UPDATE jobs SET status = ?, open = ?, changed_ms = ?, result = coalesce(?, result)
    WHERE prompt_id = ? AND open = 1
"""
_FIND = """
    SELECT prompt_id, owner, host, workflow, digest, decision_id, status, created_ms, changed_ms,
        result
    FROM jobs WHERE prompt_id = ?
"""
_UNFINISHED = """
    SELECT prompt_id, owner, host, workflow, digest, decision_id, status, created_ms, changed_ms,
        result
    FROM jobs WHERE host = :host AND open = 1 AND (:owner IS NULL OR owner = :owner)
    ORDER BY id
"""
_USED = "SELECT count(*) FROM jobs WHERE host = ? AND owner = ? AND open = 1"


def add(connection: sqlite3.Connection, job: NewJob, decision_id: str, now_ms: int) -> None:
    """Write a job that is about to be submitted; it holds a slot from now on."""
    who = (job.prompt_id, job.grant, job.host, job.workflow, job.digest)
    connection.execute(_ADD, (*who, decision_id, now_ms, now_ms))


def move(
    connection: sqlite3.Connection, prompt_id: str, status: str, now_ms: int, result: str | None
) -> bool:
    """Write a job's new status; False if there is no such job or its status is final."""
    is_open = int(status not in FINAL)
    cursor = connection.execute(_MOVE, (status, is_open, now_ms, result, prompt_id))
    return cursor.rowcount == 1


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


def _job(row: tuple[Any, ...]) -> JobRow:
    values = [*row[:-1], json.loads(row[-1])]
    return JobRow(*values)
