"""Long texts that may be forgotten, inside one transaction: packed, the newest only."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from comfy_mcp.store.swept import MOST_TEXT, Keep

if TYPE_CHECKING:
    import sqlite3

__all__ = ["add", "find", "origin", "packed"]

_LEVEL = 1
"""JSON packs to a fifth at the fastest level, too: 2 MB take about 15 ms."""

_LOOKED_AT_ONCE = 500

_ADD = "INSERT INTO texts (about, bytes, data) VALUES (?, ?, ?)"
_FIND = "SELECT data FROM texts WHERE about = ?"
_ORIGIN = """
    SELECT data FROM texts WHERE about = (SELECT id FROM jobs WHERE prompt_id = ?)
"""
_HELD = "SELECT texts, bytes FROM held"
# Ids grow with time, so the oldest texts are the first ones.
_OLDEST = "SELECT id, bytes FROM texts ORDER BY id LIMIT ?"
_DROP = "DELETE FROM texts WHERE id <= ?"


def packed(text: str) -> bytes | None:
    """*text* as it is kept; None if it is empty or too long for that."""
    plain = text.encode(errors="surrogatepass")
    return zlib.compress(plain, _LEVEL) if 0 < len(plain) <= MOST_TEXT else None


def add(connection: sqlite3.Connection, about: int, data: bytes | None, keep: Keep) -> None:
    """Keep *data* of what *about* says, and forget the oldest that are too many beside it."""
    if data is None:
        return
    connection.execute(_ADD, (about, len(data), data))
    while _drop(connection, keep):
        pass


def find(connection: sqlite3.Connection, about: int) -> str | None:
    """The text about this; None if there is none, or it cannot be read any more."""
    row = connection.execute(_FIND, (about,)).fetchone()
    return None if row is None else _unpacked(row[0])


def origin(connection: sqlite3.Connection, prompt_id: str) -> str | None:
    """As `find`, the text about the job of that id."""
    row = connection.execute(_ORIGIN, (prompt_id,)).fetchone()
    return None if row is None else _unpacked(row[0])


def _drop(connection: sqlite3.Connection, keep: Keep) -> bool:
    """Forget some of the oldest if there are too many; whether there may be more to forget.

    The newest stays, however long it is.
    """
    texts, held = connection.execute(_HELD).fetchone()
    oldest = connection.execute(_OLDEST, (_LOOKED_AT_ONCE,)).fetchall() if texts > 1 else []
    last = None
    for number, size in oldest:
        if texts <= 1 or (texts <= keep.texts and held <= keep.bytes):
            break
        last, texts, held = number, texts - 1, held - size
    if last is None:
        return False
    connection.execute(_DROP, (last,))
    return True


def _unpacked(data: object) -> str | None:
    """The text; None if somebody wrote there what is none, or has no end."""
    if not isinstance(data, bytes):
        return None
    unpacking = zlib.decompressobj()
    try:
        plain = unpacking.decompress(data, MOST_TEXT + 1)
        return plain.decode(errors="surrogatepass") if unpacking.eof else None
    except (zlib.error, UnicodeDecodeError):
        return None
