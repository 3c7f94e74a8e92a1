"""Requests to people, inside one transaction: how they stand, and every write to them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from comfy_mcp.errors import StateError
from comfy_mcp.store.asked import (
    APPROVED,
    CALL,
    MOVES,
    PENDING,
    SPENT,
    ApprovalRow,
)
from comfy_mcp.store.journal import LARGEST

if TYPE_CHECKING:
    import sqlite3

    from comfy_mcp.store.asked import NewApproval, Spend

__all__ = [
    "Written",
    "add",
    "decide",
    "find",
    "is_usable",
    "listed",
    "mark",
    "pending",
    "prune",
    "spend",
    "standing",
    "status",
]

_KEPT_MS = 90 * 86_400_000
"""How long after its end a request is kept; the audit log keeps its story for ever."""

_PRUNED_AT_ONCE = 16

_ASSURED = {"operator": frozenset({"operator"}), "client": frozenset({"operator", "client"})}
"""Whose yes is good enough where one of this assurance is demanded."""

_STATUS = """
    CASE WHEN status IN ('pending', 'approved') AND expires_ms <= :now_ms
        THEN 'expired' ELSE status END
"""
_COLUMNS = f"""
    approval_id, kind, owner, host, tool, matched, effect, policy, payload, facts, channel, client,
    {_STATUS}, created_ms, expires_ms, decided_ms, ruling, decision_id, prompt_id, id
"""
_ADD = """
    INSERT INTO approvals (
        approval_id, kind, owner, host, tool, matched, effect, policy, channel, client,
        status, created_ms, expires_ms, told, ruling, facts, payload
    ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?, ?, '{}', ?, ?)
"""
_DECIDE = """
    UPDATE approvals SET status = :status, decided_ms = :now_ms, ruling = :ruling, told = :told,
        effect = coalesce(:effect, effect), facts = coalesce(:facts, facts),
        payload = coalesce(:payload, payload)
    WHERE id = :id
"""
_SPEND = """
    UPDATE approvals SET status = 'spent', decision_id = :decision_id, prompt_id = :prompt_id,
        told = :told
    WHERE id = :id
"""
_ONE = "approval_id = :approval_id AND (:owner IS NULL OR owner = :owner)"
_FIND = f"SELECT {_COLUMNS} FROM approvals WHERE {_ONE}"  # noqa: S608 - our own words
_STATUS_OF = f"SELECT {_STATUS} FROM approvals WHERE {_ONE}"  # noqa: S608 - our own words
_STANDING = f"""
    SELECT {_COLUMNS} FROM approvals
    WHERE owner = :owner AND host = :host AND kind = :kind AND matched = :matched
        AND status IN ('pending', 'approved', 'denied') AND expires_ms > :now_ms
    ORDER BY id DESC LIMIT 1
"""  # noqa: S608 - our own words
_IN_FORCE = """
    FROM approvals INDEXED BY approvals_live
    WHERE status IN ('pending', 'approved') AND expires_ms > :now_ms
"""
_PENDING = f"SELECT count(*) {_IN_FORCE} AND owner = :owner AND status = 'pending'"
_MARK = f"""
    SELECT coalesce((SELECT max(told) FROM approvals), 0), count(*) {_IN_FORCE}
"""  # noqa: S608 - our own words
_OF_ALL, _OF_ONE, _LIVE = (
    f"""
        SELECT {_COLUMNS} {which}
        AND id < :before AND {_STATUS} IN (SELECT value FROM json_each(:statuses))
        ORDER BY id DESC LIMIT :count
    """  # noqa: S608 - our own words
    for which in (
        "FROM approvals WHERE true",
        "FROM approvals WHERE owner = :owner",
        f"{_IN_FORCE} AND (:owner IS NULL OR owner = :owner)",
    )
)
"""Three statements, so that each is answered from an index of its own."""

# Ids grow with time, so the oldest rows are the first ones and nothing has to be searched.
_PRUNE = """
    DELETE FROM approvals WHERE expires_ms <= ? AND id IN (
        SELECT id FROM approvals ORDER BY id LIMIT ?
    )
"""


class Written(NamedTuple):
    """What is written of a ruling: its status, and canonical JSON (None: it stays as it is)."""

    status: str
    ruling: str
    effect: str | None = None
    facts: str | None = None
    payload: str | None = None


def add(
    connection: sqlite3.Connection,
    new: NewApproval,
    facts: str,
    payload: str,
    *,
    now_ms: int,
    told: int,
) -> None:
    """Write a request that is pending from now on; *told* is the number of its audit row."""
    who = (new.approval_id, new.kind, new.grant, new.host, new.tool)
    what = (new.match, new.effect, new.policy, new.channel, new.client)
    times = (now_ms, now_ms + new.lives_ms)
    connection.execute(_ADD, (*who, *what, *times, told, facts, payload))


def decide(
    connection: sqlite3.Connection, row: ApprovalRow, to: Written, now_ms: int, told: int
) -> None:
    """Write what somebody decided about *row*, which has to be able to move there."""
    values = {"id": row.seq, "now_ms": now_ms, "told": told}
    connection.execute(_DECIDE, {**values, **to._asdict()})


def spend(
    connection: sqlite3.Connection,
    row: ApprovalRow,
    decision_id: str,
    prompt_id: str | None,
    told: int,
) -> None:
    """Write what *row* was used for; it is never used again."""
    values = {"decision_id": decision_id, "prompt_id": prompt_id, "told": told}
    connection.execute(_SPEND, {**values, "id": row.seq})


def is_usable(row: ApprovalRow, wanted: Spend, host: str | None) -> bool:
    """Whether *row* is a yes to exactly what is *wanted*; *host* None: of no particular one."""
    return (
        row.kind == CALL
        and SPENT in MOVES.get(row.status, ())
        and (row.effect, row.policy) == (wanted.effect, wanted.policy)
        and host in (None, row.host)
        and row.by.get("assurance") in _ASSURED.get(wanted.assurance, ())
    )


def prune(connection: sqlite3.Connection, now_ms: int) -> None:
    """Forget more requests than one call brings, all of which ended long ago."""
    connection.execute(_PRUNE, (now_ms - _KEPT_MS, _PRUNED_AT_ONCE))


def find(
    connection: sqlite3.Connection, now_ms: int, approval_id: str, grant: str | None = None
) -> ApprovalRow | None:
    """The request of that id, of *grant* if it is given."""
    asked = {"now_ms": now_ms, "approval_id": approval_id, "owner": grant}
    row = connection.execute(_FIND, asked).fetchone()
    return None if row is None else _approval(row)


def status(
    connection: sqlite3.Connection, now_ms: int, approval_id: str, grant: str | None
) -> str | None:
    """As `find`, the status only: nothing long is read."""
    asked = {"now_ms": now_ms, "approval_id": approval_id, "owner": grant}
    row = connection.execute(_STATUS_OF, asked).fetchone()
    return None if row is None else str(row[0])


def standing(
    connection: sqlite3.Connection, now_ms: int, *, grant: str, host: str, kind: str, match: str
) -> ApprovalRow | None:
    """The request that stands for what is asked: pending, approved or denied, not expired."""
    asked = {"now_ms": now_ms, "owner": grant, "host": host, "kind": kind, "matched": match}
    row = connection.execute(_STANDING, asked).fetchone()
    return None if row is None else _approval(row)


def pending(connection: sqlite3.Connection, now_ms: int, grant: str) -> int:
    """How many requests of *grant* wait for an answer."""
    asked = {"now_ms": now_ms, "owner": grant}
    return int(connection.execute(_PENDING, asked).fetchone()[0])


def mark(connection: sqlite3.Connection, now_ms: int) -> tuple[int, int]:
    """The audit row of the last move, and how many requests may still move."""
    last, live = connection.execute(_MARK, {"now_ms": now_ms}).fetchone()
    return int(last), int(live)


def listed(
    connection: sqlite3.Connection,
    now_ms: int,
    *,
    grant: str | None,
    statuses: frozenset[str] | None,
    before: int | None,
    count: int,
) -> tuple[ApprovalRow, ...]:
    """At most *count* requests with one of *statuses*, newest first, *before* the row's number."""
    wanted = frozenset(MOVES) if statuses is None else statuses
    asked = {
        "now_ms": now_ms,
        "owner": grant,
        "before": LARGEST if before is None else before,
        "statuses": json.dumps(sorted(wanted)),
        "count": max(0, count),
    }
    whose = _OF_ALL if grant is None else _OF_ONE
    query = _LIVE if wanted <= {PENDING, APPROVED} else whose
    return tuple(_approval(row) for row in connection.execute(query, asked))


def _approval(row: tuple[Any, ...]) -> ApprovalRow:
    """A row of `_COLUMNS`; what is JSON in it is read.

    Raises:
        StateError: somebody edited it.
    """
    try:
        payload, facts, ruling = (_object(text) for text in (row[8], row[9], row[16]))
    except (TypeError, ValueError, RecursionError) as exc:
        raise StateError(
            f"The request {row[0]} is not JSON any more: somebody edited it in the state. "
            "Keep the folder as evidence and put back a copy."
        ) from exc
    said = (ruling.get("by", {}), ruling.get("reason", ""), ruling.get("changes", {}))
    values: list[Any] = [*row[:8], payload, facts, *row[10:16], *said, *row[17:]]
    return ApprovalRow(*values)


def _object(text: str) -> dict[str, Any]:
    value: Any = json.loads(text)
    if not isinstance(value, dict):
        raise TypeError(f"{text[:20]!r} is no object")
    return cast("dict[str, Any]", value)
