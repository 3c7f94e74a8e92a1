"""The SQLite store waits a bounded time, forgets only what no window sees, and stays itself."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from comfy_mcp.errors import StateError
from comfy_mcp.store import UNIT, Admission, Admitted, Charge, SqliteStore
from comfy_mcp.store.worker import Worker

pytestmark = pytest.mark.anyio

NOW = 1_700_000_000_000
DAY = 86_400_000


def asking(now_ms: int, window_ms: int = 60_000, count: int = 1) -> Admission:
    charge = Charge("calls", "ann", UNIT, 9_999 * UNIT, window_ms, "/limits/0")
    return Admission("dec_1", now_ms, {}, charges=(charge,) * count)


def locked(folder: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(folder / "guard.db", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    return connection


def empty(folder: Path) -> Path:
    folder.mkdir(mode=0o700)
    (folder / "guard.db").touch(0o600)
    return folder


def hasty(folder: Path) -> SqliteStore:
    """A store that gives up a lock soon, but not its own turn: a slow machine is no lock."""
    store = SqliteStore(folder, patience_ms=200)
    store._worker = Worker(5)
    return store


def charges(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "guard.db")) as connection:
        return connection.execute("SELECT count(*) FROM charges").fetchone()[0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
async def store(folder: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(folder)
    yield store
    await store.close()


async def test_a_lock_is_not_waited_for_for_ever(folder: Path) -> None:
    store = hasty(folder)
    await store.record(NOW, {})
    with closing(locked(folder)):
        with pytest.raises(StateError, match="locked by another process"):
            await store.admit(asking(NOW))
        assert await store.verify() == (1, None)

    assert await store.admit(asking(NOW)) == Admitted(at_ms=NOW)
    await store.close()


async def test_a_locked_file_cannot_be_made_a_state(folder: Path) -> None:
    store = hasty(empty(folder))
    with closing(locked(folder)), pytest.raises(StateError, match="locked by another process"):
        await store.record(NOW, {})

    await store.record(NOW, {})
    await store.close()


async def test_waiting_for_a_lock_does_not_stop_the_event_loop(
    folder: Path, store: SqliteStore
) -> None:
    await store.record(NOW, {})
    with closing(locked(folder)):
        asked = asyncio.ensure_future(store.admit(asking(NOW)))
        await asyncio.wait([asked], timeout=0.02)
        assert not asked.done()

    assert await asyncio.wait_for(asked, 20) == Admitted(at_ms=NOW)


async def test_charges_that_no_window_can_see_are_forgotten(
    folder: Path, store: SqliteStore
) -> None:
    for _ in range(30):
        await store.admit(asking(NOW, count=2))
    await store.admit(asking(NOW + 31 * DAY - 1))
    assert charges(folder) == 61

    for _ in range(5):
        await store.admit(asking(NOW + 31 * DAY))
    assert charges(folder) == 6


async def test_each_call_forgets_more_than_it_brings_and_not_too_much(
    folder: Path, store: SqliteStore
) -> None:
    for _ in range(10):
        await store.admit(asking(NOW, count=20))

    await store.admit(asking(NOW + 32 * DAY, count=20))
    assert 150 < charges(folder) < 200


async def test_charges_of_a_longer_window_are_kept_for_it(folder: Path, store: SqliteStore) -> None:
    await store.admit(asking(NOW, window_ms=90 * DAY))
    await store.admit(asking(NOW + 89 * DAY))
    assert charges(folder) == 2
    await store.admit(asking(NOW + 90 * DAY))
    assert charges(folder) == 2


async def test_a_state_that_is_gone_while_a_server_runs_is_not_begun_anew_by_it(
    folder: Path, store: SqliteStore
) -> None:
    # Begun anew, it would know no freeze, no budget and no key of what was admitted.
    await store.record(NOW, {"number": 1})
    shutil.move(folder, folder.with_name("elsewhere"))

    for _ in range(2):
        with pytest.raises(StateError, match="was removed while this server ran"):
            await store.admit(asking(NOW))
        with pytest.raises(StateError, match="Put it back"):
            await store.job("p1")

    # Had anybody made the folder again, it would be moved into that.
    shutil.move(folder.with_name("elsewhere"), folder)
    await store.record(NOW, {"number": 2})
    assert [row.record["number"] for row in await store.tail(9)] == [1, 2]


async def test_a_state_that_another_server_began_anew_is_shared_with_it(
    folder: Path, store: SqliteStore
) -> None:
    await store.record(NOW, {"number": 1})
    shutil.rmtree(folder)
    other = SqliteStore(folder)
    await other.record(NOW, {"number": 2})

    await store.record(NOW, {"number": 3})
    assert [row.record["number"] for row in await other.tail(9)] == [2, 3]
    await other.close()
    assert await store.verify() == (2, None)


async def test_a_failed_operation_leaves_the_store_usable(store: SqliteStore) -> None:
    with pytest.raises(StateError, match="refused a value"):
        await store.record(2**70, {})
    with pytest.raises(StateError, match="refused a value"):
        await store.job("\ud800")

    await store.record(NOW, {})
    assert await store.verify() == (1, None)
