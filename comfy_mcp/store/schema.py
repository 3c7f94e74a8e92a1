"""The tables of the state file, made once, under a version number."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING

from comfy_mcp.store.chain import GENESIS
from comfy_mcp.store.faults import is_busy, state_error

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["VERSION", "prepare"]

VERSION = 1

_APPLICATION = 0x436D4764
_KEPT_MS = 31 * 86_400_000
"""Charges are kept at least this long, so that a limit whose window is edited forgets nothing."""

_PAUSE_S = 0.005

_TABLES = (
    """CREATE TABLE head (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        last_ms INTEGER NOT NULL,
        longest_ms INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        hash TEXT NOT NULL
    )""",
    """CREATE TABLE charges (
        id INTEGER PRIMARY KEY,
        decision_id TEXT NOT NULL,
        counter TEXT NOT NULL,
        holder TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        amount INTEGER NOT NULL CHECK (amount >= 0)
    )""",
    "CREATE INDEX charges_of_account ON charges (counter, holder, at_ms, amount)",
    """CREATE TABLE jobs (
        id INTEGER PRIMARY KEY,
        prompt_id TEXT NOT NULL UNIQUE,
        owner TEXT NOT NULL,
        host TEXT NOT NULL,
        workflow TEXT NOT NULL,
        digest TEXT NOT NULL,
        decision_id TEXT NOT NULL,
        status TEXT NOT NULL,
        open INTEGER NOT NULL,
        created_ms INTEGER NOT NULL,
        changed_ms INTEGER NOT NULL,
        result TEXT NOT NULL
    )""",
    "CREATE INDEX jobs_open ON jobs (host, owner) WHERE open = 1",
    """CREATE TABLE audit (
        seq INTEGER PRIMARY KEY,
        at_ms INTEGER NOT NULL,
        previous TEXT NOT NULL,
        hash TEXT NOT NULL,
        record TEXT NOT NULL
    )""",
    f"PRAGMA application_id = {_APPLICATION}",
    f"PRAGMA user_version = {VERSION}",
)


def prepare(connection: sqlite3.Connection, folder: Path, patience_s: float) -> None:
    """Make the tables if the file is new, and set the modes of the connection.

    Raises:
        StateError: a newer version or another program wrote the file, or the disk cannot do WAL.
        sqlite3.Error: the file is no database, or cannot be read or written.
    """
    connection.execute("BEGIN")
    version = _version(connection, folder)
    connection.execute("COMMIT")
    _use_wal(connection, folder, time.monotonic() + patience_s)
    connection.execute("PRAGMA synchronous = NORMAL")
    if version == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    # Another process may have made them while this one waited for the lock.
    if _version(connection, folder) == 0:
        for statement in _TABLES:
            connection.execute(statement)
        connection.execute("INSERT INTO head VALUES (1, 0, ?, 0, ?)", (_KEPT_MS, GENESIS))
    connection.execute("COMMIT")


def _version(connection: sqlite3.Connection, folder: Path) -> int:
    """The version that made the tables, 0 for a new file; to be read within a transaction."""
    version = _number(connection, "PRAGMA user_version")
    if version == 0 and _number(connection, "SELECT count(*) FROM sqlite_master") == 0:
        return 0
    if _number(connection, "PRAGMA application_id") != _APPLICATION:
        raise state_error(folder, "was written by another program", "Move guard.db away")
    if version != VERSION:
        raise state_error(
            folder,
            f"was written by another version (format {version}; this one knows {VERSION})",
            "Use the newest comfy-mcp-guard",
        )
    return version


def _use_wal(connection: sqlite3.Connection, folder: Path, deadline: float) -> None:
    while True:
        try:
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        except sqlite3.OperationalError as exc:
            # SQLite's own timeout does not cover two processes that both make the first switch.
            if not is_busy(exc) or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_S)
            continue
        if mode != "wal":
            raise state_error(
                folder, "is on a disk that processes cannot share", "Use a local disk"
            )
        return


def _number(connection: sqlite3.Connection, query: str) -> int:
    return int(connection.execute(query).fetchone()[0])
