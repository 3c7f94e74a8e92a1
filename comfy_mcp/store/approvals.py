"""Requests to people, inside one transaction: how they stand, and every write to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from comfy_mcp.store.asked import CALL, CLIENT, HOURLY, MOVES, OPERATOR, SPENT, ApprovalRow
from comfy_mcp.store.reading import COLUMNS, STATUS, of_row

if TYPE_CHECKING:
    import sqlite3

    from comfy_mcp.store.asked import NewApproval, Spend

__all__ = [
    "IN_FORCE",
    "NOTHING",
    "Written",
    "add",
    "decide",
    "find",
    "hour_left",
    "is_usable",
    "pending",
    "prune",
    "spend",
    "standing",
    "status",
]

NOTHING = "{}"
"""The payload of a request that gave its own up."""

_HOUR_MS = 3_600_000

_KEPT_MS = 90 * 86_400_000
"""How long after its end a request is kept; the audit log keeps its story for ever."""

_MOST_KEPT = 10_000
"""Of one grant. Who asks and takes back again and again does not fill the disk."""

_PRUNED_AT_ONCE = 16

_ASSURED = {OPERATOR: (OPERATOR,), CLIENT: (OPERATOR, CLIENT)}
"""Whose yes is good enough where one of this assurance is demanded."""

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
        told = :told, payload = '{}'
    WHERE id = :id
"""
_ONE = "approval_id = :approval_id AND (:owner IS NULL OR owner = :owner)"
_FIND = f"SELECT {COLUMNS} FROM approvals WHERE {_ONE}"  # noqa: S608 - our own words
_STATUS_OF = f"SELECT {STATUS} FROM approvals WHERE {_ONE}"  # noqa: S608 - our own words
_STANDING = f"""
    SELECT {COLUMNS} FROM approvals
    WHERE owner = :owner AND host = :host AND kind = :kind AND matched = :matched
        AND status IN ('pending', 'approved', 'denied') AND expires_ms > :now_ms
    ORDER BY id DESC LIMIT 1
"""  # noqa: S608 - our own words
IN_FORCE = """
    FROM approvals INDEXED BY approvals_live
    WHERE status IN ('pending', 'approved') AND expires_ms > :now_ms
"""
_PENDING = f"""
    SELECT count(*) {IN_FORCE} AND status = 'pending' AND owner = :owner
"""
# A request that is the oldest of so many keeps the next one waiting until it is an hour old.
_HOURLY = """
    SELECT CAST(created_ms AS INTEGER) FROM approvals WHERE owner = :owner
    ORDER BY id DESC LIMIT 1 OFFSET :most
"""
# A no that is over cannot become a yes any more, either.
_LIGHTEN = """
    UPDATE approvals SET payload = '{}' WHERE id IN (
        SELECT id FROM approvals WHERE payload <> '{}' AND expires_ms <= :now_ms LIMIT :count
    )
"""
# Ids grow with time, so the oldest rows are the first ones and nothing has to be searched.
_PRUNE = """
    DELETE FROM approvals WHERE expires_ms <= ? AND id IN (
        SELECT id FROM approvals ORDER BY id LIMIT ?
    )
"""
_PRUNE_OF_ONE = """
    DELETE FROM approvals WHERE id IN (
        SELECT id FROM approvals WHERE owner = :owner AND id <= (
            SELECT id FROM approvals WHERE owner = :owner
            ORDER BY id DESC LIMIT 1 OFFSET :most
        )
        AND (status IN ('cancelled', 'spent') OR expires_ms <= :now_ms)
        ORDER BY id LIMIT :count
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
    """Whether *row* is a yes to exactly what is *wanted*; *host* None: of no particular one.

    A client's word counts only where *wanted* is content with it and the request was one for it.
    """
    assured = row.by.get("assurance")
    return (
        row.kind == CALL
        and SPENT in MOVES.get(row.status, ())
        and (row.effect, row.policy) == (wanted.effect, wanted.policy)
        and host in (None, row.host)
        and assured in _ASSURED.get(wanted.assurance, ())
        and (assured == OPERATOR or row.channel != OPERATOR)
    )


def prune(connection: sqlite3.Connection, now_ms: int, grant: str) -> None:
    """Forget more requests than one call brings: those that ended long ago, and *grant*'s oldest.

    A no is remembered for as long as it holds, whatever else *grant* asks. Of those that are over,
    whosever they are, the payload is forgotten at once.
    """
    connection.execute(_PRUNE, (now_ms - _KEPT_MS, _PRUNED_AT_ONCE))
    asked = {"owner": grant, "now_ms": now_ms, "most": _MOST_KEPT, "count": _PRUNED_AT_ONCE}
    connection.execute(_PRUNE_OF_ONE, asked)
    connection.execute(_LIGHTEN, asked)


def find(
    connection: sqlite3.Connection, now_ms: int, approval_id: str, grant: str | None = None
) -> ApprovalRow | None:
    """The request of that id, of *grant* if it is given."""
    asked = {"now_ms": now_ms, "approval_id": approval_id, "owner": grant}
    row = connection.execute(_FIND, asked).fetchone()
    return None if row is None else of_row(row)


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
    return None if row is None else of_row(row)


def pending(connection: sqlite3.Connection, now_ms: int, grant: str) -> int:
    """How many requests of *grant* wait for an answer."""
    asked = {"now_ms": now_ms, "owner": grant}
    return int(connection.execute(_PENDING, asked).fetchone()[0])


def hour_left(connection: sqlite3.Connection, now_ms: int, grant: str) -> int:
    """How many milliseconds until *grant* may make a new request again; 0: it may now."""
    row = connection.execute(_HOURLY, {"owner": grant, "most": HOURLY - 1}).fetchone()
    return 0 if row is None else max(0, int(row[0]) + _HOUR_MS - now_ms)
