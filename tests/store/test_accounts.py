"""What all accounts hold, and forgetting it by an operator's order."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from comfy_mcp.store import (
    EVERYBODY,
    REFUSALS,
    UNIT,
    Account,
    Admitted,
    Cooling,
    Full,
    Store,
    Tally,
)
from tests.store.sample import HOST, MINUTE, NOW, a_cap, asking, calls, gpu, running

pytestmark = pytest.mark.anyio

ONCE = Tally("ann", most=1, window_ms=MINUTE, cooldown_ms=MINUTE)


async def held(store: Store) -> dict[tuple[str, str], int]:
    return {(one.counter, one.holder): one.rows for one in await store.accounts()}


async def test_accounts_are_listed_with_what_they_hold(store: Store) -> None:
    await store.admit(asking(NOW, calls(9, counter="b"), calls(9, holder=EVERYBODY)))
    await store.admit(asking(NOW + 5, calls(9, counter="b", amount=2 * UNIT)))
    await store.refuse(NOW + 7, {}, (Tally("bob", 9, MINUTE, MINUTE),))

    assert await store.accounts() == (
        Account("b", "ann", 2, 3 * UNIT, NOW, NOW + 5),
        Account("calls", EVERYBODY, 1, UNIT, NOW, NOW),
        Account(REFUSALS, "bob", 1, UNIT, NOW + 7, NOW + 7),
    )


async def test_a_new_state_has_no_accounts(store: Store) -> None:
    assert await store.accounts() == ()


async def test_one_account_is_forgotten_and_the_others_are_not(store: Store) -> None:
    mine, others, runs = calls(1), calls(1, holder="bob"), calls(1, counter="runs")
    await store.admit(asking(NOW, mine, others, runs))

    assert await store.reset(NOW, {"by": "me"}, counter="calls", holder="ann") == 1
    assert await held(store) == {("calls", "bob"): 1, ("runs", "ann"): 1}
    assert await store.admit(asking(NOW, mine)) == Admitted(NOW)
    assert isinstance(await store.admit(asking(NOW, others)), Full)
    assert [row.record for row in await store.tail(9)][1] == {"by": "me"}


async def test_a_whole_counter_a_whole_holder_or_all_can_be_forgotten(store: Store) -> None:
    def every() -> tuple[object, ...]:
        return tuple(calls(9, counter=c, holder=h) for c in ("a", "b") for h in ("ann", "bob"))

    for which, left in (
        ({"counter": "a"}, {("b", "ann"), ("b", "bob")}),
        ({"holder": "bob"}, {("b", "ann")}),
        ({}, set[tuple[str, str]]()),
    ):
        if not await held(store):
            await store.admit(asking(NOW, *every()))
        before = len(await held(store))
        assert await store.reset(NOW, {}, **which) == before - len(left)
        assert set(await held(store)) == left


async def test_forgetting_nothing_is_written_down_all_the_same(store: Store) -> None:
    assert await store.reset(NOW, {"by": "me"}, counter="none") == 0
    assert [row.record for row in await store.tail(9)] == [{"by": "me"}]


async def test_gpu_time_and_slots_of_jobs_that_have_not_ended_are_kept(store: Store) -> None:
    await store.admit(running("p1", gpu(30, 40), calls(9)))
    await store.admit(running("p2", gpu(5, 40)))
    await store.move_job("p2", "completed", NOW, gpu_ms=5_000)

    assert await store.reset(NOW, {}) == 2
    assert await held(store) == {("gpu_seconds", "ann"): 1}
    (use,) = await store.peek(NOW, (), (a_cap(2),))
    assert use.used == 1
    assert [job.prompt_id for job in await store.unfinished(host=HOST)] == ["p1"]


async def test_forgetting_all_of_a_holder_ends_its_cool_down_and_nobody_elses(
    store: Store,
) -> None:
    await store.refuse(NOW, {}, (ONCE, Tally("bob", 1, MINUTE, MINUTE)))
    assert isinstance(await store.standing("ann", NOW, reads=False), Cooling)

    assert await store.reset(NOW, {}, holder="ann") == 1
    assert await store.standing("ann", NOW, reads=False) is None
    assert isinstance(await store.standing("bob", NOW, reads=False), Cooling)
    await store.reset(NOW, {})
    assert await store.standing("bob", NOW, reads=False) is None


async def test_forgetting_one_counter_ends_no_cool_down(store: Store) -> None:
    await store.refuse(NOW, {}, (ONCE,))
    for counter in ("calls", REFUSALS):
        await store.reset(NOW, {}, counter=counter, holder="ann")
    assert isinstance(await store.standing("ann", NOW, reads=False), Cooling)


async def test_what_one_process_forgot_the_others_have_forgotten(
    open_store: Callable[[], Store],
) -> None:
    one, other = open_store(), open_store()
    await one.admit(asking(NOW, calls(1)))
    assert isinstance(await other.admit(asking(NOW, calls(1))), Full)
    await one.reset(NOW, {})
    assert await other.admit(asking(NOW, calls(1))) == Admitted(NOW)
