"""The tables are made once, and only where several processes can share them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from comfy_mcp.errors import StateError
from comfy_mcp.store.schema import VERSION, prepare


def connected(file: Path | str) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(file, isolation_level=None))


def pragma(connection: sqlite3.Connection, name: str) -> object:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def test_a_new_file_gets_its_tables_and_modes(tmp_path: Path) -> None:
    with connected(tmp_path / "guard.db") as connection:
        prepare(connection, tmp_path, 1)
        assert pragma(connection, "user_version") == VERSION
        assert pragma(connection, "journal_mode") == "wal"
        assert pragma(connection, "synchronous") == 1


def test_tables_that_are_there_are_left_alone(tmp_path: Path) -> None:
    with connected(tmp_path / "guard.db") as first, connected(tmp_path / "guard.db") as second:
        prepare(first, tmp_path, 1)
        first.execute("UPDATE head SET last_ms = 7")
        prepare(second, tmp_path, 1)
        assert second.execute("SELECT last_ms FROM head").fetchone() == (7,)


def test_a_file_that_is_being_looked_at_is_waited_for(tmp_path: Path) -> None:
    with connected(tmp_path / "guard.db") as reader, connected(tmp_path / "guard.db") as maker:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM sqlite_master").fetchall()
        tries: list[str] = []

        def leave_at_the_second_try(statement: str) -> None:
            tries.extend([statement] if "journal_mode" in statement else [])
            if len(tries) == 2 and reader.in_transaction:
                reader.execute("COMMIT")

        maker.execute("PRAGMA busy_timeout = 0")
        maker.set_trace_callback(leave_at_the_second_try)
        prepare(maker, tmp_path, 5)
        assert pragma(maker, "journal_mode") == "wal"


def test_a_disk_without_shared_memory_is_refused(tmp_path: Path) -> None:
    with connected(":memory:") as connection, pytest.raises(StateError, match="Use a local disk"):
        prepare(connection, tmp_path, 1)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT sum(amount) FROM charges WHERE counter = 'a' AND holder = 'b' AND at_ms > 5",
        "SELECT at_ms, amount FROM charges WHERE counter = 'a' AND holder = 'b' AND at_ms > 5",
        "SELECT count(*) FROM jobs WHERE host = 'a' AND owner = 'b' AND open = 1",
        "SELECT * FROM jobs WHERE prompt_id = 'a'",
        """SELECT * FROM jobs WHERE host = 'a' AND owner = 'b' AND key = 'c'
            AND key <> '' AND status <> 'refused'""",
    ],
)
def test_what_each_call_asks_is_answered_from_an_index(tmp_path: Path, query: str) -> None:
    with connected(tmp_path / "guard.db") as connection:
        prepare(connection, tmp_path, 1)
        plan = connection.execute(f"EXPLAIN QUERY PLAN {query}").fetchall()
    assert all("SEARCH" in step[3] and "INDEX" in step[3] for step in plan)
