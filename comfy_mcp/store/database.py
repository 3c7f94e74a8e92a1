"""One connection to the state file, for one thread: opened late, every write one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from comfy_mcp.store import head
from comfy_mcp.store.faults import FOREIGN, state_error, translated
from comfy_mcp.store.folder import FILE, secure
from comfy_mcp.store.schema import prepare

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Database", "Read", "Write"]

_T = TypeVar("_T")

Read = Callable[[sqlite3.Connection], _T]
Write = Callable[[sqlite3.Connection, head.Head], tuple[head.Head, _T]]

_LENIENT = partial(str, encoding="utf-8", errors="surrogateescape")
"""Bytes that are not UTF-8 come from somebody's edit: to be found by a check, not to raise."""


class Database:
    """The state file in *folder*; a lock is waited for at most *patience_s* seconds."""

    def __init__(self, folder: Path, patience_s: float) -> None:
        self._folder = folder
        self._patience_s = patience_s
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None

    def read(self, work: Read[_T]) -> _T:
        """Do *work* on one snapshot.

        Raises:
            StateError: the state cannot be read.
        """
        return self._do(work, "BEGIN")

    def write(self, now_ms: int, work: Write[_T], *, durable: bool = False) -> _T:
        """Do *work* at *now_ms* or the last time seen, alone and completely or not at all.

        *work* gets the head at that time and returns the head to write. What is *durable* is on
        the disk before this returns, so that it outlives a loss of power, too.

        Raises:
            StateError: the state cannot be written.
        """

        def step(connection: sqlite3.Connection) -> _T:
            after, result = work(connection, head.read(connection).seen(now_ms))
            head.write(connection, after)
            return result

        # SQLite takes the mode between transactions only.
        mode = f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}"
        return self._do(step, mode, "BEGIN IMMEDIATE")

    def close(self) -> None:
        """Give the file back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _do(self, work: Read[_T], *begin: str) -> _T:
        try:
            connection = self._opened()
            for statement in begin:
                connection.execute(statement)
            try:
                result = work(connection)
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
        except FOREIGN as exc:
            raise translated(exc, self._folder) from exc
        return result

    def _opened(self) -> sqlite3.Connection:
        there = _identity(self._folder / FILE)
        if self._identity is not None and there is None:
            # Begun anew, it would know no freeze, no budget and no key of what was admitted.
            self.close()
            raise state_error(
                self._folder,
                "was removed while this server ran",
                "Put it back, or start all servers again to begin with an empty one",
            )
        if self._identity != there:
            # Replaced under us: what we would write there nobody would ever see.
            self.close()
        return self._connection or self._open()

    def _open(self) -> sqlite3.Connection:
        file = secure(self._folder)
        connection = sqlite3.connect(file, timeout=self._patience_s, isolation_level=None)
        try:
            connection.text_factory = _LENIENT
            prepare(connection, self._folder, self._patience_s)
        except BaseException:
            connection.close()
            raise
        self._connection, self._identity = connection, _identity(file)
        return connection


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        info = file.stat()
    except FileNotFoundError:
        return None
    return info.st_dev, info.st_ino
