"""Sweeps, inside one transaction: jobs that were admitted together, and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comfy_mcp.store import texts
from comfy_mcp.store.journal import LARGEST
from comfy_mcp.store.swept import NewSweep, SweepRow

if TYPE_CHECKING:
    import sqlite3

__all__ = ["add", "find", "give_back", "keyed", "listed", "text_of"]

_COLUMNS = "sweep_id, owner, host, workflow, decision_id, created_ms, key, request, id"
_ID = 8
_ADD = """
    INSERT INTO sweeps (sweep_id, owner, host, workflow, decision_id, created_ms, key, request)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_FIND = f"""
    SELECT {_COLUMNS} FROM sweeps WHERE sweep_id = :sweep_id AND (:owner IS NULL OR owner = :owner)
"""  # noqa: S608 - our own words
_KEYED = f"""
    SELECT {_COLUMNS} FROM sweeps WHERE host = ? AND owner = ? AND key = ? AND key <> ''
"""  # noqa: S608 - our own words
_LISTED = f"""
    SELECT {_COLUMNS} FROM sweeps WHERE host = ? AND owner = ? AND id < ?
    ORDER BY id DESC LIMIT ?
"""  # noqa: S608 - our own words
_JOBS = "SELECT prompt_id FROM jobs WHERE sweep = ? AND sweep <> '' ORDER BY place"
# A job that ComfyUI took keeps the key of its sweep, as it would keep one of its own.
_GIVE_BACK = """
    UPDATE sweeps SET key = '' WHERE sweep_id = :sweep_id AND NOT EXISTS (
        SELECT 1 FROM jobs WHERE sweep = :sweep_id AND sweep <> '' AND status <> 'refused'
    )
"""


def add(connection: sqlite3.Connection, sweep: NewSweep, decision_id: str, now_ms: int) -> int:
    """Write a sweep whose jobs are about to be written; the row's number."""
    who = (sweep.sweep_id, sweep.grant, sweep.host, sweep.workflow)
    row = connection.execute(_ADD, (*who, decision_id, now_ms, sweep.key, sweep.request))
    return int(row.lastrowid or 0)


def find(connection: sqlite3.Connection, sweep_id: str, grant: str | None) -> SweepRow | None:
    """The sweep of that id, of *grant* if it is given."""
    asked = {"sweep_id": sweep_id, "owner": grant}
    row = connection.execute(_FIND, asked).fetchone()
    return None if row is None else _whole(connection, row)


def keyed(connection: sqlite3.Connection, host: str, grant: str, key: str) -> SweepRow | None:
    """The sweep with that idempotency key."""
    row = connection.execute(_KEYED, (host, grant, key)).fetchone()
    return None if row is None else _whole(connection, row)


def listed(
    connection: sqlite3.Connection, *, host: str, grant: str, before: int | None, count: int
) -> tuple[SweepRow, ...]:
    """At most *count* sweeps, newest first, *before* the row's number; without data."""
    values = (host, grant, LARGEST if before is None else before, count)
    rows = connection.execute(_LISTED, values).fetchall()
    return tuple(_row(connection, row) for row in rows)


def give_back(connection: sqlite3.Connection, sweep_id: str) -> None:
    """Forget the key of a sweep of which ComfyUI took no job."""
    connection.execute(_GIVE_BACK, {"sweep_id": sweep_id})


def text_of(sweep: int) -> int:
    """What the sweep with this row number is among `texts`: never a job's number."""
    return -sweep


def _whole(connection: sqlite3.Connection, row: tuple[Any, ...]) -> SweepRow:
    return _row(connection, row, texts.find(connection, text_of(row[_ID])) or "")


def _row(connection: sqlite3.Connection, row: tuple[Any, ...], data: str = "") -> SweepRow:
    values: list[Any] = [*row, data, _jobs(connection, row[0])]
    return SweepRow(*values)


def _jobs(connection: sqlite3.Connection, sweep_id: str) -> tuple[str, ...]:
    return tuple(row[0] for row in connection.execute(_JOBS, (sweep_id,)))
