"""What a job's end gives back, whatever end it is: its own rows, once, and never more."""

from __future__ import annotations

import pytest

from comfy_mcp.store import (
    FINAL,
    LONGEST_GPU_MS,
    UNIT,
    Admitted,
    Charge,
    MadeFile,
    Refund,
    Store,
)
from tests.store.sample import DAY, HOST, NOW, SECOND, a_cap, asking, calls, gpu, running

pytestmark = pytest.mark.anyio

KEPT = {
    (Refund.NEVER, status): True for status in FINAL
} | {
    (Refund.NOT_ACCEPTED, status): status != "refused" for status in FINAL
} | {
    (Refund.FAILED, status): status not in {"refused", "failed"} for status in FINAL
} | {
    (Refund.SETTLED, status): status != "refused" for status in FINAL
}  # fmt: skip


async def used(store: Store, charge: Charge, now_ms: int = NOW) -> int:
    (use,) = await store.peek(now_ms, (charge,))
    return use.used


def costing(refund: Refund, amount: int = 30 * UNIT) -> Charge:
    return calls(100, window_ms=DAY, counter="cost", amount=amount, refund=refund)


@pytest.mark.parametrize(("refund", "status"), sorted(KEPT))
async def test_each_end_gives_back_what_its_refund_says(
    store: Store, refund: Refund, status: str
) -> None:
    charge = costing(refund)
    await store.admit(running("p1", charge))
    assert await used(store, charge) == 30 * UNIT

    assert await store.move_job("p1", status, NOW)
    assert await used(store, charge) == (30 * UNIT if KEPT[refund, status] else 0)


@pytest.mark.parametrize("status", ["submitting", "pending", "in_progress"])
async def test_what_has_not_ended_gives_nothing_back(store: Store, status: str) -> None:
    charges = tuple(costing(refund) for refund in Refund if refund is not Refund.NEVER)
    await store.admit(running("p1", *charges))

    assert await store.move_job("p1", status, NOW, gpu_ms=5)
    assert await used(store, charges[0]) == 90 * UNIT
    job = await store.job("p1")
    assert job is not None
    assert job.gpu_ms is None


@pytest.mark.parametrize("status", sorted(FINAL - {"refused"}))
@pytest.mark.parametrize("gpu_ms", [0, 1, 12_345, 30_000, 45_001])
async def test_gpu_time_becomes_what_the_job_took_below_and_above_the_reservation(
    store: Store, status: str, gpu_ms: int
) -> None:
    hour, day = gpu(30, 40, window_ms=DAY // 24), gpu(30, 40, counter="gpu_seconds:day")
    await store.admit(running("p1", hour, day))
    await store.move_job("p1", status, NOW + 9 * SECOND, gpu_ms=gpu_ms)

    assert await used(store, hour) == gpu_ms * UNIT // 1000
    assert await used(store, day) == gpu_ms * UNIT // 1000
    job = await store.job("p1")
    assert job is not None
    assert job.gpu_ms == gpu_ms


async def test_settled_time_counts_from_when_it_was_reserved(store: Store) -> None:
    charge = gpu(30, 40, window_ms=60 * SECOND)
    await store.admit(running("p1", charge))
    await store.move_job("p1", "completed", NOW + 50 * SECOND, gpu_ms=40_000)

    assert await used(store, charge, NOW + 60 * SECOND - 1) == 40 * UNIT
    assert await used(store, charge, NOW + 60 * SECOND) == 0


async def test_what_was_settled_makes_room_for_the_next(store: Store) -> None:
    await store.admit(running("p1", gpu(30, 40)))
    assert not isinstance(await store.admit(running("p2", gpu(30, 40))), Admitted)

    await store.move_job("p1", "completed", NOW, gpu_ms=10_000)
    assert await store.admit(running("p2", gpu(30, 40))) == Admitted(NOW)


async def test_a_refused_job_gives_gpu_time_back_even_if_a_time_is_told(store: Store) -> None:
    await store.admit(running("p1", gpu(30, 40)))
    await store.move_job("p1", "refused", NOW, gpu_ms=5_000)
    assert await used(store, gpu(30, 40)) == 0


async def test_an_impossible_time_is_held_within_reason(store: Store) -> None:
    for prompt_id, gpu_ms in (("p1", -5), ("p2", 2**62)):
        await store.admit(running(prompt_id, gpu(1, 2)))
        assert await store.move_job(prompt_id, "completed", NOW, gpu_ms=gpu_ms)

    assert await used(store, gpu(1, 2)) == LONGEST_GPU_MS * UNIT // 1000
    first, second = await store.job("p1"), await store.job("p2")
    assert first is not None
    assert second is not None
    assert (first.gpu_ms, second.gpu_ms) == (0, LONGEST_GPU_MS)


async def test_a_job_gives_back_its_own_rows_only(store: Store) -> None:
    charges = tuple(costing(refund, UNIT) for refund in Refund)
    for prompt_id in ("p1", "p2"):
        await store.admit(running(prompt_id, *charges))
    await store.admit(asking(NOW, *charges, decision_id="dec_read"))

    await store.move_job("p1", "refused", NOW, gpu_ms=0)
    assert await used(store, charges[0]) == (1 + 4 + 4) * UNIT


async def test_a_job_gives_back_once(store: Store) -> None:
    charges = (costing(Refund.FAILED), costing(Refund.SETTLED))
    await store.admit(running("p1", *charges))
    assert await store.move_job("p1", "completed", NOW, gpu_ms=1_000)
    assert await used(store, charges[0]) == 31 * UNIT

    for status in sorted(FINAL):
        assert not await store.move_job("p1", status, NOW, gpu_ms=0, files=(_file("late"),))
    assert await used(store, charges[0]) == 31 * UNIT
    assert await store.makers(HOST, (_file("late"),)) == {_file("late"): None}


async def test_what_was_given_back_of_a_calendar_window_is_free_in_it(store: Store) -> None:
    charge = gpu(30, 40, calendar=True)
    await store.admit(running("p1", charge))
    await store.move_job("p1", "refused", NOW)

    assert await store.admit(running("p2", charge)) == Admitted(NOW)


async def test_slots_and_charges_are_free_in_the_same_step(store: Store) -> None:
    cap = a_cap(1)
    first, second = running("p1", gpu(30, 40)), running("p2", gpu(30, 40))
    await store.admit(first)
    await store.move_job("p1", "completed", NOW, gpu_ms=10_000)

    assert (await store.peek(NOW, (gpu(30, 40),), (cap,)))[1].used == 0
    assert await store.admit(second) == Admitted(NOW)


async def test_a_reset_keeps_the_time_of_a_job_under_way_so_that_it_can_be_settled(
    store: Store,
) -> None:
    charge = gpu(30, 40, window_ms=SECOND)
    await store.admit(running("p1", charge))
    await store.reset(NOW, {}, counter="gpu_seconds")
    assert await used(store, charge) == 30 * UNIT

    await store.move_job("p1", "completed", NOW, gpu_ms=1_000)
    assert await store.reset(NOW, {}, counter="gpu_seconds") == 1
    assert await used(store, charge) == 0


async def test_gpu_time_of_a_job_under_way_is_not_forgotten_however_old(store: Store) -> None:
    await store.admit(running("p1", gpu(30, 40), calls(9)))
    for number in range(40):
        await store.admit(asking(NOW + 40 * DAY + number, calls(99, window_ms=SECOND)))

    held = {account.counter: account.rows for account in await store.accounts()}
    assert held["gpu_seconds"] == 1
    await store.move_job("p1", "completed", NOW + 40 * DAY, gpu_ms=1)
    await store.admit(asking(NOW + 41 * DAY, calls(99, window_ms=SECOND)))
    assert "gpu_seconds" not in {account.counter for account in await store.accounts()}


def _file(name: str) -> MadeFile:
    return MadeFile("output", "", name)
