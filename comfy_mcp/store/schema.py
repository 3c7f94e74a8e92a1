"""The tables of the state file, made once and brought up from older versions, in one step."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING

from comfy_mcp.store import made
from comfy_mcp.store.faults import is_busy, state_error
from comfy_mcp.store.tables import APPLICATION, STEPS

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["VERSION", "prepare"]

VERSION = len(STEPS)

_BEFORE_FILES = 1
"""The last version that did not write down who made which file."""

_PAUSE_S = 0.005


def prepare(connection: sqlite3.Connection, folder: Path, patience_s: float) -> None:
    """Make the tables, or bring them up to this version, and set the modes of the connection.

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
    # Another process may have done it while this one waited for the lock.
    _bring_up(connection, _version(connection, folder))
    connection.execute("COMMIT")


def _bring_up(connection: sqlite3.Connection, version: int) -> None:
    for step in STEPS[version:]:
        for statement in step:
            connection.execute(statement)
    if version == _BEFORE_FILES:
        made.adopt(connection)
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _version(connection: sqlite3.Connection, folder: Path) -> int:
    """The version that made the tables, 0 for a new file; to be read within a transaction."""
    version = _number(connection, "PRAGMA user_version")
    if version == 0 and _number(connection, "SELECT count(*) FROM sqlite_master") == 0:
        return 0
    if _number(connection, "PRAGMA application_id") != APPLICATION:
        raise state_error(folder, "was written by another program", "Move guard.db away")
    if not 0 < version <= VERSION:
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
