"""Charges and slots inside one transaction: does an admission fit, and taking what it takes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from comfy_mcp.store import journal
from comfy_mcp.store.arithmetic import calendar_start, calendar_wait, rolling_wait
from comfy_mcp.store.protocol import Admission, Charge, Full

if TYPE_CHECKING:
    import sqlite3

__all__ = ["refusal", "take"]

_PRUNED_AT_ONCE = 16

_USED = """
    SELECT coalesce(sum(amount), 0) FROM charges WHERE counter = ? AND holder = ? AND at_ms > ?
"""
_TAKEN = "SELECT at_ms, amount FROM charges WHERE counter = ? AND holder = ? AND at_ms > ?"
_TAKE = "INSERT INTO charges (decision_id, counter, holder, at_ms, amount) VALUES (?, ?, ?, ?, ?)"
# Ids grow with time, so the oldest rows are the first ones and nothing has to be searched.
_PRUNE = """
    DELETE FROM charges WHERE at_ms <= ? AND id IN (SELECT id FROM charges ORDER BY id LIMIT ?)
"""


def refusal(connection: sqlite3.Connection, admission: Admission, now_ms: int) -> Full | None:
    """Why *admission* does not fit at *now_ms*: the charge with the longest wait, else a slot."""
    totals = _totals(admission)
    refused = [
        full
        for charge in admission.charges
        if (full := _full(connection, charge, totals[charge.counter, charge.holder], now_ms))
    ]
    if refused:
        return max(refused, key=_wait)
    for cap in admission.slots:
        used = journal.slots_used(connection, cap)
        if used >= cap.most:
            return Full(cause=cap, used=used, retry_after_ms=None)
    return None


def take(
    connection: sqlite3.Connection, admission: Admission, now_ms: int, longest_ms: int
) -> None:
    """Write the charges of *admission*, and forget some of those older than *longest_ms*."""
    rows = [
        (admission.decision_id, charge.counter, charge.holder, now_ms, charge.amount)
        for charge in admission.charges
    ]
    connection.executemany(_TAKE, rows)
    # More than came in, so that the table cannot grow for ever.
    connection.execute(_PRUNE, (now_ms - longest_ms, _PRUNED_AT_ONCE + len(rows)))


def _totals(admission: Admission) -> Counter[tuple[str, str]]:
    """What the whole admission takes from each account."""
    totals: Counter[tuple[str, str]] = Counter()
    for charge in admission.charges:
        totals[charge.counter, charge.holder] += charge.amount
    return totals


def _full(connection: sqlite3.Connection, charge: Charge, amount: int, now_ms: int) -> Full | None:
    used = _used(connection, charge, now_ms)
    if used + amount <= charge.most:
        return None
    if charge.calendar:
        wait = calendar_wait(used, amount, charge.most, charge.window_ms, now_ms)
    else:
        used, wait = rolling_wait(
            _taken(connection, charge, now_ms),
            amount=amount,
            most=charge.most,
            window_ms=charge.window_ms,
            now_ms=now_ms,
        )
    return Full(cause=charge, used=used, retry_after_ms=wait)


def _used(connection: sqlite3.Connection, charge: Charge, now_ms: int) -> int:
    if charge.calendar:
        before = calendar_start(now_ms, charge.window_ms) - 1
    else:
        before = now_ms - charge.window_ms
    row = connection.execute(_USED, (charge.counter, charge.holder, before)).fetchone()
    return int(row[0])


def _taken(connection: sqlite3.Connection, charge: Charge, now_ms: int) -> list[tuple[int, int]]:
    account = (charge.counter, charge.holder, now_ms - charge.window_ms)
    return connection.execute(_TAKEN, account).fetchall()


def _wait(full: Full) -> tuple[bool, int]:
    return full.retry_after_ms is None, full.retry_after_ms or 0
