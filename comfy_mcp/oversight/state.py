"""The state as commands use it: what is not there is not made, what is older is left as it is."""

from __future__ import annotations

import getpass
import sqlite3
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from comfy_mcp.errors import StateError
from comfy_mcp.store.faults import translated
from comfy_mcp.store.folder import FILE
from comfy_mcp.store.schema import VERSION
from comfy_mcp.store.sqlite import SqliteStore

__all__ = ["by_operator", "is_there", "now_ms", "opened", "outdated", "user"]

OLDER = (
    "The state in {0} was written by an older version, and only a server brings it up to date."
    " Start the new server once, and try again."
)


def now_ms() -> int:
    """Whole milliseconds since the Unix epoch."""
    return time.time_ns() // 1_000_000


def is_there(folder: Path) -> bool:
    """Some server has used *folder* already."""
    return (folder / FILE).is_file()


def outdated(folder: Path) -> bool:
    """The state in *folder* is of an older version: opening it would change it for good.

    Raises:
        StateError: it cannot be read.
    """
    uri = f"{(folder / FILE).absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            return 0 < int(connection.execute("PRAGMA user_version").fetchone()[0]) < VERSION
    except (sqlite3.Error, OSError) as error:
        raise translated(error, folder) from error


@asynccontextmanager
async def opened(folder: Path) -> AsyncGenerator[SqliteStore]:
    """The state that servers use, maybe at this moment.

    Raises:
        StateError: there is none, it is of an older version, or it cannot be used.
    """
    if not is_there(folder):
        raise StateError(
            f"There is no state in {folder}: no server has used that folder yet, so nothing was"
            " done. Name the server's folder with --state."
        )
    if outdated(folder):
        raise StateError(OLDER.format(folder))
    store = SqliteStore(folder)
    try:
        yield store
    finally:
        await store.close()


def by_operator(action: str, **more: Any) -> Mapping[str, Any]:
    """The audit record of what a person did with a command."""
    return {"kind": "operator", "action": action, "user": user(), **more}


def user() -> str | None:
    """Who works at this machine, by the name of the account; None if that is not known."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return None
