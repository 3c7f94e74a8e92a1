"""Asking people and hearing them: each function is all of one transaction, as in `writing`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from comfy_mcp.errors import StateError
from comfy_mcp.store import approvals, chain, trail
from comfy_mcp.store.asked import (
    APPROVED,
    CALL,
    CANCELLED,
    DENIED,
    MOVES,
    OPERATOR,
    PENDING,
    SPENT,
    ApprovalRow,
    Crowded,
    NewApproval,
    Parked,
    Ruling,
)
from comfy_mcp.store.waits import for_caller

if TYPE_CHECKING:
    import sqlite3

    from comfy_mcp.store.head import Head

__all__ = ["Request", "park", "rule"]

_GUARD = {"channel": "guard"}
_SUPERSEDED = "superseded"


class Request(NamedTuple):
    """A new request and what is written of it: *facts*, *payload*, *line* are canonical JSON.

    *now_ms* is the time by the clock of who asks.
    """

    new: NewApproval
    facts: str
    payload: str
    line: str
    now_ms: int


def park(
    connection: sqlite3.Connection, head: Head, request: Request, most: int
) -> tuple[Head, Parked | Crowded]:
    """Write *request* down, unless it stands already or its grant has no room for it."""
    new, now_ms = request.new, head.last_ms
    found = _standing(connection, new, now_ms)
    if found is not None and (found.status == DENIED or found.policy == new.policy):
        return head, Parked(found, is_new=False)
    crowded = _crowded(connection, request, now_ms, most, found)
    if crowded is not None:
        return head, crowded
    if found is not None:
        head = _supersede(connection, head, found)
    head = trail.append(connection, head, request.line)
    approvals.add(connection, new, request.facts, request.payload, now_ms=now_ms, told=head.seq)
    approvals.prune(connection, now_ms, new.grant)
    return head, Parked(_row(connection, now_ms, new.approval_id), is_new=True)


def _crowded(
    connection: sqlite3.Connection,
    request: Request,
    now_ms: int,
    most: int,
    found: ApprovalRow | None,
) -> Crowded | None:
    """Why there is no room for *request*; *found* is what would be taken back for it."""
    grant = request.new.grant
    waiting = approvals.pending(connection, now_ms, grant)
    # What is taken back leaves its place to the new one.
    freed = found is not None and found.status == PENDING
    if waiting - freed >= most:
        return Crowded(waiting)
    wait_ms = approvals.hour_left(connection, now_ms, grant)
    if wait_ms == 0:
        return None
    return for_caller(Crowded(waiting, wait_ms), now_ms - request.now_ms)


def rule(
    connection: sqlite3.Connection,
    head: Head,
    approval_id: str,
    ruling: Ruling,
    line: str,
    *,
    grant: str | None,
) -> tuple[Head, tuple[bool, ApprovalRow | None]]:
    """Decide a request if it may still move there; and how it stands now."""
    now_ms = head.last_ms
    row = approvals.find(connection, now_ms, approval_id, grant)
    if row is None or not _may(row, ruling, now_ms):
        return head, (False, row)
    head = trail.append(connection, head, line)
    approvals.decide(connection, row, _written(row, ruling), now_ms, head.seq)
    return head, (True, _row(connection, now_ms, approval_id))


def _may(row: ApprovalRow, ruling: Ruling, now_ms: int) -> bool:
    """Whether *ruling* moves *row*: only an admission spends, only an operator takes a no back."""
    if ruling.status == SPENT or ruling.status not in MOVES.get(row.status, ()):
        return False
    if row.status != DENIED:
        return True
    return now_ms < row.expires_ms and ruling.by.get("assurance") == OPERATOR


def _standing(connection: sqlite3.Connection, new: NewApproval, now_ms: int) -> ApprovalRow | None:
    asked = {"grant": new.grant, "host": new.host, "kind": new.kind, "match": new.match}
    return approvals.standing(connection, now_ms, **asked)


def _supersede(connection: sqlite3.Connection, head: Head, row: ApprovalRow) -> Head:
    """Cancel *row*, which was asked or answered under another policy; the log says so."""
    told: dict[str, Any] = {
        "kind": "approval",
        "action": CANCELLED,
        "approval_id": row.approval_id,
        "grant": row.grant,
        "tool": row.tool,
        "by": _GUARD,
        "changes": [],
        "reason": _SUPERSEDED,
    }
    head = trail.append(connection, head, chain.canonical(told))
    ruling = Ruling(CANCELLED, _GUARD, _SUPERSEDED)
    approvals.decide(connection, row, _written(row, ruling), head.last_ms, head.seq)
    return head


def _written(row: ApprovalRow, ruling: Ruling) -> approvals.Written:
    """What is written of *ruling*; only a yes changes what was asked for."""
    by, reason = ruling.by, ruling.reason
    if ruling.status != APPROVED or not ruling.changes:
        said = {"by": by, "reason": reason, "changes": row.changes}
        # Nothing moves it any more, and what it asks for can be megabytes.
        payload = approvals.NOTHING if ruling.status == CANCELLED else None
        return approvals.Written(ruling.status, chain.canonical(said), payload=payload)
    if ruling.payload is None or (ruling.effect is None and row.kind == CALL):
        raise StateError(
            "A changed request came without what it became, so nothing was done; "
            "please report this as a fault of comfy-mcp-guard."
        )
    return approvals.Written(
        ruling.status,
        chain.canonical({"by": by, "reason": reason, "changes": ruling.changes}),
        ruling.effect,
        None if ruling.facts is None else chain.canonical(ruling.facts),
        chain.canonical(ruling.payload),
    )


def _row(connection: sqlite3.Connection, now_ms: int, approval_id: str) -> ApprovalRow:
    """The request that was just written."""
    row = approvals.find(connection, now_ms, approval_id)
    if row is None:
        raise StateError("A request to a person was not written; nothing was done. Try again.")
    return row
