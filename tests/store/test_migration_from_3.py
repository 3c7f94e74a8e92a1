"""A state of format 3 learns to ask people and loses nothing; a server of that format may go on."""

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
    Full,
    MadeFile,
    Parked,
    Refund,
    Repeated,
    SqliteStore,
)
from comfy_mcp.store.asked import SPENT
from comfy_mcp.store.chain import canonical, link
from comfy_mcp.store.schema import VERSION
from comfy_mcp.store.tables import STEPS
from tests.store.sample import (
    HOST,
    MINUTE,
    YES,
    a_cap,
    a_request,
    approved,
    asking,
    calls,
    parked,
    running,
    spending,
)

pytestmark = pytest.mark.anyio

ROOT = Path(comfy_mcp.__file__).parent.parent
THIRD = Path(__file__).with_name("state-format-3.sql")
MIGRANT = Path(__file__).with_name("migrant.py")
LAST = 1_700_000_011_000
"""The last time that the old state has seen."""

TABLES = "SELECT name, sql FROM sqlite_master ORDER BY name"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a state of format 3."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    (folder / "guard.db").touch(0o600)
    with closing(sqlite3.connect(folder / "guard.db")) as connection:
        connection.executescript(THIRD.read_text(encoding="utf-8"))
    return folder


def ask(folder: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "guard.db")) as connection:
        return connection.execute(query).fetchall()


async def test_the_fixture_is_a_state_of_format_3(folder: Path) -> None:
    assert ask(folder, "PRAGMA user_version") == [(3,)]
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for step in STEPS[:3]:
            for statement in step:
                connection.execute(statement)
        assert connection.execute(TABLES).fetchall() == ask(folder, TABLES)


async def test_jobs_keys_budgets_files_freezes_and_the_chain_are_all_kept(folder: Path) -> None:
    gpu = Charge("gpu_seconds", "alice", 0, 900 * UNIT, 3_600_000, "/g", refund=Refund.SETTLED)
    runs = Charge("runs", "*", 0, 9 * UNIT, MINUTE, "/limits/0")
    store = SqliteStore(folder)

    uses = await store.peek(LAST, (gpu, runs), (a_cap(9, grant="alice"),))
    assert [use.used for use in uses] == [69 * UNIT, 5 * UNIT, 2]
    assert [row.prompt_id for row in await store.unfinished(host=HOST)] == ["p4", "p5"]
    made = MadeFile("output", "", "b_00001_.png")
    assert await store.makers(HOST, (made,)) == {made: "alice"}
    assert isinstance(await store.standing("carl", LAST, reads=True), Frozen)
    assert isinstance(await store.standing("bob", LAST, reads=True), Cooling)
    keyed = await store.keyed(HOST, "alice", "monday")
    assert keyed is not None
    assert (keyed.prompt_id, keyed.request, keyed.progress) == ("p5", "sha256:r", None)
    repeated = await store.admit(running("p9", now_ms=LAST, grant="alice", key="monday"))
    assert repeated == Repeated(keyed)
    assert await store.verify() == (9, None)
    await store.close()
    assert ask(folder, "PRAGMA user_version") == [(VERSION,)]


async def test_it_begins_with_no_request_and_asks_from_now_on(folder: Path) -> None:
    store = SqliteStore(folder)
    assert await store.approvals(LAST, count=9) == ()
    assert await store.approvals_mark(LAST) == (0, 0)
    assert await store.approval_figures(LAST) == ()

    await approved(store, now_ms=LAST)
    assert await store.admit(spending(now_ms=LAST)) == Admitted(LAST)
    assert await store.approval_status("apr_1", LAST) == SPENT
    await store.close()


OLD_CHARGE = """
    INSERT INTO charges (decision_id, counter, holder, at_ms, amount, refund)
    VALUES ('dec_old', 'calls', 'ann', ?, ?, 'never')
"""
OLD_JOB = """
    INSERT INTO jobs (
        prompt_id, owner, host, workflow, digest, shape, cap_ms, cap_rule, key, request,
        decision_id, created_ms, changed_ms, status, result, open
    ) VALUES (?, 'ann', ?, 'card', 'sha256:9', '', NULL, '', ?, '', 'dec_old', ?, ?, 'submitting',
        '{}', 1)
"""
OLD_ROW = "INSERT INTO audit (seq, at_ms, previous, hash, record) VALUES (?, ?, ?, ?, ?)"
OLD_END = "UPDATE jobs SET status = 'completed', open = 0 WHERE prompt_id = ?"


def old_admission(connection: sqlite3.Connection, prompt_id: str) -> None:
    """What a server of format 3 writes of a call that it lets in."""
    connection.execute("BEGIN IMMEDIATE")
    last_ms, seq, before = connection.execute("SELECT last_ms, seq, hash FROM head").fetchone()
    record = canonical({"old": prompt_id})
    hashed = link(before, seq + 1, last_ms, record)
    connection.execute(OLD_CHARGE, (last_ms, UNIT))
    connection.execute(OLD_JOB, (prompt_id, HOST, prompt_id, last_ms, last_ms))
    connection.execute(OLD_ROW, (seq + 1, last_ms, before, hashed, record))
    connection.execute("UPDATE head SET seq = ?, hash = ?", (seq + 1, hashed))
    connection.execute("COMMIT")


async def test_a_server_of_format_3_that_still_runs_goes_on(folder: Path) -> None:
    limit = calls(2)
    with closing(sqlite3.connect(folder / "guard.db", isolation_level=None)) as old:
        assert old.execute("SELECT count(*) FROM jobs").fetchone() == (5,)
        store = SqliteStore(folder)
        await parked(store, now_ms=LAST)
        old_admission(old, "old1")
        await store.rule(LAST, "apr_1", YES, {})
        old_admission(old, "old2")

        # Both count, both write one chain, and what it knows nothing of stays as it is.
        refused = await store.admit(spending("apr_1", LAST, limit))
        assert refused == Full(limit, 2 * UNIT, MINUTE)
        assert await store.admit(spending(now_ms=LAST)) == Admitted(LAST)
        assert await store.verify() == (14, None)
        assert await store.keyed(HOST, "ann", "old2") == await store.job("old2")

        # It ends a job without a word on how far it was.
        await store.note_progress("old1", LAST, {"percent": 40})
        old.execute(OLD_END, ("old1",))
    ended, running = await store.job("old1"), await store.job("old2")
    assert ended is not None
    assert running is not None
    assert (ended.status, ended.progress, running.status) == ("completed", None, "submitting")
    await store.close()


async def test_bringing_up_happens_once_whoever_comes_first(folder: Path) -> None:
    stores = [SqliteStore(folder) for _ in range(6)]
    answers = await asyncio.gather(
        *(
            s.park(LAST, a_request(f"apr_{n}", match="same"), {}, most=9)
            for n, s in enumerate(stores)
        )
    )
    assert sum(isinstance(answer, Parked) and answer.is_new for answer in answers) == 1
    assert await stores[0].verify() == (10, None)
    for store in stores:
        await store.close()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a signal that cannot be caught")
async def test_a_process_that_ends_while_it_brings_a_state_up_leaves_format_3(
    folder: Path,
) -> None:
    before = ask(folder, TABLES)
    for last in range(len(STEPS[3]) + 1):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, MIGRANT, folder, str(last)),
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert await process.wait() == -9
        assert ask(folder, "PRAGMA user_version") == [(3,)]
        assert ask(folder, TABLES) == before

    store = SqliteStore(folder)
    assert await store.admit(asking(LAST)) == Admitted(LAST)
    await store.close()
