"""Disks that are full: a real one of a few hundred kilobytes, or a file that may not grow."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path

import pytest

from comfy_mcp.errors import StateError
from comfy_mcp.server import now_ms
from comfy_mcp.store import SqliteStore
from tests.faults.stage import Stage

__all__ = ["DISKS", "Full"]

SIZE = "640k"
PIECE = 4096

Full = Callable[[SqliteStore], AbstractAsyncContextManager[None]]
"""Makes the state of a store full for a while."""


async def small_disk(stage: Stage) -> Full:
    """The state folder on a small file system of its own; skips where none can be mounted."""
    stage.state.mkdir(mode=0o700)
    options = ("-t", "tmpfs", "-o", f"size={SIZE},mode=700", "tmpfs")
    if await _run("mount", *options, str(stage.state)):
        pytest.skip("no file system can be mounted here")
    stage.stack.push_async_callback(_run, "umount", str(stage.state))

    @asynccontextmanager
    async def full(_store: SqliteStore) -> AsyncGenerator[None]:
        ballast = stage.state / "ballast"
        _fill(ballast)
        try:
            yield
        finally:
            ballast.unlink()

    return full


async def fixed_file(_stage: Stage) -> Full:
    """A state file that must not get a page more, as SQLite sees a full disk."""

    @asynccontextmanager
    async def full(store: SqliteStore) -> AsyncGenerator[None]:
        await store._read(_may_not_grow)
        with suppress(StateError):
            while True:
                await store.record(now_ms(), {"kind": "filler", "words": "x" * PIECE})
        with suppress(StateError):
            while True:
                await store.record(now_ms(), {"kind": "filler"})
        try:
            yield
        finally:
            await store._read(_may_grow)

    return full


DISKS: dict[str, Callable[[Stage], Awaitable[Full]]] = {
    "disk": small_disk,
    "file": fixed_file,
}


def _fill(ballast: Path) -> None:
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"\0" * PIECE)


def _may_not_grow(connection: sqlite3.Connection) -> None:
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")


def _may_grow(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA max_page_count = 1000000")


async def _run(*words: str) -> int | None:
    try:
        process = await asyncio.create_subprocess_exec(
            *words, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
    except FileNotFoundError:
        return 127
    return await process.wait()
