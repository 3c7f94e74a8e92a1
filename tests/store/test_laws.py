"""Laws of limits under any history of calls, ends, refunds and clocks that step back."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comfy_mcp.store import FINAL, UNIT, Admitted, Charge, Full, Refund, Store
from tests.store.sample import NOW, running

pytestmark = pytest.mark.anyio

Account = tuple[str, str]

LIMITS = (
    ("calls", 4, 20, False, Refund.NEVER),
    ("calls", 9, 70, False, Refund.NEVER),
    ("calls", 3, 10, True, Refund.NEVER),
    ("cost", 12, 40, False, Refund.NOT_ACCEPTED),
    ("tries", 8, 30, True, Refund.FAILED),
    ("gpu", 20, 50, False, Refund.SETTLED),
    ("gpu", 14, 25, True, Refund.SETTLED),
)
"""Counter, most, window, calendar, refund: several on one account, as a policy may have them."""


def charge_of(number: int, amount: int, most: int | None = None) -> Charge:
    counter, own, window_ms, calendar, refund = LIMITS[number]
    return Charge(
        counter,
        "*" if counter == "tries" else "ann",
        amount * UNIT,
        (own if most is None else most) * UNIT,
        window_ms,
        f"/limits/{number}",
        calendar=calendar,
        refund=refund,
    )


@dataclass
class Row:
    """A charge as it should be."""

    at_ms: int
    charge: Charge
    amount: int


@dataclass
class Books:
    """Every charge ever taken, what became of it, and the clock."""

    last_ms: int = 0
    rows: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    ended: set[str] = field(default_factory=set)

    def end(self, prompt_id: str, status: str, gpu_ms: int | None) -> None:
        """What an end gives back."""
        given_back = {
            "refused": {Refund.NOT_ACCEPTED, Refund.FAILED, Refund.SETTLED},
            "failed": {Refund.FAILED},
        }.get(status, set())
        self.ended.add(prompt_id)
        kept = [row for row in self.rows[prompt_id] if row.charge.refund not in given_back]
        for row in kept:
            if row.charge.refund is Refund.SETTLED and gpu_ms is not None:
                row.amount = gpu_ms * UNIT // 1000
        self.rows[prompt_id] = kept

    def amounts(self) -> dict[Account, int]:
        """What every account should hold."""
        held: dict[Account, int] = defaultdict(int)
        for row in self.all():
            held[row.charge.counter, row.charge.holder] += row.amount
        return {account: amount for account, amount in held.items() if amount}

    def all(self) -> list[Row]:
        """Every row."""
        return [row for rows in self.rows.values() for row in rows]

    def fullest(self, limit: Charge) -> int:
        """The most that any window of *limit* holds, wherever it is laid."""
        rows = [
            row
            for row in self.all()
            if (row.charge.counter, row.charge.holder) == (limit.counter, limit.holder)
        ]
        if limit.calendar:
            windows: dict[int, int] = defaultdict(int)
            for row in rows:
                windows[row.at_ms // limit.window_ms] += row.amount
            return max(windows.values(), default=0)
        return max(
            (
                sum(row.amount for row in rows if 0 <= row.at_ms - start.at_ms < limit.window_ms)
                for start in rows
            ),
            default=0,
        )


calls = st.tuples(
    st.just("call"),
    st.integers(-25, 25),
    st.lists(st.integers(0, len(LIMITS) - 1), min_size=1, max_size=4, unique=True),
    st.integers(1, 6),
)
ends = st.tuples(
    st.just("end"),
    st.integers(0, 30),
    st.sampled_from(sorted(FINAL)),
    st.one_of(st.none(), st.integers(0, 100)),
)


@settings(max_examples=80)
@given(history=st.lists(st.one_of(calls, calls, ends), max_size=40))
async def test_no_window_ever_holds_more_than_its_maximum_and_no_refund_more_than_its_row(
    backend: Callable[[Path], Store], history: list[tuple[str, int, object, object]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store, books, now_ms, jobs = backend(Path(folder) / "state"), Books(), NOW, list[str]()
        for number, (what, step, one, other) in enumerate(history):
            if what == "call":
                now_ms += step
                charges = _all_of(one, other)
                answer = await store.admit(running(f"p{number}", *charges, now_ms=now_ms))
                books.last_ms = max(books.last_ms, now_ms)
                if isinstance(answer, Admitted):
                    assert answer.at_ms == books.last_ms
                    jobs.append(f"p{number}")
                    for charge in charges:
                        row = Row(books.last_ms, charge, charge.amount)
                        books.rows[f"p{number}"].append(row)
            elif jobs:
                prompt_id = jobs[step % len(jobs)]
                gpu_ms = _at_most_reserved(books, prompt_id, other)
                moved = await store.move_job(prompt_id, str(one), now_ms, gpu_ms=gpu_ms)
                books.last_ms = max(books.last_ms, now_ms)
                assert moved == (prompt_id not in books.ended)
                if moved:
                    books.end(prompt_id, str(one), gpu_ms)
            held = {(a.counter, a.holder): a.amount for a in await store.accounts()}
            assert held == books.amounts()
        for number in range(len(LIMITS)):
            limit = charge_of(number, 0)
            assert books.fullest(limit) <= limit.most
        assert (await store.verify())[1] is None
        await store.close()


def _all_of(picked: object, amount: object) -> tuple[Charge, ...]:
    """Every limit of the accounts that are touched, as the guard would ask."""
    assert isinstance(picked, list)
    assert isinstance(amount, int)
    counters = {LIMITS[number][0] for number in picked}
    return tuple(
        charge_of(number, 1 if limit[0] == "calls" else amount)
        for number, limit in enumerate(LIMITS)
        if limit[0] in counters
    )


def _at_most_reserved(books: Books, prompt_id: str, percent: object) -> int | None:
    """A part of the GPU time that was reserved, in milliseconds."""
    if percent is None:
        return None
    reserved = [r.amount for r in books.rows[prompt_id] if r.charge.refund is Refund.SETTLED]
    return min(reserved, default=0) * int(str(percent)) // 100 * 1000 // UNIT


@settings(max_examples=80)
@given(
    taken=st.lists(st.tuples(st.integers(0, 25), st.integers(1, 4)), max_size=20),
    number=st.integers(0, len(LIMITS) - 1),
    amount=st.integers(1, 9),
    behind=st.integers(0, 30),
)
async def test_a_served_wait_suffices_and_one_millisecond_less_does_not(
    backend: Callable[[Path], Store],
    *,
    taken: list[tuple[int, int]],
    number: int,
    amount: int,
    behind: int,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store, now_ms = backend(Path(folder) / "state"), NOW
        for at, (step, size) in enumerate(taken):
            now_ms += step
            await store.admit(running(f"p{at}", charge_of(number, size), now_ms=now_ms))
        asked, early_ms = charge_of(number, amount), now_ms - behind
        answer = await store.admit(running("asked", asked, now_ms=early_ms))
        if isinstance(answer, Full) and answer.retry_after_ms is None:
            assert asked.amount > asked.most
        elif isinstance(answer, Full):
            assert answer.retry_after_ms is not None
            then = early_ms + answer.retry_after_ms
            short = await store.admit(running("asked", asked, now_ms=then - 1))
            assert isinstance(short, Full)
            assert short.retry_after_ms == 1
            assert await store.admit(running("asked", asked, now_ms=then)) == Admitted(then)
        await store.close()


async def test_a_clock_that_stepped_back_while_nobody_ran_empties_no_window(
    open_store: Callable[[], Store],
) -> None:
    first, limit = open_store(), charge_of(0, 4)
    await first.admit(running("p1", limit, now_ms=NOW))
    await first.close()

    second = open_store()
    assert await second.admit(running("p2", limit, now_ms=NOW - 500)) == Full(limit, 4 * UNIT, 520)
    assert await second.admit(running("p2", limit, now_ms=NOW + 20)) == Admitted(NOW + 20)
