"""A state of format 4 learns origins and sweeps and loses nothing; its servers may go on."""

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
    AdmittedTogether,
    Charge,
    Cooling,
    Frozen,
    Full,
    MadeFile,
    NewSweep,
    Refund,
    Repeated,
    RepeatedSweep,
    SqliteStore,
)
from comfy_mcp.store.asked import DENIED, PENDING, SPENT
from comfy_mcp.store.chain import canonical, link
from comfy_mcp.store.schema import VERSION
from comfy_mcp.store.tables import STEPS
from tests.store.sample import HOST, MINUTE, a_cap, asking, calls, running

pytestmark = pytest.mark.anyio

ROOT = Path(comfy_mcp.__file__).parent.parent
FOURTH = Path(__file__).with_name("state-format-4.sql")
MIGRANT = Path(__file__).with_name("migrant.py")
LAST = 1_700_000_009_200
"""The last time that the old state has seen."""

TABLES = "SELECT name, sql FROM sqlite_master ORDER BY name"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a state of format 4."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    (folder / "guard.db").touch(0o600)
    with closing(sqlite3.connect(folder / "guard.db")) as connection:
        connection.executescript(FOURTH.read_text(encoding="utf-8"))
    return folder


def ask(folder: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "guard.db")) as connection:
        return connection.execute(query).fetchall()


async def test_the_fixture_is_a_state_of_format_4_with_rows_in_every_table(folder: Path) -> None:
    assert ask(folder, "PRAGMA user_version") == [(4,)]
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for step in STEPS[:4]:
            for statement in step:
                connection.execute(statement)
        assert connection.execute(TABLES).fetchall() == ask(folder, TABLES)
    for (table,) in ask(folder, "SELECT name FROM sqlite_master WHERE type = 'table'"):
        assert ask(folder, f"SELECT count(*) > 0 FROM {table}") == [(1,)]  # noqa: S608 - our own words


async def test_jobs_keys_budgets_files_requests_and_the_chain_are_all_kept(folder: Path) -> None:
    gpu = Charge("gpu_seconds", "alice", 0, 900 * UNIT, 3_600_000, "/g", refund=Refund.SETTLED)
    runs = Charge("runs", "*", 0, 9 * UNIT, MINUTE, "/limits/0")
    store = SqliteStore(folder)

    uses = await store.peek(LAST, (gpu, runs), (a_cap(9, grant="alice"),))
    assert [use.used for use in uses] == [64 * UNIT, 3 * UNIT, 2]
    open_jobs = await store.unfinished(host=HOST)
    assert [(row.prompt_id, row.sweep, row.place) for row in open_jobs] == [
        ("p2", "", 0),
        ("p5", "", 0),
    ]
    assert open_jobs[0].progress == {"percent": 40}
    made = MadeFile("output", "", "a_00001_.png")
    assert await store.makers(HOST, (made,)) == {made: "alice"}
    assert isinstance(await store.standing("carl", LAST, reads=True), Frozen)
    assert isinstance(await store.standing("bob", LAST, reads=True), Cooling)
    statuses = [await store.approval_status(f"apr_{number}", LAST) for number in (1, 2, 3)]
    assert statuses == [SPENT, PENDING, DENIED]
    repeated = await store.admit(running("p9", now_ms=LAST, grant="alice", key="monday"))
    assert isinstance(repeated, Repeated)
    assert repeated.job.prompt_id == "p2"
    assert await store.verify() == (14, None)
    await store.close()
    assert ask(folder, "PRAGMA user_version") == [(VERSION,)]


async def test_it_begins_with_no_sweep_and_no_origin_and_keeps_them_from_now_on(
    folder: Path,
) -> None:
    store = SqliteStore(folder)
    assert await store.sweeps(HOST, "alice", count=9) == ()
    assert await store.origin("p1") is None
    assert await store.sweep_jobs("") == ()

    sweep = NewSweep("swp_1", "ann", HOST, "card", data="{}", key="k")
    ones = (running("q1", now_ms=LAST, origin="1"), running("q2", now_ms=LAST))
    assert await store.admit_together(ones, sweep) == AdmittedTogether(LAST)
    assert await store.origin("q1") == "1"
    assert isinstance(await store.admit_together(ones, sweep), RepeatedSweep)
    await store.close()


OLD_CHARGE = """
    INSERT INTO charges (decision_id, counter, holder, at_ms, amount, refund)
    VALUES ('dec_old', 'calls', 'ann', ?, ?, 'never')
"""
OLD_JOB = """
    INSERT INTO jobs (
        prompt_id, owner, host, workflow, digest, shape, cap_ms, cap_rule, key, request,
        decision_id, created_ms, changed_ms, status, result, open
    ) VALUES (?, 'ann', ?, 'card', 'sha256:9', '', NULL, '', '', '', 'dec_old', ?, ?, 'submitting',
        '{}', 1)
"""
OLD_ROW = "INSERT INTO audit (seq, at_ms, previous, hash, record) VALUES (?, ?, ?, ?, ?)"
OLD_END = "UPDATE jobs SET status = 'refused', open = 0 WHERE prompt_id = ?"


def old_admission(connection: sqlite3.Connection, prompt_id: str) -> None:
    """What a server of format 4 writes of a call that it lets in."""
    connection.execute("BEGIN IMMEDIATE")
    last_ms, seq, before = connection.execute("SELECT last_ms, seq, hash FROM head").fetchone()
    record = canonical({"old": prompt_id})
    hashed = link(before, seq + 1, last_ms, record)
    connection.execute(OLD_CHARGE, (last_ms, UNIT))
    connection.execute(OLD_JOB, (prompt_id, HOST, last_ms, last_ms))
    connection.execute(OLD_ROW, (seq + 1, last_ms, before, hashed, record))
    connection.execute("UPDATE head SET seq = ?, hash = ?", (seq + 1, hashed))
    connection.execute("COMMIT")


async def test_a_server_of_format_4_that_still_runs_goes_on(folder: Path) -> None:
    limit = calls(4)
    sweep = NewSweep("swp_1", "ann", HOST, "card", key="k")
    with closing(sqlite3.connect(folder / "guard.db", isolation_level=None)) as old:
        assert old.execute("SELECT count(*) FROM jobs").fetchone() == (4,)
        store = SqliteStore(folder)
        assert await store.admit(asking(LAST)) == Admitted(LAST)
        old_admission(old, "old1")
        old_admission(old, "old2")

        # Both count, and jobs of the old one are of no sweep, however many there are.
        ones = tuple(running(f"q{number}", limit, now_ms=LAST) for number in (1, 2))
        refused = await store.admit_together(ones, sweep)
        assert getattr(refused, "answer", None) == Full(limit, 3 * UNIT, MINUTE - 2_200)
        assert await store.admit_together(ones[:1], sweep) == AdmittedTogether(LAST)
        assert await store.verify() == (18, None)
        assert await store.sweep_jobs("") == ()

        # It ends a job of a sweep without a word about the sweep: the key stays taken.
        old.execute(OLD_END, ("q1",))
    assert isinstance(await store.admit_together(ones[1:], sweep), RepeatedSweep)
    await store.close()


async def test_bringing_up_happens_once_whoever_comes_first(folder: Path) -> None:
    stores = [SqliteStore(folder) for _ in range(6)]
    sweep = NewSweep("swp_1", "ann", HOST, "card", key="k")
    answers = await asyncio.gather(
        *(
            store.admit_together((running(f"q{number}", now_ms=LAST),), sweep)
            for number, store in enumerate(stores)
        )
    )
    assert sum(answer == AdmittedTogether(LAST) for answer in answers) == 1
    assert await stores[0].verify() == (15, None)
    for store in stores:
        await store.close()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a signal that cannot be caught")
async def test_a_process_that_ends_while_it_brings_a_state_up_leaves_format_4(
    folder: Path,
) -> None:
    before = ask(folder, TABLES)
    for last in range(len(STEPS[4]) + 1):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, MIGRANT, folder, str(last)),
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert await process.wait() == -9
        assert ask(folder, "PRAGMA user_version") == [(4,)]
        assert ask(folder, TABLES) == before

    store = SqliteStore(folder)
    assert await store.admit(asking(LAST)) == Admitted(LAST)
    await store.close()
