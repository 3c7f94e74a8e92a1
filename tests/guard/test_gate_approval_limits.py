"""People are asked rarely: never about what does not fit, never twice, never by a flood."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from comfy_mcp.errors import Denied, Refused
from comfy_mcp.store.protocol import EVERYBODY, Freeze
from comfy_mcp.store.sqlite import SqliteStore
from tests.guard.gatehouse import NOW, Bench, submit
from tests.guard.person import ALL, ASKS, House, run

pytestmark = pytest.mark.anyio

ORDER = {"kind": "operator"}
MINUTE_MS = 60_000


@pytest.fixture(autouse=True)
async def _sound(store: SqliteStore) -> AsyncIterator[None]:
    """Whatever happened: the audit log is whole."""
    yield
    assert (await store.verify())[1] is None


def limited(**rule: Any) -> dict[str, Any]:
    return {"run_workflow": {**ASKS, **rule}}


async def test_a_flood_of_requests_ends_at_the_most_that_may_wait(store: SqliteStore) -> None:
    house = House(Bench(store, ALL, approvals={"max_pending": 3}))
    rows = [await house.asked(run(number, n=number)) for number in range(3)]

    for number in range(3, 20):
        denial = await house.attempt(run(number, n=number))
        assert denial is not None
        assert (denial.code, denial.rule) == ("approvals_full", "/approvals/max_pending")
        assert denial.retryable

    # Those that wait already are found again, and others have places of their own.
    assert await house.code(run(20, n=0)) == "approval_pending"
    assert await house.code(run(21, "bob", n=0)) == "approval_required"
    assert len(house.bench.asked) == 4

    for status in ("approved", "denied", "cancelled"):
        assert await house.say(rows.pop(), status)
        assert await house.code(run(22, status=status)) == "approval_required"
        assert await house.code(run(23, last=status)) == "approvals_full"
    assert house.ran == []


async def test_requests_that_expired_leave_their_place(store: SqliteStore) -> None:
    house = House(Bench(store, ALL, approvals={"max_pending": 1, "expires": 60}))
    await house.asked(run(1, n=1))
    house.bench.now_ms += MINUTE_MS - 1
    assert await house.code(run(2, n=2)) == "approvals_full"

    house.bench.now_ms += 1
    assert await house.code(run(2, n=2)) == "approval_required"


async def test_a_race_for_the_last_place_is_won_by_one(store: SqliteStore) -> None:
    house = House(Bench(store, ALL, approvals={"max_pending": 1}))

    codes = await asyncio.gather(*(house.code(run(number, n=number)) for number in range(6)))

    assert sorted(codes) == ["approval_required", *["approvals_full"] * 5]


async def test_whoever_waits_well_behaved_is_never_told_to_cool_down(store: SqliteStore) -> None:
    denials = {"max": 3, "window": 3600, "cooldown": 3600}
    house = House(Bench(store, ALL, denials=denials, approvals={"expires": 60}))
    row = await house.asked(run(1))
    for number in range(20):
        assert await house.code(run(number)) == "approval_pending"
    await house.say(row)
    assert await house.code(run(30)) == "ran"
    for number in range(10):
        row = await house.asked(run(number + 40, n=number))
        house.bench.now_ms = row.expires_ms
    row = await house.asked(run(60))
    await house.say(row, "cancelled")
    for _ in range(10):
        with pytest.raises(Denied):
            await house.bench.gate.approved_args(run(61), row.approval_id)

    await house.bench.gate.screen(run(62))
    assert await house.code(run(63)) == "approval_required"


@pytest.mark.parametrize("how", ["flood", "denied"])
async def test_whoever_goes_on_after_a_no_has_to_cool_down(store: SqliteStore, how: str) -> None:
    denials = {"max": 3, "window": 60, "cooldown": 600}
    house = House(Bench(store, ALL, denials=denials, approvals={"max_pending": 1}))
    row = await house.asked(run(1))
    if how == "denied":
        await house.say(row, "denied")
    expected = "approvals_full" if how == "flood" else "approval_denied"
    again: dict[str, Any] = {"n": 2} if how == "flood" else {}
    for number in range(3):
        assert await house.code(run(number + 2, **again)) == expected

    assert await standing(house) == "cooldown"


async def standing(house: House) -> str:
    """What the caller is told before anything is read for a call."""
    with pytest.raises(Refused) as caught:
        await house.bench.gate.screen(run(99))
    return caught.value.denial.code


async def test_a_freeze_between_yes_and_run_holds_and_spends_nothing(store: SqliteStore) -> None:
    house = House(Bench(store, ALL))
    yes = await house.approved(run(1))
    for whom in ("local", EVERYBODY):
        await store.freeze(house.bench.now_ms, Freeze(whom, "not now"), ORDER)
        assert await house.code(run(2)) == "frozen"
        assert await house.status(yes) == "approved"
        await store.unfreeze(house.bench.now_ms, whom, ORDER)
    await house.nothing_happened()

    assert await house.code(run(3)) == "ran"


async def test_nobody_is_asked_about_what_would_not_fit(store: SqliteStore) -> None:
    house = House(Bench(store, {"run_workflow": {"rate_limit": "1/minute"}}))
    assert await house.code(run(1)) == "ran"
    house.bench.write(tools=limited(rate_limit="1/minute"))
    await house.bench.source.refresh()

    house.bench.now_ms += 1_000
    denial = await house.attempt(run(2))

    assert denial is not None
    assert (denial.code, denial.retry_after_s) == ("rate_limited", 59.0)
    assert house.bench.asked == []
    house.bench.now_ms += 59_000
    assert await house.code(run(2)) == "approval_required"


async def test_nobody_is_asked_about_what_will_never_fit(store: SqliteStore) -> None:
    limit = {"counter": "things", "window": "hour", "max": 5, "increment_from": "args.count"}
    house = House(Bench(store, limited(limits=[limit])))

    assert await house.code(run(1, count=6)) == "never_fits"
    assert house.bench.asked == []
    assert await house.code(run(1, count=5)) == "approval_required"


async def test_nobody_is_asked_while_all_places_are_taken_by_jobs_that_run(
    store: SqliteStore,
) -> None:
    house = House(Bench(store, {"run_workflow": {}}, gpu={"max_in_flight": 1}))
    assert await house.code(run(1)) == "ran"
    house.bench.write(tools=limited(), gpu={"max_in_flight": 1})
    await house.bench.source.refresh()

    denial = await house.attempt(run(2))

    assert denial is not None
    assert denial.code == "in_flight"
    assert "job-1" in denial.reason
    # It was looked whether the job has ended unnoticed.
    assert house.bench.asked_to_reconcile == ["local"]
    assert house.bench.asked == []

    await store.move_job("job-1", "completed", house.bench.now_ms)
    assert await house.code(run(2)) == "approval_required"


async def test_a_limit_that_is_full_between_yes_and_run_does_not_spend_the_yes(
    store: SqliteStore,
) -> None:
    house = House(Bench(store, limited(rate_limit="1/minute")))
    first, second = await house.approved(run(1, n=1)), await house.approved(run(2, n=2))
    assert await house.code(run(3, n=1)) == "ran"

    denial = await house.attempt(run(4, n=2))

    assert denial is not None
    assert (denial.code, denial.retry_after_s) == ("rate_limited", 60.0)
    assert [await house.status(row) for row in (first, second)] == ["spent", "approved"]
    house.bench.now_ms += 60_000
    assert await house.code(run(5, n=2)) == "ran"
    assert await house.status(second) == "spent"


async def test_places_that_are_taken_between_yes_and_run_do_not_spend_the_yes(
    store: SqliteStore,
) -> None:
    house = House(Bench(store, limited(), gpu={"max_in_flight": 1}))
    await house.approved(run(1, n=1))
    second = await house.approved(run(2, n=2))
    assert await house.code(run(1, n=1)) == "ran"

    assert await house.code(run(2, n=2)) == "in_flight"
    assert await house.status(second) == "approved"
    await store.move_job("job-1", "completed", house.bench.now_ms)
    assert await house.code(run(2, n=2)) == "ran"


async def test_asking_takes_nothing_however_often(store: SqliteStore) -> None:
    house = House(Bench(store, limited(rate_limit="2/minute"), gpu={"max_in_flight": 2}))
    for number in range(10):
        await house.code(run(number))

    assert await store.accounts() == ()
    await house.nothing_happened()


async def test_a_shorter_time_of_one_rule_counts_for_question_and_answer(
    store: SqliteStore,
) -> None:
    rule = {"run_workflow": {"require_approval": {"expires": 60}}}
    house = House(Bench(store, rule, approvals={"expires": 3600}))
    row = await house.approved(submit(1))
    assert row.expires_ms == NOW + MINUTE_MS

    house.bench.now_ms = row.expires_ms
    assert await house.code(submit(2)) == "approval_required"
