"""Charges inside one transaction: taking what an admission takes, giving it back, waiting."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from comfy_mcp.store import journal, totals
from comfy_mcp.store.arithmetic import (
    calendar_wait,
    rolling_wait,
    rolling_wait_from_newest,
)
from comfy_mcp.store.protocol import UNIT, Admission, Charge, Refund, SlotCap, Use

if TYPE_CHECKING:
    import sqlite3

    from comfy_mcp.store.head import Head

__all__ = ["Used", "peek", "prune", "room", "settle", "take"]

_PRUNED_AT_ONCE = 16
_PER_MS = UNIT // 1000

_TAKE = """
    INSERT INTO charges (decision_id, counter, holder, at_ms, amount, refund)
    VALUES (?, ?, ?, ?, ?, ?)
"""
# Ids grow with time, so the oldest rows are the first ones and nothing has to be searched.
_PRUNE = """
    DELETE FROM charges WHERE at_ms <= ? AND id IN (
        SELECT id FROM charges WHERE refund = 'never' OR NOT EXISTS (
            SELECT 1 FROM jobs WHERE jobs.decision_id = charges.decision_id AND open = 1
        )
        ORDER BY id LIMIT ?
    )
"""
_GIVE_BACK = """
    DELETE FROM charges
    WHERE decision_id = ? AND refund <> 'never' AND refund = ? AND reserved IS NULL
"""
_SETTLE = """
    UPDATE charges SET reserved = amount, amount = ?
    WHERE decision_id = ? AND refund <> 'never' AND refund = 'settled' AND reserved IS NULL
"""
_GIVEN_BACK = {
    "refused": (Refund.NOT_ACCEPTED, Refund.FAILED, Refund.SETTLED),
    "failed": (Refund.FAILED,),
}


Used = Callable[["sqlite3.Connection", Charge, int], int]
"""What the account of a charge holds at a time: `totals.roll` writes, `totals.used` only reads."""


def take(connection: sqlite3.Connection, admission: Admission, head: Head) -> Head:
    """Write the charges of *admission*, and forget some that are too old."""
    if not admission.charges:
        return head
    rows = [
        (
            admission.decision_id,
            charge.counter,
            charge.holder,
            head.last_ms,
            charge.amount,
            charge.refund,
        )
        for charge in admission.charges
    ]
    connection.executemany(_TAKE, rows)
    head = head.keeping(charge.window_ms for charge in admission.charges)
    prune(connection, head, len(rows))
    return head


def prune(connection: sqlite3.Connection, head: Head, taken: int) -> None:
    """Forget more charges than were *taken*, so that the table cannot grow for ever.

    Only such that no window can see, and that no job still has to settle.
    """
    connection.execute(_PRUNE, (head.last_ms - head.longest_ms, _PRUNED_AT_ONCE + taken))


def settle(
    connection: sqlite3.Connection, decision_id: str, status: str, gpu_ms: int | None
) -> None:
    """Give back what the final *status* of the decision's job gives back; GPU time as it was."""
    for refund in _GIVEN_BACK.get(status, ()):
        connection.execute(_GIVE_BACK, (decision_id, refund))
    if gpu_ms is not None:
        connection.execute(_SETTLE, (gpu_ms * _PER_MS, decision_id))


def peek(connection: sqlite3.Connection, cause: Charge | SlotCap, now_ms: int) -> Use:
    """How full the account or cap is at *now_ms*, and how long until it has room."""
    if isinstance(cause, SlotCap):
        held = journal.slots_used(connection, cause)
        return Use(cause, held, 0 if held < cause.most else None)
    used = totals.used(connection, cause, now_ms)
    return Use(cause, used, room(connection, cause, used, cause.amount, now_ms))


def room(
    connection: sqlite3.Connection, charge: Charge, used: int, amount: int, now_ms: int
) -> int | None:
    """How long until *amount* more fits into what *charge* counts in, of which *used* is gone."""
    if charge.calendar:
        return calendar_wait(used, amount, charge.most, charge.window_ms, now_ms)
    window = {"amount": amount, "most": charge.most, "window_ms": charge.window_ms}
    if used - charge.most + amount > charge.most - amount:
        # More has to leave than may stay: the last to leave is found sooner from the other end.
        newest_first = totals.newest_first(connection, charge, now_ms)
        return rolling_wait_from_newest(newest_first, now_ms=now_ms, **window)
    oldest_first = totals.oldest_first(connection, charge, now_ms)
    return rolling_wait(oldest_first, used=used, now_ms=now_ms, **window)
