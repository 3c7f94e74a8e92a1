"""A state of format 2 gets its keys and loses nothing; a server of that format may go on."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

import comfy_mcp
from comfy_mcp.store import (
    UNIT,
    Admitted,
    Charge,
    Cooling,
    Frozen,
    MadeFile,
    Refund,
    Repeated,
    SqliteStore,
)
from comfy_mcp.store.schema import VERSION
from comfy_mcp.store.tables import STEPS
from tests.store.sample import HOST, MINUTE, a_cap, asking, running

pytestmark = pytest.mark.anyio

ROOT = Path(comfy_mcp.__file__).parent.parent
SECOND = Path(__file__).with_name("state-format-2.sql")
MIGRANT = Path(__file__).with_name("migrant.py")
LAST = 1_700_000_009_000
"""The last time that the old state has seen."""

OLD_INSERT = """
    INSERT INTO jobs (
        prompt_id, owner, host, workflow, digest, shape, cap_ms, cap_rule, decision_id, created_ms,
        changed_ms, status, result, open
    ) VALUES (?, 'ann', ?, 'card', 'sha256:9', '', NULL, '', 'dec_old', ?, ?, 'submitting', '{}', 1)
"""
"""How a server of format 2 writes a job."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a state of format 2."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    (folder / "guard.db").touch(0o600)
    with closing(sqlite3.connect(folder / "guard.db")) as connection:
        connection.executescript(SECOND.read_text(encoding="utf-8"))
    return folder


def ask(folder: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "guard.db")) as connection:
        return connection.execute(query).fetchall()


async def test_the_fixture_is_a_state_of_format_2(folder: Path) -> None:
    assert ask(folder, "PRAGMA user_version") == [(2,)]
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for step in STEPS[:2]:
            for statement in step:
                connection.execute(statement)
        tables = "SELECT name, sql FROM sqlite_master ORDER BY name"
        assert connection.execute(tables).fetchall() == ask(folder, tables)


async def test_jobs_budgets_files_freezes_and_the_chain_are_all_kept(folder: Path) -> None:
    gpu = Charge("gpu_seconds", "alice", 0, 900 * UNIT, 3_600_000, "/g", refund=Refund.SETTLED)
    runs = Charge("runs", "*", 0, 9 * UNIT, MINUTE, "/limits/0")
    store = SqliteStore(folder)

    uses = await store.peek(LAST, (gpu, runs), (a_cap(9, grant="alice"),))
    assert [use.used for use in uses] == [64 * UNIT, 4 * UNIT, 2]
    assert [row.prompt_id for row in await store.unfinished(host=HOST)] == ["p3", "p4"]
    made = MadeFile("output", "", "a_00001_.png")
    assert await store.makers(HOST, (made,)) == {made: "alice"}
    assert isinstance(await store.standing("carl", LAST, reads=True), Frozen)
    assert isinstance(await store.standing("bob", LAST, reads=True), Cooling)
    assert await store.verify() == (7, None)
    assert await store.estimate(HOST, "s") == 4_000
    await store.close()
    assert ask(folder, "PRAGMA user_version") == [(VERSION,)]


async def test_old_jobs_have_no_key_and_new_ones_may(folder: Path) -> None:
    store = SqliteStore(folder)
    listed = await store.jobs(HOST, count=9)
    assert [(row.prompt_id, row.seq, row.key, row.request) for row in listed] == [
        ("p2", 2, "", ""),
        ("p1", 1, "", ""),
    ]
    assert await store.keyed(HOST, "alice", "") is None

    asked = running("new", now_ms=LAST, key="k", request="r")
    assert await store.admit(asked) == Admitted(LAST)
    row = await store.job("new")
    assert row is not None
    assert row.seq == 5
    assert await store.admit(running("newer", now_ms=LAST, key="k", request="r")) == Repeated(row)
    await store.close()


async def test_a_server_of_format_2_that_still_runs_goes_on_writing_jobs(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "guard.db", isolation_level=None)) as old:
        assert old.execute("SELECT count(*) FROM jobs").fetchone() == (4,)
        store = SqliteStore(folder)
        await store.admit(running("new", now_ms=LAST, key="k"))

        for name in ("old1", "old2"):
            old.execute(OLD_INSERT, (name, HOST, LAST, LAST))
        old.execute("UPDATE jobs SET status = 'refused', open = 0 WHERE prompt_id = 'new'")

    assert await store.admit(running("newer", now_ms=LAST, key="k")) == Admitted(LAST)
    open_jobs = [row.prompt_id for row in await store.unfinished(host=HOST, grant="ann")]
    assert open_jobs == ["old1", "old2", "newer"]
    await store.close()


async def test_bringing_up_happens_once_whoever_comes_first(folder: Path) -> None:
    stores = [SqliteStore(folder) for _ in range(6)]
    answers = await asyncio.gather(
        *(s.admit(running(f"n{n}", now_ms=LAST, key="k")) for n, s in enumerate(stores))
    )
    assert sum(isinstance(answer, Admitted) for answer in answers) == 1
    assert await stores[0].verify() == (8, None)
    for store in stores:
        await store.close()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a signal that cannot be caught")
async def test_a_process_that_ends_while_it_brings_a_state_up_leaves_format_2(
    folder: Path,
) -> None:
    before = ask(folder, "SELECT name, sql FROM sqlite_master ORDER BY name")
    for last in range(len(STEPS[2]) + 1):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, MIGRANT, folder, str(last)),
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert await process.wait() == -9
        assert ask(folder, "PRAGMA user_version") == [(2,)]
        assert ask(folder, "SELECT name, sql FROM sqlite_master ORDER BY name") == before

    store = SqliteStore(folder)
    assert await store.admit(asking(LAST)) == Admitted(LAST)
    await store.close()
