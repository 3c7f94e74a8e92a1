"""Reading the audit log from any row on, and holding it against a head that was kept elsewhere."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_mcp.store import Head, SqliteStore, Store
from comfy_mcp.store.chain import GENESIS, canonical, link
from tests.store.sample import NOW, asking, calls, running

pytestmark = pytest.mark.anyio

ROWS = 6


async def written(store: Store, count: int = ROWS) -> None:
    for number in range(1, count + 1):
        await store.record(NOW + number, {"number": number})


def cut(folder: Path, seq: int) -> None:
    """The log ends with row *seq*, and the state itself says so, too."""
    last = "UPDATE head SET (seq, hash) = (SELECT seq, hash FROM audit WHERE seq = ?)"
    with closing(sqlite3.connect(folder / "guard.db")) as connection, connection:
        connection.execute("DELETE FROM audit WHERE seq > ?", (seq,))
        connection.execute(last, (seq,))


def rewritten(folder: Path, seq: int) -> None:
    """Row *seq* says something else, and every hash from there on, the head's too, agrees."""
    with closing(sqlite3.connect(folder / "guard.db")) as connection, connection:
        connection.execute("UPDATE audit SET record = '{}' WHERE seq = ?", (seq,))
        rows = connection.execute("SELECT seq, at_ms, record FROM audit ORDER BY seq").fetchall()
        previous = GENESIS
        for at, at_ms, record in rows:
            hashed = link(previous, at, at_ms, record)
            values = (previous, hashed, at)
            connection.execute("UPDATE audit SET previous = ?, hash = ? WHERE seq = ?", values)
            previous = hashed
        connection.execute("UPDATE head SET hash = ?", (previous,))


# Rows


async def test_rows_are_read_from_any_number_on(store: Store) -> None:
    await written(store)

    assert [row.seq for row in await store.rows(0, 3)] == [1, 2, 3]
    assert [row.record for row in await store.rows(4, 99)] == [{"number": 5}, {"number": 6}]
    for after, count in ((6, 9), (99, 9), (0, 0), (0, -1)):
        assert await store.rows(after, count) == ()
    assert await store.rows(-5, 99) == await store.tail(99)


async def test_pages_of_rows_are_the_whole_log(store: Store) -> None:
    await written(store, 11)
    pages, after = [], 0
    while page := await store.rows(after, 4):
        pages += page
        after = page[-1].seq
    assert tuple(pages) == await store.tail(99)


# Head


async def test_the_head_of_a_new_state_is_zeros(store: Store) -> None:
    assert await store.head() == Head(0, GENESIS, 0)


async def test_the_head_is_the_last_row_and_the_last_time(store: Store) -> None:
    await store.admit(running("p1"))
    await store.admit(asking(NOW + 9, calls(0)))
    (row,) = await store.tail(1)

    assert await store.head() == Head(1, row.hash, NOW + 9)
    assert row.hash == link(GENESIS, 1, NOW, canonical({"tool": "run_workflow"}))


# Against a head that was kept


async def test_every_row_that_was_ever_the_last_can_be_found_again(store: Store) -> None:
    kept = [(0, GENESIS)]
    for number in range(ROWS):
        await store.record(NOW, {"number": number})
        head = await store.head()
        kept.append((head.seq, head.hash))

    for head in kept:
        assert await store.verify(head) == (ROWS, None)


@pytest.mark.parametrize("seq", [-1, 0, 1, 3, ROWS, ROWS + 1, 2**70])
async def test_a_head_that_never_was_is_a_fault(store: Store, seq: int) -> None:
    await written(store)
    _, fault = await store.verify((seq, "f" * 64))
    assert f"row {min(seq, ROWS + 1)} " in str(fault)


async def test_a_dropped_tail_that_the_state_itself_has_forgotten_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    store = SqliteStore(folder)
    await written(store)
    head = await store.head()
    cut(folder, ROWS - 2)

    assert await store.verify() == (ROWS - 2, None)
    rows, fault = await store.verify((head.seq, head.hash))
    assert rows == ROWS - 2
    assert str(fault).startswith(f"row {ROWS - 1} is missing")
    await store.close()


async def test_a_dropped_tail_with_new_rows_in_its_place_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    store = SqliteStore(folder)
    await written(store)
    head = await store.head()
    cut(folder, ROWS - 1)
    await written(store, 3)

    assert await store.verify() == (ROWS + 2, None)
    rows, fault = await store.verify((head.seq, head.hash))
    assert rows == ROWS - 1
    assert str(fault).startswith(f"row {ROWS} ")
    await store.close()


async def test_a_chain_that_was_rewritten_without_a_seam_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    store = SqliteStore(folder)
    await written(store)
    heads = [(row.seq, row.hash) for row in await store.tail(ROWS)]
    rewritten(folder, 3)

    assert await store.verify() == (ROWS, None)
    for head in heads[:2]:
        assert await store.verify(head) == (ROWS, None)
    for seq, hashed in heads[2:]:
        rows, fault = await store.verify((seq, hashed))
        assert rows == seq - 1
        assert str(fault).startswith(f"row {seq} ")
    await store.close()


async def test_a_fault_of_the_chain_is_told_before_a_head_that_is_missing(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    store = SqliteStore(folder)
    await written(store)
    with closing(sqlite3.connect(folder / "guard.db")) as connection, connection:
        connection.execute("UPDATE audit SET record = '{}' WHERE seq = 2")

    assert await store.verify((99, GENESIS)) == await store.verify()
    await store.close()


# Any single change, by somebody who writes to the file


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state with a few rows, closed."""
    folder = tmp_path_factory.mktemp("log") / "state"

    async def write() -> None:
        store = SqliteStore(folder)
        await written(store)
        await store.close()

    asyncio.run(write())
    return folder


changes = st.one_of(
    st.tuples(
        st.just("UPDATE audit SET {} = ? WHERE seq = ?"),
        st.sampled_from(["at_ms", "previous", "hash", "record"]),
        st.one_of(st.integers(0, 2**62), st.text(max_size=5), st.binary(max_size=5)),
        st.integers(1, ROWS),
    ),
    st.tuples(
        st.just("UPDATE audit SET {} = (SELECT {} FROM audit WHERE seq = ?) WHERE seq = ?"),
        st.sampled_from(["at_ms", "previous", "hash", "record"]),
        st.integers(1, ROWS),
        st.integers(1, ROWS),
    ),
    st.tuples(
        st.just("DELETE FROM audit WHERE {0} BETWEEN ? AND ?"),
        st.just("seq"),
        st.integers(1, ROWS),
        st.integers(1, ROWS),
    ),
)


@given(change=changes)
def test_whatever_one_statement_changes_is_found(
    log: Path, change: tuple[str, str, object, int]
) -> None:
    statement, column, *values = change
    before = _content(log)
    copy = log.with_name("copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(log, copy)
    with closing(sqlite3.connect(copy / "guard.db")) as connection, connection:
        connection.execute(statement.format(column, column), values)

    async def verified() -> tuple[int, str | None]:
        store = SqliteStore(copy)
        try:
            return await store.verify()
        finally:
            await store.close()

    rows, fault = asyncio.run(verified())
    same = _content(copy) == before
    assert (fault is None) == same
    assert same == (rows == ROWS)


def _content(folder: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "guard.db")) as connection:
        connection.text_factory = bytes
        return connection.execute("SELECT *, typeof(record) FROM audit ORDER BY seq").fetchall()
