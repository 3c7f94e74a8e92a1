"""Whatever somebody does to a row of the log behind our back, the check says where."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from itertools import combinations
from pathlib import Path

import pytest

from comfy_mcp.errors import StateError
from comfy_mcp.store import SqliteStore

ROWS = 6

Statement = tuple[str, tuple[object, ...]]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state with a few rows, closed."""
    folder = tmp_path_factory.mktemp("log") / "state"

    async def write() -> None:
        store = SqliteStore(folder)
        for number in range(1, ROWS + 1):
            await store.record(1_000 + number, {"number": number})
        await store.close()

    asyncio.run(write())
    return folder


def verified_after(log: Path, tmp_path: Path, *statements: Statement) -> tuple[int, str | None]:
    copy = tmp_path / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(log, copy)
    with closing(sqlite3.connect(copy / "guard.db")) as connection, connection:
        for statement, values in statements:
            connection.execute(statement, values)

    async def verify() -> tuple[int, str | None]:
        store = SqliteStore(copy)
        try:
            return await store.verify()
        finally:
            await store.close()

    return asyncio.run(verify())


def test_an_untouched_log_is_whole(log: Path, tmp_path: Path) -> None:
    assert verified_after(log, tmp_path) == (ROWS, None)


@pytest.mark.parametrize(
    "change",
    [
        "at_ms = at_ms + 1",
        "at_ms = at_ms + 0.5",
        "at_ms = 'noon'",
        "previous = ''",
        "previous = hash",
        "hash = previous",
        "hash = upper(hash) || ' '",
        "record = '{}'",
        "record = record || ' '",
        "record = x'fffe'",
        "record = CAST(x'c328' AS TEXT)",
        "record = 5",
    ],
)
def test_every_edited_row_is_found(log: Path, tmp_path: Path, change: str) -> None:
    for seq in range(1, ROWS + 1):
        edit = (f"UPDATE audit SET {change} WHERE seq = ?", (seq,))  # noqa: S608 - ours
        rows, fault = verified_after(log, tmp_path, edit)
        assert rows == seq - 1
        assert f"row {seq} " in str(fault)


def test_every_dropped_row_is_found_the_last_one_too(log: Path, tmp_path: Path) -> None:
    for seq in range(1, ROWS + 1):
        drop = ("DELETE FROM audit WHERE seq = ?", (seq,))
        rows, fault = verified_after(log, tmp_path, drop)
        assert rows == seq - 1
        assert str(fault).startswith(f"row {seq} is missing")


def test_a_dropped_tail_is_found(log: Path, tmp_path: Path) -> None:
    for seq in range(1, ROWS + 1):
        _, fault = verified_after(log, tmp_path, ("DELETE FROM audit WHERE seq >= ?", (seq,)))
        assert str(fault).startswith(f"row {seq} is missing")


def test_rows_renumbered_to_close_a_gap_are_found(log: Path, tmp_path: Path) -> None:
    for seq in range(1, ROWS):
        rows, fault = verified_after(
            log,
            tmp_path,
            ("DELETE FROM audit WHERE seq = ?", (seq,)),
            ("UPDATE audit SET seq = -seq WHERE seq > ?", (seq,)),
            ("UPDATE audit SET seq = -seq - 1 WHERE seq < 0", ()),
        )
        assert rows == seq - 1
        assert fault is not None


def test_every_pair_of_swapped_rows_is_found(log: Path, tmp_path: Path) -> None:
    move = "UPDATE audit SET seq = ? WHERE seq = ?"
    for one, other in combinations(range(1, ROWS + 1), 2):
        swap = ((move, (99, one)), (move, (one, other)), (move, (other, 99)))
        rows, fault = verified_after(log, tmp_path, *swap)
        assert rows == one - 1
        assert f"row {one} " in str(fault)


@pytest.mark.parametrize("seq", [-(2**63), -1, 0, ROWS + 1, 2**63 - 1])
def test_an_added_row_is_found(log: Path, tmp_path: Path, seq: int) -> None:
    copy = "INSERT INTO audit SELECT ?, at_ms, previous, hash, record FROM audit WHERE seq = 1"
    _, fault = verified_after(log, tmp_path, (copy, (seq,)))
    assert fault is not None


def test_a_row_added_behind_the_head_is_found_even_if_it_is_well_made(
    log: Path, tmp_path: Path
) -> None:
    older = ("UPDATE head SET seq = ?", (ROWS - 1,))
    _, fault = verified_after(log, tmp_path, older)
    assert fault == f"row {ROWS} is not the one that was written last"


def test_a_log_without_its_head_is_an_error(log: Path, tmp_path: Path) -> None:
    with pytest.raises(StateError, match="damaged"):
        verified_after(log, tmp_path, ("DELETE FROM head", ()))


def test_writing_on_does_not_hide_a_dropped_tail(log: Path, tmp_path: Path) -> None:
    copy = tmp_path / "state"
    shutil.copytree(log, copy)
    with closing(sqlite3.connect(copy / "guard.db")) as connection, connection:
        connection.execute("DELETE FROM audit WHERE seq = ?", (ROWS,))

    async def write_on() -> tuple[int, str | None]:
        store = SqliteStore(copy)
        await store.record(9_999, {"number": ROWS + 1})
        try:
            return await store.verify()
        finally:
            await store.close()

    rows, fault = asyncio.run(write_on())
    assert rows == ROWS - 1
    assert str(fault).startswith(f"row {ROWS} is missing")


def test_the_tail_of_an_edited_log_is_an_error_that_names_the_check(
    log: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "state"
    shutil.copytree(log, copy)
    with closing(sqlite3.connect(copy / "guard.db")) as connection, connection:
        connection.execute("UPDATE audit SET record = 'no json' WHERE seq = ?", (ROWS,))

    async def read() -> None:
        store = SqliteStore(copy)
        try:
            await store.tail(1)
        finally:
            await store.close()

    with pytest.raises(StateError, match="audit verify"):
        asyncio.run(read())
