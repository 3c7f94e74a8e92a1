"""The audit log inside one transaction: append, read, check a stretch."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from comfy_mcp.errors import StateError
from comfy_mcp.store import chain, head
from comfy_mcp.store.protocol import AuditRow

if TYPE_CHECKING:
    import sqlite3

__all__ = ["append", "rows", "tail", "walk"]

_BATCH = 500
_APPEND = "INSERT INTO audit (seq, at_ms, previous, hash, record) VALUES (?, ?, ?, ?, ?)"
_TAIL = """
    SELECT * FROM (
        SELECT seq, at_ms, previous, hash, record FROM audit ORDER BY seq DESC LIMIT :count
    ) ORDER BY seq
"""
_ROWS = """
    SELECT seq, at_ms, previous, hash, record FROM audit WHERE seq > :after
    ORDER BY seq LIMIT :count
"""
_WALK = """
    SELECT seq, CAST(at_ms AS TEXT), CAST(previous AS TEXT), CAST(hash AS TEXT),
        CAST(record AS TEXT)
    FROM audit WHERE seq >= ? ORDER BY seq LIMIT ?
"""
_FIRST = -(2**63)
"""Rows that somebody put in front of the first one are looked at, too."""


def append(connection: sqlite3.Connection, at: head.Head, record: str) -> head.Head:
    """Write *record* (canonical JSON) behind the last row, and return the new head."""
    seq = at.seq + 1
    hashed = chain.link(at.hash, seq, at.last_ms, record)
    connection.execute(_APPEND, (seq, at.last_ms, at.hash, hashed, record))
    return replace(at, seq=seq, hash=hashed)


def tail(connection: sqlite3.Connection, count: int) -> tuple[AuditRow, ...]:
    """The last *count* rows, oldest first.

    Raises:
        StateError: somebody edited one of them.
    """
    return _read(connection, _TAIL, {"count": max(0, count)})


def rows(connection: sqlite3.Connection, after: int, count: int) -> tuple[AuditRow, ...]:
    """At most *count* rows with a higher number than *after*, in order.

    Raises:
        StateError: somebody edited one of them.
    """
    return _read(connection, _ROWS, {"after": after, "count": max(0, count)})


def walk(connection: sqlite3.Connection, at: chain.Walk, kept: chain.Kept | None) -> chain.Walk:
    """Check the next rows of the log, and at its end that the head and *kept* agree."""
    found = connection.execute(_WALK, (at.rows + 1 if at.rows else _FIRST, _BATCH)).fetchall()
    for row in found:
        at = chain.step(at, chain.Link(*row), kept)
    if at.done or len(found) == _BATCH:
        return at
    fault = _fault_of_end(at, head.read(connection))
    if fault is None and kept is not None:
        fault = chain.missing(at, kept)
    return replace(at, done=True, fault=fault)


def _read(
    connection: sqlite3.Connection, query: str, values: dict[str, int]
) -> tuple[AuditRow, ...]:
    found = connection.execute(query, values).fetchall()
    try:
        return tuple(_audit_row(row) for row in found)
    except (TypeError, ValueError, RecursionError) as exc:
        raise StateError(
            "A row of the audit log is not JSON any more; "
            "`comfy-mcp-guard audit verify` says which row was edited."
        ) from exc


def _audit_row(row: tuple[Any, ...]) -> AuditRow:
    seq, at_ms, previous, hashed, record = row
    return AuditRow(seq, at_ms, previous, hashed, json.loads(record))


def _fault_of_end(at: chain.Walk, end: head.Head) -> str | None:
    if at.rows < end.seq:
        return f"row {at.rows + 1} is missing: the log was written up to row {end.seq}"
    if (at.rows, at.hash) != (end.seq, end.hash):
        return f"row {at.rows} is not the one that was written last"
    return None
