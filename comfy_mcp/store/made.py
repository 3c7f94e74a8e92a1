"""Who made which file, inside one transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, cast

from comfy_mcp.store.protocol import MadeFile

if TYPE_CHECKING:
    import sqlite3

__all__ = ["add", "adopt", "maker", "makers"]

# The last job in the order of submission: jobs are not always seen to end in the order they ran.
_ADD = """
    INSERT INTO files (host, type, subfolder, filename, owner, job)
    SELECT host, ?, ?, ?, owner, id FROM jobs WHERE id = ?
    ON CONFLICT (host, type, subfolder, filename) DO UPDATE
    SET owner = excluded.owner, job = excluded.job WHERE excluded.job >= job
"""
_MAKER = """
    SELECT owner FROM files WHERE host = ? AND type = ? AND subfolder = ? AND filename = ?
"""
_ENDED = "SELECT id, result FROM jobs WHERE open = 0 ORDER BY id"

_TYPES = frozenset({"output", "temp"})


def add(connection: sqlite3.Connection, job: int, files: Iterable[MadeFile]) -> None:
    """Write down that the job with this row number put out *files*.

    A name that is no Unicode text stays nobody's.
    """
    rows = [(*_key(file), job) for file in files if _is_text(file)]
    connection.executemany(_ADD, rows)


def maker(connection: sqlite3.Connection, host: str, file: MadeFile) -> str | None:
    """Whose job on *host* put *file* out last; None: nobody's."""
    if not _is_text(file):
        return None
    row = connection.execute(_MAKER, (host, *_key(file))).fetchone()
    return None if row is None else str(row[0])


def makers(
    connection: sqlite3.Connection, host: str, files: Iterable[MadeFile]
) -> dict[MadeFile, str | None]:
    """As `maker`, of each of *files*."""
    return {file: maker(connection, host, file) for file in files}


def adopt(connection: sqlite3.Connection) -> None:
    """Write down the files of jobs that ended before that was done, from their results."""
    for job, result in connection.execute(_ENDED).fetchall():
        add(connection, job, _files_of(result))


def _key(file: MadeFile) -> tuple[str, str, str]:
    return file.type, file.subfolder, file.filename


def _is_text(file: MadeFile) -> bool:
    try:
        "".join(_key(file)).encode()
    except UnicodeEncodeError:
        return False
    return True


def _files_of(result: str) -> Iterator[MadeFile]:
    """The files in what the journal kept of a job's end; what cannot be read made none."""
    try:
        data: Any = json.loads(result)
    except (TypeError, ValueError, RecursionError):
        return
    outputs: Any = cast("dict[str, Any]", data).get("outputs") if isinstance(data, dict) else None
    for item in cast("list[object]", outputs) if isinstance(outputs, list) else ():
        found = cast("dict[str, Any]", item) if isinstance(item, dict) else {}
        parts = (found.get("type"), found.get("subfolder"), found.get("filename"))
        if all(isinstance(part, str) for part in parts) and parts[0] in _TYPES and parts[2]:
            yield MadeFile(*cast("tuple[str, str, str]", parts))
