"""Several calls let in at once: all or none, in order, each counting for those after it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from comfy_mcp.errors import StateError
from comfy_mcp.store import (
    UNIT,
    Admission,
    Admitted,
    AdmittedTogether,
    Cooling,
    Freeze,
    Frozen,
    Full,
    NewSweep,
    Refund,
    Repeated,
    RepeatedSweep,
    SqliteStore,
    Store,
    Tally,
    TogetherRefused,
    Unapproved,
)
from comfy_mcp.store.asked import SPENT
from tests.store.sample import (
    HOST,
    MINUTE,
    NOW,
    SECOND,
    a_cap,
    approved,
    asking,
    calls,
    gpu,
    running,
    spending,
)

pytestmark = pytest.mark.anyio


def a_sweep(sweep_id: str = "swp_1", **kw: str) -> NewSweep:
    values = {"grant": "ann", "host": HOST, "workflow": "txt2img", **kw}
    return NewSweep(sweep_id, **values)


def runs(count: int, *charges: object, name: str = "p", most: int = 99) -> tuple[Admission, ...]:
    """So many jobs of ann, each of which takes *charges* and has to find a slot."""
    found = (running(f"{name}{number}", now_ms=NOW) for number in range(1, count + 1))
    return tuple(
        replace(one, charges=charges, slots=(a_cap(most),), record={"is": one.decision_id})
        for one in found
    )


async def nothing(store: Store) -> None:
    assert await store.unfinished(host=HOST) == ()
    assert await store.accounts() == ()
    assert await store.verify() == (0, None)
    assert await store.sweeps(HOST, "ann", count=9) == ()


# All of it


async def test_all_are_written_in_their_order_each_under_its_own_decision(store: Store) -> None:
    ones = (asking(NOW, grant="ann"), *runs(3, calls(9)))
    assert await store.admit_together(ones, a_sweep(data='{"axes": 1}')) == AdmittedTogether(NOW)

    jobs = await store.sweep_jobs("swp_1")
    assert [(one.prompt_id, one.decision_id, one.sweep, one.place) for one in jobs] == [
        ("p1", "dec_p1", "swp_1", 0),
        ("p2", "dec_p2", "swp_1", 1),
        ("p3", "dec_p3", "swp_1", 2),
    ]
    rows = [dict(row.record) for row in await store.tail(9)]
    assert rows == [
        {"tool": "run_workflow"},
        *({"is": f"dec_p{number}"} for number in (1, 2, 3)),
    ]
    assert [one.amount for one in await store.accounts()] == [3 * UNIT]
    row = await store.sweep("swp_1")
    assert row is not None
    assert (row.grant, row.host, row.workflow, row.decision_id, row.created_ms) == (
        *("ann", HOST, "txt2img", "dec_1"),
        NOW,
    )
    assert (row.data, row.prompt_ids) == ('{"axes": 1}', ("p1", "p2", "p3"))


async def test_one_alone_is_what_admit_would_do(store: Store) -> None:
    (one,) = runs(1, calls(1))
    assert await store.admit_together((one,)) == AdmittedTogether(NOW)
    assert await store.admit(replace(one, decision_id="dec_2", job=None)) == Full(
        calls(1), UNIT, MINUTE
    )
    job = await store.job("p1")
    assert job is not None
    assert (job.sweep, job.place) == ("", 0)


async def test_each_job_settles_what_it_took_and_no_other(store: Store) -> None:
    await store.admit_together(runs(3, gpu(10, 100)), a_sweep())
    await store.move_job("p2", "completed", NOW, gpu_ms=4_000)
    await store.move_job("p3", "refused", NOW)
    assert [one.amount for one in await store.accounts()] == [14 * UNIT]


# Nothing


async def test_one_call_too_many_and_none_is_let_in(store: Store) -> None:
    limit = calls(2)
    refused = await store.admit_together(runs(3, limit), a_sweep())
    assert refused == TogetherRefused(2, Full(limit, 0, None), alone=2)
    await nothing(store)


async def test_the_wait_suffices_for_all_and_a_millisecond_less_does_not(store: Store) -> None:
    limit = calls(4)
    await store.admit(asking(NOW, limit))
    await store.admit(asking(NOW + SECOND, limit))
    early = tuple(replace(one, now_ms=NOW + 2 * SECOND) for one in runs(4, limit))

    refused = await store.admit_together(early, a_sweep())
    # Both of those before have to leave, although the third run would have a place sooner.
    assert refused == TogetherRefused(2, Full(limit, 2 * UNIT, MINUTE - SECOND), alone=4)
    then = NOW + MINUTE + SECOND
    short = tuple(replace(one, now_ms=then - 1) for one in early)
    assert await store.admit_together(short) == TogetherRefused(3, Full(limit, UNIT, 1), alone=4)
    late = tuple(replace(one, now_ms=then) for one in early)
    assert await store.admit_together(late) == AdmittedTogether(then)


async def test_a_slot_counts_the_jobs_before_it(store: Store) -> None:
    await store.admit(running("p0"))
    cap = a_cap(4)
    refused = await store.admit_together(runs(12, most=4), a_sweep())
    assert refused == TogetherRefused(3, Full(cap, 1, None), 4, Full(cap, 1, None))
    assert await store.admit_together(runs(3, most=4), a_sweep()) == AdmittedTogether(NOW)
    assert isinstance(await store.admit(replace(running("p9"), slots=(cap,))), Full)


async def test_jobs_of_others_and_on_other_hosts_take_no_slot_of_a_cap(store: Store) -> None:
    one, two = runs(2, most=1)
    assert two.job is not None
    elsewhere = replace(two, job=replace(two.job, host="http://other"))
    assert await store.admit_together((elsewhere, one)) == AdmittedTogether(NOW)


async def test_a_limit_only_some_of_them_have_counts_those(store: Store) -> None:
    strict, loose = calls(1), calls(3)
    first, second, third = runs(3, loose)
    both = replace(first, charges=(strict,))
    assert await store.admit_together((both, second, third)) == AdmittedTogether(NOW)


async def test_what_a_later_one_finds_taken_by_earlier_ones_refuses_all(store: Store) -> None:
    strict, loose = calls(1), calls(3)
    first, second = runs(2, loose)
    refused = await store.admit_together((first, replace(second, charges=(strict,))))
    assert refused == TogetherRefused(1, Full(strict, 0, None), alone=1)
    await nothing(store)


async def test_what_would_fit_is_told_and_taken_by_nobody(store: Store) -> None:
    limit = calls(2)
    assert await store.would_fit(runs(2, limit)) is None
    assert await store.would_fit(runs(3, limit)) == TogetherRefused(
        2, Full(limit, 0, None), alone=2
    )
    full = Full(a_cap(1), 0, None)
    assert await store.would_fit(runs(3, most=1)) == TogetherRefused(1, full, 1, full)
    await nothing(store)


async def test_of_several_limits_the_one_that_lets_the_fewest_in_is_told(store: Store) -> None:
    tight, wide = calls(3), replace(calls(5), counter="others", rule="/wide")
    await store.admit(asking(NOW, tight))
    await store.admit(asking(NOW + SECOND, wide, wide, wide))
    later = tuple(replace(one, now_ms=NOW + SECOND) for one in runs(3, tight, wide))

    # Two find room in either, and the longer of the two waits suffices for all.
    assert await store.would_fit(later) == TogetherRefused(2, Full(wide, 3 * UNIT, MINUTE), 3)
    slots = tuple(replace(one, slots=(a_cap(3),)) for one in later)
    for number in (1, 2):
        await store.admit(running(f"o{number}", now_ms=NOW + SECOND))
    cap = Full(a_cap(3), 2, MINUTE)
    assert await store.would_fit(slots) == TogetherRefused(
        1, cap, 3, replace(cap, retry_after_ms=None)
    )
    # Of several caps the tightest one tells how many jobs have to end.
    both = tuple(replace(one, slots=(a_cap(9), a_cap(4), a_cap(3))) for one in later)
    answer = await store.would_fit(both)
    assert answer is not None
    assert answer.slot == replace(cap, retry_after_ms=None)
    # What is too much even alone is told first: no wait helps against it.
    never = Full(a_cap(2), 2, None)
    slots = tuple(replace(one, slots=(a_cap(2),)) for one in later)
    assert await store.would_fit(slots) == TogetherRefused(0, never, 2, never)


async def test_a_freeze_or_a_cooldown_refuses_all(store: Store) -> None:
    ones = tuple(replace(one, grant="ann") for one in runs(2))
    await store.freeze(NOW, Freeze("ann", "Stop."), {})
    assert await store.admit_together(ones, a_sweep()) == TogetherRefused(
        0, Frozen("ann", "Stop.", NOW)
    )
    await store.unfreeze(NOW, "ann", {})
    await store.refuse(NOW, {}, (Tally("ann", 1, MINUTE, MINUTE),))
    assert await store.admit_together(ones, a_sweep()) == TogetherRefused(0, Cooling(MINUTE))
    assert await store.unfinished(host=HOST) == ()


async def test_a_job_that_is_there_already_leaves_no_trace_of_the_others(store: Store) -> None:
    await store.admit(running("p3"))
    before = await store.verify()
    with pytest.raises(StateError):
        await store.admit_together(runs(4, calls(9)), a_sweep())
    assert await store.verify() == before
    assert await store.accounts() == ()
    assert await store.sweep("swp_1") is None
    assert await store.job("p1") is None


async def test_a_job_with_a_known_key_refuses_all(store: Store) -> None:
    await store.admit(running("p0", key="mine"))
    one, two = runs(2)
    assert two.job is not None
    refused = await store.admit_together((one, replace(two, job=replace(two.job, key="mine"))))
    assert isinstance(refused, TogetherRefused)
    assert refused.index == 1
    assert isinstance(refused.answer, Repeated)
    assert await store.job("p1") is None


# A person's yes


async def test_a_yes_is_spent_once_for_the_whole(store: Store) -> None:
    await approved(store)
    whole = (spending(), *runs(2))
    assert await store.admit_together(whole, a_sweep()) == AdmittedTogether(NOW)
    assert await store.approval_status("apr_1", NOW) == SPENT

    again = (spending(), *runs(2, name="q"))
    refused = await store.admit_together(again, a_sweep("swp_2"))
    assert isinstance(refused, TogetherRefused)
    assert refused.index == 0
    assert isinstance(refused.answer, Unapproved)
    assert await store.sweep("swp_2") is None


async def test_a_yes_is_kept_if_the_whole_does_not_fit(store: Store) -> None:
    await approved(store)
    refused = await store.admit_together((spending(), *runs(3, most=2)), a_sweep())
    assert isinstance(refused, TogetherRefused)
    assert await store.approval_status("apr_1", NOW) == "approved"


async def test_a_yes_for_another_host_lets_no_sweep_through(store: Store) -> None:
    await approved(store, host="http://other")
    refused = await store.admit_together((spending(), *runs(2)), a_sweep())
    assert isinstance(refused, TogetherRefused)
    assert isinstance(refused.answer, Unapproved)


# Sweeps


async def test_the_same_key_gets_the_same_sweep(store: Store) -> None:
    keyed = a_sweep(key="monday", request="sha256:r")
    await store.admit_together(runs(2), keyed)
    answer = await store.admit_together(runs(2, name="q"), replace(keyed, sweep_id="swp_2"))

    assert isinstance(answer, RepeatedSweep)
    assert (answer.sweep.sweep_id, answer.sweep.request) == ("swp_1", "sha256:r")
    assert answer.sweep.prompt_ids == ("p1", "p2")
    assert await store.keyed_sweep(HOST, "ann", "monday") == answer.sweep
    assert await store.keyed_sweep(HOST, "bob", "monday") is None
    assert await store.keyed_sweep("http://other", "ann", "monday") is None
    assert await store.keyed_sweep(HOST, "ann", "") is None


async def test_sweeps_without_a_key_are_never_the_same(store: Store) -> None:
    assert await store.admit_together(runs(1), a_sweep()) == AdmittedTogether(NOW)
    second = await store.admit_together(runs(1, name="q"), a_sweep("swp_2"))
    assert second == AdmittedTogether(NOW)


async def test_a_key_is_given_back_when_comfyui_took_no_job_at_all(store: Store) -> None:
    await store.admit_together(runs(2), a_sweep(key="monday"))
    await store.move_job("p1", "refused", NOW)
    assert await store.keyed_sweep(HOST, "ann", "monday") is not None
    await store.move_job("p2", "refused", NOW)
    assert await store.keyed_sweep(HOST, "ann", "monday") is None

    again = a_sweep("swp_2", key="monday")
    assert await store.admit_together(runs(2, name="q"), again) == AdmittedTogether(NOW)
    await store.move_job("q1", "refused", NOW)
    await store.move_job("q2", "lost", NOW)
    assert await store.keyed_sweep(HOST, "ann", "monday") is not None


async def test_a_sweep_is_shown_to_its_own_grant(store: Store) -> None:
    await store.admit_together(runs(1), a_sweep())
    assert await store.sweep("swp_1", grant="ann") is not None
    assert await store.sweep("swp_1", grant="bob") is None
    assert await store.sweep("swp_9") is None
    assert await store.sweep_jobs("swp_9") == ()
    assert await store.sweep_jobs("") == ()


async def test_sweeps_are_listed_newest_first_in_pages_without_their_data(store: Store) -> None:
    for number in range(5):
        sweep = a_sweep(f"swp_{number}", data="x" * 99)
        await store.admit_together(runs(2, name=f"{number}-"), sweep)
    await store.admit_together(runs(1, name="b"), a_sweep("swp_bob", grant="bob"))

    first = await store.sweeps(HOST, "ann", count=3)
    assert [row.sweep_id for row in first] == ["swp_4", "swp_3", "swp_2"]
    assert [row.data for row in first] == [""] * 3
    assert first[0].prompt_ids == ("4-1", "4-2")
    rest = await store.sweeps(HOST, "ann", before=first[-1].seq, count=3)
    assert [row.sweep_id for row in rest] == ["swp_1", "swp_0"]


async def test_jobs_know_their_sweep_wherever_they_are_read(store: Store) -> None:
    await store.admit_together(runs(2), a_sweep())
    for rows in (await store.unfinished(host=HOST), await store.sweep_jobs("swp_1")):
        assert [(row.sweep, row.place) for row in rows] == [("swp_1", 0), ("swp_1", 1)]
    await store.move_job("p2", "completed", NOW)
    (ended,) = await store.jobs(HOST, count=9)
    assert (ended.sweep, ended.place) == ("swp_1", 1)


async def test_a_refund_of_one_run_makes_room_for_one(store: Store) -> None:
    limit = calls(2, refund=Refund.NOT_ACCEPTED)
    await store.admit_together(runs(2, limit), a_sweep())
    await store.move_job("p1", "refused", NOW)
    assert await store.admit(asking(NOW, limit)) == Admitted(NOW)
    assert isinstance(await store.admit(asking(NOW, limit)), Full)


async def test_what_a_state_kept_is_there_for_the_next_process(tmp_path: Path) -> None:
    first = SqliteStore(tmp_path / "state")
    await first.admit_together(runs(2), a_sweep(data="{}", key="monday"))
    row = await first.sweep("swp_1")
    await first.close()
    second = SqliteStore(tmp_path / "state")
    assert await second.sweep("swp_1") == row
    await second.close()
