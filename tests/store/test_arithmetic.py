"""A served wait is exact to the millisecond, and no window ever holds more than its maximum."""

from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from comfy_mcp.store.arithmetic import (
    calendar_start,
    calendar_wait,
    nearest_rank,
    rolling_wait,
)

MINUTE = 60_000
DAY = 86_400_000
WEEK = 7 * DAY

rows = st.lists(st.tuples(st.integers(0, 2_000), st.integers(1, 50)), max_size=30)
windows = st.integers(1, 1_000)
amounts = st.integers(1, 60)


def ms(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    moment = dt.datetime(year, month, day, hour, minute, tzinfo=dt.UTC)
    return int(moment.timestamp()) * 1000


def held(
    taken: list[tuple[int, int]], *, amount: int, most: int, window_ms: int, now_ms: int
) -> tuple[int, int | None]:
    """What a window holds, and the wait: the rows in it are given as a store gives them."""
    within = sorted(row for row in taken if now_ms - row[0] < window_ms)
    used = sum(size for _, size in within)
    wait = rolling_wait(
        iter(within), used=used, amount=amount, most=most, window_ms=window_ms, now_ms=now_ms
    )
    return used, wait


def test_an_empty_window_takes_a_call_at_once() -> None:
    assert rolling_wait([], used=0, amount=1, most=1, window_ms=MINUTE, now_ms=0) == 0


def test_a_charge_counts_until_the_millisecond_its_window_ends() -> None:
    def ask(now_ms: int) -> tuple[int, int | None]:
        return held([(1_000, 1)], amount=1, most=1, window_ms=MINUTE, now_ms=now_ms)

    assert ask(1_000) == (1, MINUTE)
    assert ask(1_000 + MINUTE - 1) == (1, 1)
    assert ask(1_000 + MINUTE) == (0, 0)


def test_what_is_above_the_maximum_never_fits() -> None:
    assert held([], amount=3, most=2, window_ms=MINUTE, now_ms=9) == (0, None)
    assert held([(8, 1)], amount=1, most=0, window_ms=MINUTE, now_ms=9) == (1, None)


def test_no_more_rows_are_read_than_have_to_leave() -> None:
    rows = iter([(10, 1), (20, 1), (30, 1), (40, 1)])

    assert rolling_wait(rows, used=4, amount=2, most=4, window_ms=100, now_ms=50) == 70
    assert list(rows) == [(30, 1), (40, 1)]


def test_no_row_is_read_for_what_fits_or_never_will() -> None:
    rows = iter([(10, 1)])

    assert rolling_wait(rows, used=1, amount=1, most=2, window_ms=100, now_ms=50) == 0
    assert rolling_wait(rows, used=1, amount=3, most=2, window_ms=100, now_ms=50) is None
    assert list(rows) == [(10, 1)]


def test_rows_that_do_not_add_up_to_what_is_used_end_the_wait_and_not_the_program() -> None:
    rows = [(10, 1), (20, 1)]
    assert rolling_wait(rows, used=9, amount=1, most=1, window_ms=100, now_ms=50) == 70


def test_a_charge_from_the_future_counts() -> None:
    assert held([(500, 1)], amount=1, most=1, window_ms=100, now_ms=400) == (1, 200)


@given(rows, amounts, st.integers(0, 120), windows, st.integers(2_000, 4_000))
def test_a_served_wait_suffices_and_one_millisecond_less_does_not(
    taken: list[tuple[int, int]], amount: int, most: int, window_ms: int, now_ms: int
) -> None:
    def ask(when: int) -> tuple[int, int | None]:
        return held(taken, amount=amount, most=most, window_ms=window_ms, now_ms=when)

    used, wait = ask(now_ms)
    if wait is None:
        assert amount > most
        return
    assert (wait == 0) == (used + amount <= most)
    later, rest = ask(now_ms + wait)
    assert rest == 0
    assert later + amount <= most
    if wait > 0:
        early, short = ask(now_ms + wait - 1)
        assert short == 1
        assert early + amount > most


@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(1, 5)), max_size=60),
    st.integers(1, 12),
    st.integers(1, 1_000),
)
def test_no_rolling_window_ever_holds_more_than_its_maximum(
    asked: list[tuple[int, int]], most: int, window_ms: int
) -> None:
    taken: list[tuple[int, int]] = []
    now_ms = 0
    for step, amount in asked:
        now_ms += step
        _, wait = held(taken, amount=amount, most=most, window_ms=window_ms, now_ms=now_ms)
        if wait == 0:
            taken.append((now_ms, amount))
    for start, _ in taken:
        assert sum(size for at, size in taken if start <= at < start + window_ms) <= most


def test_a_minute_begins_with_the_utc_minute() -> None:
    noon = ms(2026, 8, 14, 12, 34)
    assert calendar_start(noon + 59_999, MINUTE) == noon
    assert calendar_start(noon + MINUTE, MINUTE) == noon + MINUTE


def test_a_day_begins_at_midnight_utc() -> None:
    assert calendar_start(ms(2026, 8, 14, 23, 59), DAY) == ms(2026, 8, 14)


def test_a_week_begins_on_monday() -> None:
    monday = ms(2026, 8, 10)
    assert dt.datetime.fromtimestamp(monday / 1000, tz=dt.UTC).weekday() == 0
    assert calendar_start(monday, WEEK) == monday
    assert calendar_start(monday - 1, WEEK) == monday - WEEK
    assert calendar_start(monday + WEEK - 1, WEEK) == monday


@given(st.integers(0, 10**13), st.one_of(st.just(WEEK), st.integers(1, 2_678_400_000)))
def test_now_lies_in_its_own_fixed_window_and_windows_meet(now_ms: int, window_ms: int) -> None:
    start = calendar_start(now_ms, window_ms)
    assert start <= now_ms < start + window_ms
    assert calendar_start(start, window_ms) == start
    assert calendar_start(start + window_ms, window_ms) == start + window_ms


@given(st.integers(0, 50), st.integers(1, 20), st.integers(0, 60), windows, st.integers(0, 10**13))
def test_the_wait_for_a_fixed_window_ends_exactly_with_it(
    used: int, amount: int, most: int, window_ms: int, now_ms: int
) -> None:
    wait = calendar_wait(used, amount, most, window_ms, now_ms)
    if wait is None:
        assert amount > most
    elif wait == 0:
        assert used + amount <= most
    else:
        assert used + amount > most
        start = calendar_start(now_ms, window_ms)
        assert calendar_start(now_ms + wait - 1, window_ms) == start
        assert calendar_start(now_ms + wait, window_ms) == start + window_ms


@given(st.integers(1, 10), st.integers(0, 10**12))
def test_an_empty_fixed_window_takes_what_is_below_its_maximum(most: int, now_ms: int) -> None:
    assert calendar_wait(0, 1, most, MINUTE, now_ms) == 0


def test_the_nearest_rank_is_one_of_the_values() -> None:
    assert nearest_rank([], 95) is None
    assert nearest_rank([7], 95) == 7
    assert nearest_rank(range(20, 0, -1), 95) == 19
    assert nearest_rank([1, 2, 3], 0) == 1


@given(st.lists(st.integers(0, 9), min_size=1, max_size=25), st.integers(1, 100))
def test_the_nearest_rank_is_the_smallest_value_that_enough_do_not_exceed(
    values: list[int], percent: int
) -> None:
    rank = nearest_rank(values, percent)

    assert rank == min(
        value
        for value in values
        if 100 * sum(other <= value for other in values) >= percent * len(values)
    )
