"""A state that 0.1.0 left behind is brought up in one step, and nothing in it is lost."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import comfy_mcp
from comfy_mcp.errors import StateError
from comfy_mcp.store import (
    UNIT,
    Admitted,
    Charge,
    Full,
    MadeFile,
    SqliteStore,
)
from comfy_mcp.store.schema import VERSION, prepare
from comfy_mcp.store.tables import STEPS
from tests.store.sample import DAY, HOST, MINUTE, a_cap, asking, calls, running

pytestmark = pytest.mark.anyio

ROOT = Path(comfy_mcp.__file__).parent.parent
FIRST = Path(__file__).with_name("state-0.1.0.sql")
MIGRANT = Path(__file__).with_name("migrant.py")
LAST = 1_700_000_009_000
"""The last time that the old state has seen."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a state of version 1."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    file = folder / "guard.db"
    file.touch(0o600)
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(FIRST.read_text(encoding="utf-8"))
    return folder


def ask(folder: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "guard.db")) as connection:
        return connection.execute(query).fetchall()


def dumped(folder: Path) -> list[str]:
    """All that is in the file, and its version."""
    with closing(sqlite3.connect(folder / "guard.db")) as connection:
        version = connection.execute("PRAGMA user_version").fetchone()
        return [str(version), *connection.iterdump()]


def statements(folder: Path) -> int:
    """How many statements bring the state of *folder* up."""
    told: list[str] = []
    with closing(sqlite3.connect(folder / "guard.db", isolation_level=None)) as connection:
        connection.set_trace_callback(told.append)
        prepare(connection, folder, 1)
    return len(told) - next(at for at, text in enumerate(told) if "IMMEDIATE" in text)


def counted(counter: str, holder: str, most: int = 99) -> Charge:
    return Charge(counter, holder, UNIT, most * UNIT, MINUTE, "/limits/0")


async def test_the_fixture_is_a_state_of_version_1(folder: Path) -> None:
    assert ask(folder, "PRAGMA user_version") == [(1,)]
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for statement in STEPS[0]:
            connection.execute(statement)
        tables = "SELECT name, sql FROM sqlite_master ORDER BY name"
        assert connection.execute(tables).fetchall() == ask(folder, tables)
        application = connection.execute("PRAGMA application_id").fetchone()
        assert [application] == ask(folder, "PRAGMA application_id")


async def test_counters_count_on(folder: Path) -> None:
    store = SqliteStore(folder)
    rate, runs = counted("rate:run_workflow:60s", "alice", 3), counted("runs", "*", 4)

    uses = await store.peek(LAST, (rate, runs, counted("runs", "alice")))
    assert [use.used for use in uses] == [3 * UNIT, 4 * UNIT, 0]
    assert await store.admit(asking(LAST, rate)) == Full(rate, 3 * UNIT, 52_000)
    assert await store.admit(asking(LAST, runs)) == Full(runs, 4 * UNIT, 52_000)
    assert await store.admit(asking(LAST + 52_000, rate, runs)) == Admitted(LAST + 52_000)
    await store.close()


async def test_the_chain_goes_on_where_it_ended(folder: Path) -> None:
    (old,) = ask(folder, "SELECT seq, hash FROM head")
    store = SqliteStore(folder)

    head = await store.head()
    assert (head.seq, head.hash, head.last_ms) == (*old, LAST)
    await store.record(LAST, {"new": True})
    assert await store.verify((head.seq, head.hash)) == (8, None)
    await store.close()


async def test_jobs_are_kept_with_their_slots(folder: Path) -> None:
    store = SqliteStore(folder)
    (running,) = await store.unfinished(host=HOST)
    assert (running.prompt_id, running.grant, running.shape, running.cap_ms) == (
        "p4",
        "alice",
        "",
        None,
    )
    cap = a_cap(1, grant="alice")
    assert await store.admit(asking(LAST, slots=(cap,))) == Full(cap, 1, None)

    assert await store.move_job("p4", "refused", LAST, gpu_ms=5)
    assert await store.admit(asking(LAST, slots=(cap,))) == Admitted(LAST)
    # 0.1.0 never gave a call back, and what it took stays taken.
    (use,) = await store.peek(LAST, (counted("runs", "*"),))
    assert use.used == 4 * UNIT
    ended = await store.job("p1")
    assert ended is not None
    assert (ended.status, ended.result["started_ms"]) == ("completed", 1_700_000_001_500)
    await store.close()


async def test_files_of_jobs_that_ended_are_those_of_their_grants(folder: Path) -> None:
    store = SqliteStore(folder)
    twice = MadeFile("output", "", "a_00001_.png")
    seen = MadeFile("temp", "deep/er", "seen.png")
    uploaded = MadeFile("input", "", "in.png")

    assert await store.makers(HOST, (twice, seen, uploaded)) == {
        twice: "bob",
        seen: "alice",
        uploaded: None,
    }
    await store.close()


@pytest.mark.parametrize(
    "result", ["", "no json", "[]", '{"outputs": 5}', '{"outputs": [1, {}, {"type": "output"}]}']
)
async def test_a_result_that_nobody_can_read_stops_nothing(folder: Path, result: str) -> None:
    with closing(sqlite3.connect(folder / "guard.db")) as connection, connection:
        connection.execute("UPDATE jobs SET result = ? WHERE prompt_id = 'p1'", (result,))
    store = SqliteStore(folder)

    seen, theirs = MadeFile("temp", "deep/er", "seen.png"), MadeFile("output", "", "a_00001_.png")
    assert await store.makers(HOST, (seen, theirs)) == {seen: None, theirs: "bob"}
    await store.close()


async def test_bringing_up_happens_once_whoever_comes_first(folder: Path) -> None:
    stores = [SqliteStore(folder) for _ in range(6)]
    assert await asyncio.gather(*(store.verify() for store in stores)) == [(7, None)] * 6
    assert ask(folder, "PRAGMA user_version") == [(VERSION,)]
    for store in stores:
        await store.close()


async def test_a_server_of_version_1_that_still_runs_goes_on_counting(folder: Path) -> None:
    store, limit = SqliteStore(folder), calls(2)
    await store.admit(asking(LAST, limit))
    with closing(sqlite3.connect(folder / "guard.db")) as connection, connection:
        connection.execute(
            "INSERT INTO charges (decision_id, counter, holder, at_ms, amount)"
            " VALUES ('dec_old', 'calls', 'ann', ?, ?)",
            (LAST, UNIT),
        )

    assert await store.admit(asking(LAST, limit)) == Full(limit, 2 * UNIT, MINUTE)
    with closing(sqlite3.connect(folder / "guard.db")) as connection, connection:
        connection.execute("DELETE FROM charges WHERE decision_id = 'dec_old'")
    assert await store.admit(asking(LAST, limit)) == Admitted(LAST)
    await store.close()


async def test_a_state_of_a_later_version_is_refused_untouched(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "guard.db")) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    before = dumped(folder)
    store = SqliteStore(folder)

    with pytest.raises(StateError, match="Use the newest comfy-mcp-guard"):
        await store.admit(asking(LAST))
    assert dumped(folder) == before
    await store.close()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a signal that cannot be caught")
async def test_a_process_that_ends_while_it_brings_a_state_up_leaves_version_1(
    folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(folder, tmp_path / "probe")
    count = statements(tmp_path / "probe")
    assert count > 20

    before = dumped(folder)
    for last in range(count - 1):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, MIGRANT, folder, str(last)),
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert await process.wait() == -9
        assert dumped(folder) == before, f"killed before statement {last}"
    assert statements(folder) == count


@pytest.fixture(autouse=True)
def _unread() -> Iterator[None]:
    """The file that all of this began with is never written to."""
    before = FIRST.read_bytes()
    yield
    assert FIRST.read_bytes() == before


async def test_charges_older_than_any_window_are_forgotten_after_a_move(folder: Path) -> None:
    store = SqliteStore(folder)
    await store.admit(running("new", counted("runs", "*"), now_ms=LAST + 40 * DAY))

    assert [(one.counter, one.rows) for one in await store.accounts()] == [("runs", 1)]
    await store.close()
