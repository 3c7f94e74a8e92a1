"""Whatever happens to charges, what a window is said to hold is the plain sum of its charges."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comfy_mcp.store import Charge, totals
from comfy_mcp.store.arithmetic import calendar_start
from comfy_mcp.store.tables import STEPS


@contextmanager
def ledger() -> Iterator[sqlite3.Connection]:
    """The tables of a new state, in memory."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for statement in (statement for step in STEPS for statement in step):
            connection.execute(statement)
        yield connection


def within(connection: sqlite3.Connection, charge: Charge, now_ms: int) -> list[tuple[int, int]]:
    """What counts, found by looking at every charge there is."""
    if charge.calendar:
        start = calendar_start(now_ms, charge.window_ms)
    else:
        start = now_ms - charge.window_ms + 1
    rows = connection.execute(
        "SELECT at_ms, amount FROM charges WHERE counter = ? AND holder = ? ORDER BY at_ms, id",
        (charge.counter, charge.holder),
    )
    return [row for row in rows if row[0] >= start]


counters = st.sampled_from(("a", "a", "a", "b"))
holders = st.sampled_from(("ann", "ann", "ann", "*"))
windows = st.builds(
    Charge,
    counter=counters,
    holder=holders,
    amount=st.just(1),
    most=st.just(9),
    window_ms=st.sampled_from([1, 5, 17, 60, 5_000, 20_000_000]),
    rule=st.just("/limits/0"),
    calendar=st.booleans(),
)
amounts = st.one_of(st.integers(1, 9), st.integers(0, 2**40))
steps = st.one_of(
    st.tuples(st.just("take"), counters, holders, amounts),
    st.tuples(st.just("change"), st.integers(0, 4), amounts),
    st.tuples(st.just("drop"), st.integers(0, 4)),
    st.tuples(st.just("prune"), st.integers(0, 50)),
    st.tuples(st.just("roll"), windows),
    st.tuples(st.just("wait"), st.one_of(st.integers(-20, 20), st.integers(0, 30_000_000))),
)


def do(connection: sqlite3.Connection, step: tuple[object, ...], now_ms: int) -> None:
    """One thing that may happen to the ledger."""
    what, *values = step
    pick = "(SELECT id FROM charges ORDER BY id LIMIT 1 OFFSET ?)"
    if what == "take":
        connection.execute(
            "INSERT INTO charges (decision_id, counter, holder, at_ms, amount)"
            " VALUES ('d', ?, ?, ?, ?)",
            (values[0], values[1], now_ms, values[2]),
        )
    elif what == "change":
        connection.execute(
            f"UPDATE charges SET reserved = amount, amount = ? WHERE id = {pick}",  # noqa: S608 - our own numbers
            (values[1], values[0]),
        )
    elif what == "drop":
        connection.execute(f"DELETE FROM charges WHERE id = {pick}", values)  # noqa: S608 - our own numbers
    elif what == "prune":
        connection.execute("DELETE FROM charges WHERE at_ms <= ?", (now_ms - int(str(values[0])),))
    elif isinstance(values[0], Charge):
        totals.roll(connection, values[0], now_ms)


@settings(max_examples=200)
@given(
    history=st.lists(steps, max_size=40),
    asked=st.lists(windows, min_size=1, max_size=6),
    roll=st.booleans(),
)
def test_what_a_window_holds_is_the_sum_of_what_was_taken_within_it(
    history: list[tuple[object, ...]], asked: list[Charge], *, roll: bool
) -> None:
    with ledger() as connection:
        now_ms = 1_000_000
        for step in history:
            if step[0] == "wait":
                now_ms += int(str(step[1]))
            else:
                do(connection, step, now_ms)
            for charge in asked:
                rows = within(connection, charge, now_ms)
                said = (totals.roll if roll else totals.used)(connection, charge, now_ms)
                assert said == sum(amount for _, amount in rows)
                listed = list(totals.oldest_first(connection, charge, now_ms))
                assert [at_ms for at_ms, _ in listed] == [at_ms for at_ms, _ in rows]
                assert sorted(listed) == sorted(rows)


def test_a_window_is_added_up_once_and_then_kept() -> None:
    charge = Charge("a", "ann", 1, 9, 60, "/limits/0")
    with ledger() as connection:
        for now_ms in range(100):
            do(connection, ("take", "a", "ann", 1), now_ms)
            totals.roll(connection, charge, now_ms)
        assert connection.execute("SELECT from_ms, amount FROM totals").fetchall() == [(39, 60)]


def test_a_charge_at_the_very_start_of_a_total_is_not_in_it() -> None:
    charge = Charge("a", "ann", 1, 9, 60, "/limits/0")
    with ledger() as connection:
        do(connection, ("take", "a", "ann", 7), 10)
        do(connection, ("take", "a", "ann", 5), 11)
        assert totals.roll(connection, charge, 70) == 5
        do(connection, ("change", 0, 9), 70)
        assert totals.used(connection, charge, 70) == 5
        do(connection, ("drop", 0), 70)
        assert totals.used(connection, charge, 70) == 5


def test_an_earlier_window_than_the_total_is_of_is_added_up_anew() -> None:
    charge = Charge("a", "ann", 1, 9, 60, "/limits/0")
    with ledger() as connection:
        do(connection, ("take", "a", "ann", 7), 10)
        assert totals.roll(connection, charge, 70) == 0
        assert totals.used(connection, charge, 69) == 7


@pytest.mark.parametrize("kept", [True, False])
def test_a_total_that_is_missing_is_only_slower(*, kept: bool) -> None:
    charge = Charge("a", "ann", 1, 9, 60, "/limits/0")
    with ledger() as connection:
        do(connection, ("take", "a", "ann", 7), 10)
        totals.roll(connection, charge, 10)
        if not kept:
            connection.execute("DELETE FROM totals")
        assert totals.used(connection, charge, 69) == 7
        assert totals.used(connection, charge, 70) == 0


def test_totals_are_found_by_their_key(tmp_path: Path) -> None:
    told: list[str] = []
    with closing(sqlite3.connect(tmp_path / "guard.db", isolation_level=None)) as connection:
        for statement in (statement for step in STEPS for statement in step):
            connection.execute(statement)
        connection.set_trace_callback(told.append)
        charge = Charge("a", "ann", 1, 9, 60, "/limits/0")
        for now_ms in (10, 100):
            totals.roll(connection, charge, now_ms)
        connection.set_trace_callback(None)
        plans = [
            row[3]
            for query in told
            for row in connection.execute(f"EXPLAIN QUERY PLAN {query}").fetchall()
        ]
    assert plans
    assert not [step for step in plans if step.startswith("SCAN") and "CONSTANT" not in step]
