"""Freezes and cool-downs: who may do nothing, from when, for how long."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comfy_mcp.store import EVERYBODY, Admitted, Cooling, Freeze, Frozen, Full, Store, Tally
from tests.store.sample import DAY, HOST, MINUTE, NOW, SECOND, a_cap, a_job, asking, calls

pytestmark = pytest.mark.anyio

THREE = Tally("ann", most=3, window_ms=MINUTE, cooldown_ms=10 * SECOND)


async def refused(store: Store, times: int, *tallies: Tally, now_ms: int = NOW) -> None:
    for _ in range(times):
        await store.refuse(now_ms, {"decision": "deny"}, tallies)


async def cooling(store: Store, now_ms: int, grant: str = "ann") -> int | None:
    """How long the cool-down of *grant* still lasts."""
    found = await store.standing(grant, now_ms, reads=False)
    assert found is None or isinstance(found, Cooling)
    return None if found is None else found.retry_after_ms


# Freezes


async def test_a_frozen_grant_gets_nothing_and_nothing_is_taken(store: Store) -> None:
    await store.freeze(NOW, Freeze("ann", "too hot", at_ms=7), {"by": "me"})
    call = asking(NOW + 1, calls(1), grant="ann", job=a_job("p1"))

    assert await store.admit(call) == Frozen("ann", "too hot", NOW)
    assert await store.job("p1") is None
    assert [row.record for row in await store.tail(9)] == [{"by": "me"}]
    assert await store.unfreeze(NOW + 2, "ann", {})
    assert await store.admit(call) == Admitted(NOW + 2)


async def test_a_freeze_is_for_its_grant_and_one_of_everybody_for_all(store: Store) -> None:
    await store.freeze(NOW, Freeze("ann"), {})
    assert await store.admit(asking(NOW, grant="bob")) == Admitted(NOW)

    await store.freeze(NOW + 1, Freeze(EVERYBODY, "night"), {})
    assert await store.admit(asking(NOW, grant="bob")) == Frozen(EVERYBODY, "night", NOW + 1)
    assert await store.admit(asking(NOW)) == Frozen(EVERYBODY, "night", NOW + 1)


@pytest.mark.parametrize("grant", ["ann", EVERYBODY])
async def test_a_freeze_may_spare_reads(store: Store, grant: str) -> None:
    await store.freeze(NOW, Freeze(grant, keep_reads=True), {})

    assert await store.admit(asking(NOW, grant="ann", reads=True)) == Admitted(NOW)
    assert await store.standing("ann", NOW, reads=True) is None
    assert await store.admit(asking(NOW, grant="ann")) == Frozen(grant, "", NOW)
    assert await store.standing("ann", NOW, reads=False) == Frozen(grant, "", NOW)


async def test_the_stricter_of_two_freezes_holds_for_reads(store: Store) -> None:
    await store.freeze(NOW, Freeze("ann", keep_reads=True), {})
    await store.freeze(NOW, Freeze(EVERYBODY), {})

    assert await store.standing("ann", NOW, reads=True) == Frozen(EVERYBODY, "", NOW)


async def test_of_two_freezes_that_hold_the_callers_own_is_told(store: Store) -> None:
    await store.freeze(NOW, Freeze("ann", "own"), {})
    await store.freeze(NOW, Freeze(EVERYBODY, "all"), {})

    assert await store.standing("ann", NOW, reads=False) == Frozen("ann", "own", NOW)


async def test_a_newer_freeze_of_the_same_grant_takes_the_place_of_the_older(store: Store) -> None:
    await store.freeze(NOW, Freeze("ann", "first", keep_reads=True), {"number": 1})
    await store.freeze(NOW + 5, Freeze("ann", "second"), {"number": 2})
    await store.freeze(NOW + 6, Freeze(EVERYBODY, "all"), {"number": 3})

    assert await store.freezes() == (
        Freeze(EVERYBODY, "all", at_ms=NOW + 6),
        Freeze("ann", "second", at_ms=NOW + 5),
    )
    assert [row.record["number"] for row in await store.tail(9)] == [1, 2, 3]


async def test_only_exactly_the_freeze_that_is_named_is_taken_back(store: Store) -> None:
    await store.freeze(NOW, Freeze(EVERYBODY), {})

    assert not await store.unfreeze(NOW, "ann", {"no": "freeze"})
    assert len(await store.tail(9)) == 1
    assert await store.standing("ann", NOW, reads=False) == Frozen(EVERYBODY, "", NOW)
    assert await store.unfreeze(NOW, EVERYBODY, {"thawed": True})
    assert await store.standing("ann", NOW, reads=False) is None
    assert await store.freezes() == ()
    assert (await store.tail(1))[0].record == {"thawed": True}


async def test_a_freeze_by_one_process_holds_in_the_others(
    open_store: Callable[[], Store],
) -> None:
    one, other = open_store(), open_store()
    await other.record(NOW, {})
    await one.freeze(NOW, Freeze("ann"), {})
    assert isinstance(await other.admit(asking(NOW, grant="ann")), Frozen)


# Cool-downs


async def test_the_refusal_that_reaches_the_most_starts_the_cool_down(store: Store) -> None:
    await refused(store, 2, THREE)
    assert await cooling(store, NOW) is None
    assert await store.admit(asking(NOW, grant="ann")) == Admitted(NOW)

    await refused(store, 1, THREE, now_ms=NOW + 5)
    assert await cooling(store, NOW + 5) == 10 * SECOND
    assert await cooling(store, NOW + 5, grant="bob") is None


async def test_who_cools_is_refused_whatever_it_asks_until_the_wait_is_over(store: Store) -> None:
    await refused(store, 3, THREE)
    full = calls(0)

    for reads in (True, False):
        call = asking(NOW + 1, full, grant="ann", reads=reads, slots=(a_cap(0),))
        assert await store.admit(call) == Cooling(10 * SECOND - 1)
    then = NOW + 10 * SECOND
    assert await store.admit(asking(then - 1, grant="ann")) == Cooling(1)
    assert await store.admit(asking(then, grant="ann")) == Admitted(then)


async def test_refusals_during_a_cool_down_do_not_prolong_it(store: Store) -> None:
    await refused(store, 3, THREE)
    await refused(store, 9, THREE, now_ms=NOW + 9 * SECOND)

    assert await cooling(store, NOW + 9 * SECOND) == SECOND
    assert await cooling(store, NOW + 10 * SECOND) is None


async def test_refusals_that_led_to_a_cool_down_are_paid_for(store: Store) -> None:
    await refused(store, 3, THREE)
    after = NOW + 10 * SECOND

    await refused(store, 2, THREE, now_ms=after)
    assert await cooling(store, after) is None
    await refused(store, 1, THREE, now_ms=after)
    assert await cooling(store, after) == 10 * SECOND


async def test_refusals_that_left_the_window_do_not_count(store: Store) -> None:
    await refused(store, 2, THREE)
    await refused(store, 1, THREE, now_ms=NOW + MINUTE)
    assert await cooling(store, NOW + MINUTE) is None

    await refused(store, 2, THREE, now_ms=NOW + 2 * MINUTE - 1)
    assert await cooling(store, NOW + 2 * MINUTE - 1) == 10 * SECOND


async def test_refusals_are_kept_for_as_long_as_their_window_is(store: Store) -> None:
    quarter = Tally("ann", most=2, window_ms=90 * DAY, cooldown_ms=SECOND)
    await refused(store, 1, quarter)
    await store.admit(asking(NOW + 89 * DAY, calls(9)))
    await refused(store, 1, quarter, now_ms=NOW + 90 * DAY - 1)

    assert await cooling(store, NOW + 90 * DAY - 1) == SECOND


async def test_refusals_that_no_window_can_see_are_forgotten(store: Store) -> None:
    many = Tally("ann", most=999, window_ms=MINUTE, cooldown_ms=SECOND)
    await refused(store, 40, many)
    await refused(store, 5, many, now_ms=NOW + 40 * DAY)

    (account,) = await store.accounts()
    assert account.rows == 5


async def test_several_tallies_count_the_same_refusal_once_each(store: Store) -> None:
    short = Tally("ann", most=2, window_ms=MINUTE, cooldown_ms=SECOND)
    long = Tally("ann", most=4, window_ms=60 * MINUTE, cooldown_ms=MINUTE)

    await refused(store, 2, short, long)
    assert await cooling(store, NOW) == SECOND
    await refused(store, 1, short, long, now_ms=NOW + SECOND)
    assert await cooling(store, NOW + SECOND) is None
    await refused(store, 1, short, long, now_ms=NOW + SECOND)
    assert await cooling(store, NOW + SECOND) == MINUTE


async def test_of_two_cool_downs_the_longer_is_waited_for(store: Store) -> None:
    long = Tally("ann", most=1, window_ms=MINUTE, cooldown_ms=30 * SECOND)
    short = Tally("ann", most=1, window_ms=MINUTE, cooldown_ms=SECOND)
    for order in ((long, short), (short, long)):
        await store.reset(NOW, {})
        await refused(store, 1, *order)
        assert await cooling(store, NOW) == 30 * SECOND


async def test_each_grant_of_one_refusal_is_counted_by_itself(store: Store) -> None:
    bob = Tally("bob", most=1, window_ms=MINUTE, cooldown_ms=SECOND)
    await refused(store, 1, THREE, bob)

    assert await cooling(store, NOW) is None
    assert await cooling(store, NOW, "bob") == SECOND


async def test_a_refusal_that_nobody_tallies_is_only_written_down(store: Store) -> None:
    await refused(store, 9)

    assert len(await store.tail(99)) == 9
    assert await store.accounts() == ()
    assert await cooling(store, NOW) is None


async def test_the_wait_is_exact_for_a_clock_that_stepped_back(store: Store) -> None:
    await refused(store, 3, THREE)
    early = NOW - 5 * SECOND

    assert await cooling(store, early) == 15 * SECOND
    assert await store.admit(asking(early, grant="ann")) == Cooling(15 * SECOND)
    assert await cooling(store, early + 15 * SECOND - 1) == 1
    assert await cooling(store, early + 15 * SECOND) is None


async def test_a_freeze_is_told_before_a_cool_down_and_that_before_a_full_limit(
    store: Store,
) -> None:
    await refused(store, 3, THREE)
    await store.freeze(NOW, Freeze("ann"), {})
    call = asking(NOW, calls(0), grant="ann", slots=(a_cap(0),))

    assert isinstance(await store.admit(call), Frozen)
    await store.unfreeze(NOW, "ann", {})
    assert isinstance(await store.admit(call), Cooling)
    await store.reset(NOW, {})
    assert isinstance(await store.admit(call), Full)
    assert await store.unfinished(host=HOST) == ()


class Counted:
    """Refusals of one grant in a list, and cool-downs by the words of the promise."""

    def __init__(self, tallies: tuple[Tally, ...]) -> None:
        self.tallies = tallies
        self.refused: list[int] = []
        self.paid = dict.fromkeys(tallies, 0)
        self.until_ms = 0

    def refuse(self, now_ms: int) -> None:
        """Count one, unless the grant is cooling."""
        if now_ms < self.until_ms:
            return
        self.refused.append(now_ms)
        for tally in self.tallies:
            fresh = self.refused[self.paid[tally] :]
            if sum(now_ms - at < tally.window_ms for at in fresh) >= tally.most:
                self.paid[tally] = len(self.refused)
                self.until_ms = max(self.until_ms, now_ms + tally.cooldown_ms)


some_tallies = st.lists(
    st.builds(
        Tally,
        st.just("ann"),
        most=st.integers(1, 4),
        window_ms=st.integers(1, 40),
        cooldown_ms=st.integers(1, 40),
    ),
    min_size=1,
    max_size=3,
    unique=True,
).map(tuple)


@settings(max_examples=60)
@given(tallies=some_tallies, waits=st.lists(st.integers(0, 30), max_size=30))
async def test_any_history_of_refusals_cools_as_the_plain_count_says(
    backend: Callable[[Path], Store], tallies: tuple[Tally, ...], waits: list[int]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store, plain, now_ms = backend(Path(folder) / "state"), Counted(tallies), NOW
        for wait in waits:
            now_ms += wait
            await store.refuse(now_ms, {}, tallies)
            plain.refuse(now_ms)
            left = plain.until_ms - now_ms
            assert await cooling(store, now_ms) == (left if left > 0 else None)
        await store.close()
