"""Who may do nothing, inside one transaction: freezes, refusals counted, and cool-downs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfy_mcp.store.protocol import EVERYBODY, REFUSALS, UNIT, Cooling, Freeze, Frozen, Tally

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

__all__ = ["count", "end_cooldowns", "freeze", "freezes", "standing", "unfreeze"]

_FREEZE = "INSERT OR REPLACE INTO freezes (holder, reason, keep_reads, at_ms) VALUES (?, ?, ?, ?)"
_UNFREEZE = "DELETE FROM freezes WHERE holder = ?"
_FREEZES = "SELECT holder, reason, keep_reads, at_ms FROM freezes ORDER BY holder"
_FROZEN = """
    SELECT holder, reason, at_ms FROM freezes
    WHERE holder IN (:grant, :everybody) AND NOT (keep_reads AND :reads)
    ORDER BY holder = :everybody LIMIT 1
"""
_COOLING = "SELECT max(until_ms) FROM cooldowns WHERE holder = ?"
_COUNT = """
    INSERT INTO charges (decision_id, counter, holder, at_ms, amount) VALUES ('', ?, ?, ?, ?)
"""
# Those that led to a cool-down do not count for the next one.
_COUNTED = """
    SELECT count(*) FROM charges
    WHERE counter = :counter AND holder = :holder AND at_ms > max(:before, coalesce((
        SELECT began_ms FROM cooldowns WHERE holder = :holder AND most = :most
            AND window_ms = :window_ms AND cooldown_ms = :cooldown_ms
    ), :before))
"""
_COOL = """
    INSERT OR REPLACE INTO cooldowns (holder, most, window_ms, cooldown_ms, began_ms, until_ms)
    VALUES (:holder, :most, :window_ms, :cooldown_ms, :now_ms, :until_ms)
"""
_END = "DELETE FROM cooldowns WHERE :holder IS NULL OR holder = :holder"


def standing(
    connection: sqlite3.Connection, grant: str, now_ms: int, *, reads: bool
) -> Frozen | Cooling | None:
    """What refuses every call of *grant* at *now_ms*: a freeze, its own first, or a cool-down."""
    asked = {"grant": grant, "everybody": EVERYBODY, "reads": int(reads)}
    row = connection.execute(_FROZEN, asked).fetchone()
    if row is not None:
        return Frozen(*row)
    left = _until(connection, grant) - now_ms
    return Cooling(left) if left > 0 else None


def count(connection: sqlite3.Connection, tallies: Sequence[Tally], now_ms: int) -> int:
    """Count one refusal for each grant of *tallies*; how many charges that makes.

    Nothing counts during a cool-down, so that none is prolonged.
    """
    counted = 0
    for grant in dict.fromkeys(tally.grant for tally in tallies):
        if _until(connection, grant) > now_ms:
            continue
        connection.execute(_COUNT, (REFUSALS, grant, now_ms, UNIT))
        counted += 1
        for tally in tallies:
            if tally.grant == grant:
                _cool(connection, tally, now_ms)
    return counted


def freeze(connection: sqlite3.Connection, order: Freeze, now_ms: int) -> None:
    """Freeze from *now_ms* on, in place of an older freeze of the same grant."""
    values = (order.grant, order.reason, int(order.keep_reads), now_ms)
    connection.execute(_FREEZE, values)


def unfreeze(connection: sqlite3.Connection, grant: str) -> bool:
    """End the freeze of exactly this grant; False if there was none."""
    return connection.execute(_UNFREEZE, (grant,)).rowcount > 0


def freezes(connection: sqlite3.Connection) -> tuple[Freeze, ...]:
    """All freezes, by grant."""
    rows = connection.execute(_FREEZES)
    return tuple(
        Freeze(grant, reason, bool(keep_reads), at_ms) for grant, reason, keep_reads, at_ms in rows
    )


def end_cooldowns(connection: sqlite3.Connection, grant: str | None) -> None:
    """End the cool-downs of *grant*, or of everybody."""
    connection.execute(_END, {"holder": grant})


def _until(connection: sqlite3.Connection, grant: str) -> int:
    """When the last cool-down of *grant* ends or ended; 0 if there was none."""
    return int(connection.execute(_COOLING, (grant,)).fetchone()[0] or 0)


def _cool(connection: sqlite3.Connection, tally: Tally, now_ms: int) -> None:
    """Start the cool-down of *tally* if it has reached its most."""
    asked = {
        "counter": REFUSALS,
        "holder": tally.grant,
        "most": tally.most,
        "window_ms": tally.window_ms,
        "cooldown_ms": tally.cooldown_ms,
        "before": now_ms - tally.window_ms,
    }
    counted = int(connection.execute(_COUNTED, asked).fetchone()[0])
    if counted >= tally.most:
        until_ms = now_ms + tally.cooldown_ms
        connection.execute(_COOL, {**asked, "now_ms": now_ms, "until_ms": until_ms})
