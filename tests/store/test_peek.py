"""Looking at limits takes nothing, and says what a call would be told."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comfy_mcp.store import UNIT, Admitted, Charge, Full, Store, Use
from tests.store.sample import DAY, MINUTE, NOW, SECOND, a_cap, asking, calls, running

pytestmark = pytest.mark.anyio


async def test_an_empty_state_has_room_for_all_that_can_ever_fit(store: Store) -> None:
    limits = (calls(1), calls(1, calendar=True), calls(0), calls(0, calendar=True))
    assert await store.peek(NOW, limits, (a_cap(1), a_cap(0))) == (
        Use(limits[0], 0, 0),
        Use(limits[1], 0, 0),
        Use(limits[2], 0, None),
        Use(limits[3], 0, None),
        Use(a_cap(1), 0, 0),
        Use(a_cap(0), 0, None),
    )
    assert await store.peek(NOW, ()) == ()


async def test_a_full_rolling_window_has_room_when_the_oldest_leaves(store: Store) -> None:
    limit = calls(2)
    await store.admit(asking(NOW, limit))
    await store.admit(asking(NOW + SECOND, limit))

    assert await store.peek(NOW + SECOND, (limit,)) == (Use(limit, 2 * UNIT, MINUTE - SECOND),)
    assert await store.peek(NOW + MINUTE - 1, (limit,)) == (Use(limit, 2 * UNIT, 1),)
    assert await store.peek(NOW + MINUTE, (limit,)) == (Use(limit, UNIT, 0),)


async def test_a_full_calendar_window_has_room_when_it_ends(store: Store) -> None:
    limit = calls(1, calendar=True)
    start = NOW - NOW % MINUTE
    await store.admit(asking(start + 59_000, limit))

    assert await store.peek(start + 59_500, (limit,)) == (Use(limit, UNIT, 500),)
    assert await store.peek(start + MINUTE, (limit,)) == (Use(limit, 0, 0),)


async def test_slots_in_use_are_counted(store: Store) -> None:
    await store.admit(running("p1"))
    await store.admit(running("p2", grant="bob"))

    caps = (a_cap(2), a_cap(1), a_cap(1, grant="bob"), a_cap(1, host="http://other:8188"))
    uses = await store.peek(NOW, (), caps)
    assert [(use.used, use.retry_after_ms) for use in uses] == [
        (1, 0),
        (1, None),
        (1, None),
        (0, 0),
    ]


async def test_several_limits_on_one_account_are_looked_at_each_by_itself(store: Store) -> None:
    limit = calls(1)
    assert [use.retry_after_ms for use in await store.peek(NOW, (limit, limit))] == [0, 0]


async def test_looking_takes_nothing_and_is_no_time_seen(store: Store) -> None:
    await store.record(NOW, {})
    for _ in range(5):
        await store.peek(NOW + DAY, (calls(1),), (a_cap(1),))

    assert (await store.head()).last_ms == NOW
    assert await store.accounts() == ()
    assert await store.admit(asking(NOW, calls(1))) == Admitted(NOW)


async def test_the_wait_is_exact_for_a_clock_that_stepped_back(store: Store) -> None:
    rolling, fixed = calls(1), calls(1, calendar=True, counter="fixed")
    start = NOW - NOW % MINUTE
    await store.admit(asking(start, rolling, fixed))

    early = start - 7 * SECOND
    uses = await store.peek(early, (rolling, fixed, calls(2), calls(0)))
    assert [use.used for use in uses] == [UNIT] * 4
    assert [use.retry_after_ms for use in uses] == [67 * SECOND, 67 * SECOND, 0, None]


@settings(max_examples=50)
@given(
    taken=st.lists(st.tuples(st.integers(0, 20), st.integers(1, 3)), max_size=20),
    amount=st.integers(1, 4),
    most=st.integers(1, 8),
    window_ms=st.integers(1, 40),
    behind=st.integers(-10, 30),
    calendar=st.booleans(),
)
async def test_a_peek_says_what_a_call_is_told_and_its_wait_is_exact(
    backend: Callable[[Path], Store],
    *,
    taken: list[tuple[int, int]],
    amount: int,
    most: int,
    window_ms: int,
    behind: int,
    calendar: bool,
) -> None:
    def limit(size: int, most: int) -> Charge:
        return calls(most, window_ms=window_ms, calendar=calendar, amount=size * UNIT)

    with tempfile.TemporaryDirectory() as folder:
        store, now_ms = backend(Path(folder) / "state"), NOW
        for step, size in taken:
            now_ms += step
            await store.admit(asking(now_ms, limit(size, 99)))
        asked = limit(amount, most)
        (use,) = await store.peek(now_ms - behind, (asked,))
        if use.retry_after_ms is None:
            assert amount > most
        elif use.retry_after_ms > 0:
            then = now_ms - behind + use.retry_after_ms
            early = await store.admit(asking(then - 1, asked))
            assert isinstance(early, Full)
            assert early.retry_after_ms == 1
            assert isinstance(await store.admit(asking(then, asked)), Admitted)
        else:
            assert isinstance(await store.admit(asking(now_ms - behind, asked)), Admitted)
        await store.close()
