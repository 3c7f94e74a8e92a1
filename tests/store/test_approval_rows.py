"""Requests in the file: synced, bounded, found by index, and not to be bent by an edit."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from comfy_mcp.errors import StateError
from comfy_mcp.store import Ruling, SqliteStore, overview
from comfy_mcp.store import approvals as rows
from comfy_mcp.store.asked import DENIED
from comfy_mcp.store.database import Database
from comfy_mcp.store.head import Head
from comfy_mcp.store.schema import prepare
from tests.store.sample import (
    DAY,
    HOUR,
    NOW,
    PERSON,
    YES,
    a_job,
    a_request,
    approved,
    asking,
    edited,
    parked,
    spending,
)

pytestmark = pytest.mark.anyio

NORMAL, FULL = 1, 2
"""SQLite's numbers of the two modes."""

EXPLAINED = {
    "owner": "ann",
    "host": "h",
    "kind": "call",
    "matched": "m",
    "approval_id": "apr_1",
    "now_ms": NOW,
    "before": 9,
    "statuses": "[]",
    "count": 3,
    "most": 9,
    "payloads": True,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
async def store(folder: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(folder)
    yield store
    await store.close()


def counted(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "guard.db")) as connection:
        return int(connection.execute("SELECT count(*) FROM approvals").fetchone()[0])


# On the disk before anybody hears of it


def mode(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA synchronous").fetchone()[0])


def test_what_is_durable_is_written_in_full_and_nothing_else(folder: Path) -> None:
    database = Database(folder, 5)

    def work(connection: sqlite3.Connection, head: Head) -> tuple[Head, int]:
        assert connection.in_transaction
        return head, mode(connection)

    levels = [database.write(NOW, work, durable=full) for full in (False, True, True, False, True)]
    assert levels == [NORMAL, FULL, FULL, NORMAL, FULL]
    with pytest.raises(StateError):
        database.write(2**70, work, durable=True)
    assert database.write(NOW, work) == NORMAL
    database.close()


def spied(connection: sqlite3.Connection) -> None:
    """Every new row of the log asks in which mode its own transaction is."""
    connection.execute("CREATE TEMP TABLE modes (level INTEGER)")
    connection.execute(
        """CREATE TEMP TRIGGER spy AFTER INSERT ON audit BEGIN
            INSERT INTO modes SELECT synchronous FROM pragma_synchronous;
        END"""
    )


def levels(connection: sqlite3.Connection) -> list[int]:
    return [row[0] for row in connection.execute("SELECT level FROM modes ORDER BY rowid")]


async def test_requests_rulings_and_spending_are_written_in_full(store: SqliteStore) -> None:
    await store._read(spied)
    await parked(store)
    await store.rule(NOW, "apr_1", YES, {})
    await store.admit(asking(job=a_job("p1")))
    await store.record(NOW, {})
    await store.admit(spending(job=a_job("p2")))
    await store.refuse(NOW, {})
    await store.move_job("p2", "completed", NOW, record={})
    await parked(store, "apr_2")
    await parked(store, "apr_3", match=a_request("apr_2").match, policy="policy 2")

    assert await store._read(levels) == [
        *(FULL, FULL, NORMAL, NORMAL, FULL, NORMAL, NORMAL),
        *(FULL, FULL, FULL),
    ]


# Bounded


async def test_what_ended_ninety_days_ago_is_forgotten_and_its_story_is_not(
    folder: Path, store: SqliteStore
) -> None:
    await parked(store, "apr_1", NOW)
    await parked(store, "apr_2", NOW + 1)
    over = NOW + HOUR + 90 * DAY

    await parked(store, "apr_3", over - 1)
    assert counted(folder) == 3
    await parked(store, "apr_4", over)
    assert [row.approval_id for row in await store.approvals(over, count=9)] == [
        *("apr_4", "apr_3", "apr_2"),
    ]
    assert await store.verify() == (4, None)


async def test_each_request_forgets_more_than_it_brings(folder: Path, store: SqliteStore) -> None:
    for number in range(40):
        await parked(store, f"apr_{number}")
    seqs = [row.seq for row in await store.approvals(NOW, count=99)]
    for number in range(4):
        row = await parked(store, f"new_{number}", NOW + 91 * DAY)
        # No number is given twice: a page goes on where it ended.
        assert row.seq == seqs[0] + number + 1
    assert counted(folder) == 4


async def test_a_request_that_lives_long_keeps_no_other_from_being_forgotten(
    folder: Path, store: SqliteStore
) -> None:
    await parked(store, "long", lives_ms=365 * DAY)
    for number in range(20):
        await parked(store, f"apr_{number}")
    for number in range(3):
        await parked(store, f"new_{number}", NOW + 91 * DAY)
    assert counted(folder) == 4


MANY = f"""
    INSERT INTO approvals (
        approval_id, kind, owner, host, tool, matched, effect, policy, channel, status,
        created_ms, expires_ms, told, ruling, facts, payload
    )
    WITH RECURSIVE numbers (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM numbers WHERE n < 10050)
    SELECT 'old_' || n, 'call', 'ann', 'h', 't', 'm' || n, 'e', 'p', 'any', 'cancelled',
        {NOW - HOUR}, {NOW + HOUR}, 1, '{{}}', '{{}}', '{{}}'
    FROM numbers
"""  # noqa: S608 - our own words
"""More requests than are kept of one grant, all of them taken back."""


async def test_who_asks_and_takes_back_for_ever_fills_nothing(
    folder: Path, store: SqliteStore
) -> None:
    await parked(store, "of bob", grant="bob")
    await parked(store, "denied")
    await store.rule(NOW, "denied", Ruling(DENIED, PERSON), {})
    await parked(store, "pending")
    await approved(store, "approved")
    await parked(store, "over", lives_ms=0)
    edited(folder, MANY)

    for number in range(9):
        await parked(store, f"new_{number}")
        await store.rule(NOW, f"new_{number}", Ruling("cancelled", PERSON), {})

    kept = [row.approval_id for row in await store.approvals(NOW, count=99_999)]
    # What may still move, and every no that still holds, stays whatever comes after it.
    assert kept[-4:] == ["approved", "pending", "denied", "of bob"]
    assert kept[9] == "old_10050"
    assert kept[9_999] == "old_60"
    assert len(kept) == 10_004


# Found without searching


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (rows._FIND, "sqlite_autoindex_approvals_1"),
        (rows._STATUS_OF, "sqlite_autoindex_approvals_1"),
        (rows._STANDING, "approvals_standing"),
        (rows._PENDING, "approvals_live"),
        (overview._LIVE, "approvals_live"),
        (overview._OF_ONE, "approvals_by_owner"),
        (overview._OF_ALL, "INTEGER PRIMARY KEY"),
        (overview._MARK, "approvals_live"),
        (overview._MARK, "approvals_told"),
        (rows._PRUNE_OF_ONE, "approvals_by_owner"),
        (rows._HOURLY, "approvals_by_owner"),
        (rows._LIGHTEN, "approvals_heavy"),
    ],
)
def test_everything_is_answered_from_an_index(tmp_path: Path, query: str, index: str) -> None:
    with closing(sqlite3.connect(tmp_path / "guard.db", isolation_level=None)) as connection:
        prepare(connection, tmp_path, 1)
        plan = connection.execute(f"EXPLAIN QUERY PLAN {query}", EXPLAINED).fetchall()
    steps = [step[3] for step in plan if "approvals" in step[3]]
    assert all(step.startswith("SEARCH approvals USING") for step in steps)
    assert any(index in step for step in steps)


async def test_what_is_written_is_canonical_json(folder: Path, store: SqliteStore) -> None:
    payload: dict[str, Any] = {"b": [1, {"d": 2, "c": "\N{SNOWMAN}"}], "a": None}
    await approved(store, payload=payload)
    with closing(sqlite3.connect(folder / "guard.db")) as connection:
        (row,) = connection.execute("SELECT payload, ruling FROM approvals").fetchall()
    by = '{"assurance":"operator","channel":"terminal","user":"eve"}'
    assert row == (
        '{"a":null,"b":[1,{"c":"\\u2603","d":2}]}',
        f'{{"by":{by},"changes":{{}},"reason":"Go on."}}',
    )
