"""What an account holds within a window, without adding up all its charges at every call.

For each window the sum of what was taken after a moment is kept, in the same transaction as the
charges themselves. The start of a window only ever moves on, so what has left it since is taken
off: every charge is looked at once when it leaves, however many there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfy_mcp.store.arithmetic import calendar_start

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from comfy_mcp.store.protocol import Charge

__all__ = ["newest_first", "oldest_first", "roll", "used"]

_KNOWN = """
    SELECT amount, (
        SELECT coalesce(sum(amount), 0) FROM charges
        WHERE counter = totals.counter AND holder = totals.holder
            AND at_ms > totals.from_ms AND at_ms <= :before
    )
    FROM totals
    WHERE counter = :counter AND holder = :holder AND window_ms = :window_ms
        AND calendar = :calendar AND from_ms <= :before
"""
_SUM = """
    SELECT coalesce(sum(amount), 0) FROM charges
    WHERE counter = :counter AND holder = :holder AND at_ms > :before
"""
_KEEP = """
    INSERT OR REPLACE INTO totals (counter, holder, window_ms, calendar, from_ms, amount)
    VALUES (:counter, :holder, :window_ms, :calendar, :before, :used)
"""
_TAKEN = """
    SELECT at_ms, amount FROM charges
    WHERE counter = :counter AND holder = :holder AND at_ms > :before ORDER BY at_ms
"""


def used(connection: sqlite3.Connection, charge: Charge, now_ms: int) -> int:
    """What the account of *charge* holds at *now_ms* within the window of *charge*."""
    return _used(connection, _asked(charge, now_ms))[0]


def roll(connection: sqlite3.Connection, charge: Charge, now_ms: int) -> int:
    """As `used`, and what left the window will not be looked at again."""
    asked = _asked(charge, now_ms)
    amount, is_kept = _used(connection, asked)
    if not is_kept:
        connection.execute(_KEEP, {**asked, "used": amount})
    return amount


def oldest_first(
    connection: sqlite3.Connection, charge: Charge, now_ms: int
) -> Iterator[tuple[int, int]]:
    """``(at_ms, amount)`` of all that is within the window, read as it is asked for."""
    return connection.execute(_TAKEN, _asked(charge, now_ms))


def newest_first(
    connection: sqlite3.Connection, charge: Charge, now_ms: int
) -> Iterator[tuple[int, int]]:
    """The same from the other end."""
    return connection.execute(f"{_TAKEN} DESC", _asked(charge, now_ms))


def _used(connection: sqlite3.Connection, asked: dict[str, str | int]) -> tuple[int, bool]:
    """What the window holds, and whether the total that is kept says the same."""
    row = connection.execute(_KNOWN, asked).fetchone()
    if row is None:
        return int(connection.execute(_SUM, asked).fetchone()[0]), False
    amount, left = row
    return int(amount - left), left == 0


def _asked(charge: Charge, now_ms: int) -> dict[str, str | int]:
    """The window as values of a query; *before* is the last moment that does not count."""
    if charge.calendar:
        before = calendar_start(now_ms, charge.window_ms) - 1
    else:
        before = now_ms - charge.window_ms
    return {
        "counter": charge.counter,
        "holder": charge.holder,
        "window_ms": charge.window_ms,
        "calendar": int(charge.calendar),
        "before": before,
    }
