"""All accounts, inside one transaction: what they hold, and forgetting it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfy_mcp.store.protocol import Account

if TYPE_CHECKING:
    import sqlite3

__all__ = ["accounts", "reset"]

_ACCOUNTS = """
    SELECT counter, holder, count(*), sum(amount), min(at_ms), max(at_ms)
    FROM charges GROUP BY counter, holder HAVING sum(amount) > 0 ORDER BY counter, holder
"""
_RESET = """
    DELETE FROM charges
    WHERE (:counter IS NULL OR counter = :counter) AND (:holder IS NULL OR holder = :holder)
        AND NOT (refund = 'settled' AND EXISTS (
            SELECT 1 FROM jobs WHERE jobs.decision_id = charges.decision_id AND open = 1
        ))
"""


def accounts(connection: sqlite3.Connection) -> tuple[Account, ...]:
    """Every account that holds something, by counter and holder."""
    return tuple(Account(*row) for row in connection.execute(_ACCOUNTS))


def reset(connection: sqlite3.Connection, counter: str | None, holder: str | None) -> int:
    """Forget the charges of these accounts (None: any), but not GPU time in use; how many."""
    return connection.execute(_RESET, {"counter": counter, "holder": holder}).rowcount
