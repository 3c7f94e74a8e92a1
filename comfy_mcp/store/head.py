"""The one row that every write reads first: last time seen, longest window, end of the chain."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, replace

__all__ = ["Head", "read", "write"]


@dataclass(frozen=True, slots=True)
class Head:
    """Where the state stands. *seq* and *hash* are those of the last audit row ever written.

    Charges are kept for *longest_ms*, the longest window that was ever charged.
    """

    last_ms: int
    longest_ms: int
    seq: int
    hash: str

    def seen(self, now_ms: int) -> Head:
        """The same at *now_ms*, or later if a later time was seen."""
        return replace(self, last_ms=max(self.last_ms, now_ms))

    def keeping(self, windows_ms: Iterable[int]) -> Head:
        """The same, with charges kept for each of these windows."""
        return replace(self, longest_ms=max((self.longest_ms, *windows_ms)))


def read(connection: sqlite3.Connection) -> Head:
    """The head as it is.

    Raises:
        sqlite3.DatabaseError: somebody removed it.
    """
    row = connection.execute("SELECT last_ms, longest_ms, seq, hash FROM head").fetchone()
    if row is None:
        raise sqlite3.DatabaseError("the head of the log was removed")
    return Head(*row)


def write(connection: sqlite3.Connection, head: Head) -> None:
    """Make *head* the head."""
    connection.execute(
        "UPDATE head SET last_ms = ?, longest_ms = ?, seq = ?, hash = ?",
        (head.last_ms, head.longest_ms, head.seq, head.hash),
    )
