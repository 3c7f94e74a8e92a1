"""What every state backend promises: all or nothing, exact waits, one shared count, one chain."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comfy_mcp.errors import StateError
from comfy_mcp.store import (
    FINAL,
    UNIT,
    Admission,
    Admitted,
    Charge,
    Full,
    JobRow,
    Store,
)
from comfy_mcp.store.chain import GENESIS, canonical, link
from tests.store.sample import DAY, HOST, MINUTE, NOW, a_cap, a_job, asking, calls

pytestmark = pytest.mark.anyio


async def in_log(store: Store) -> int:
    rows, fault = await store.verify()
    assert fault is None
    return rows


# Charges


async def test_a_call_that_fits_is_taken_and_one_too_many_is_not(store: Store) -> None:
    limit = calls(2)

    assert await store.admit(asking(NOW, limit)) == Admitted(at_ms=NOW)
    assert await store.admit(asking(NOW + 10_000, limit)) == Admitted(at_ms=NOW + 10_000)
    assert await store.admit(asking(NOW + 20_000, limit)) == Full(limit, 2 * UNIT, 40_000)


async def test_a_served_wait_suffices_and_one_millisecond_less_does_not(store: Store) -> None:
    limit = calls(1)
    await store.admit(asking(NOW, limit))
    full = await store.admit(asking(NOW + 1, limit))
    assert isinstance(full, Full)
    assert full.retry_after_ms is not None
    then = NOW + 1 + full.retry_after_ms

    assert await store.admit(asking(then - 1, limit)) == Full(limit, UNIT, 1)
    assert await store.admit(asking(then, limit)) == Admitted(at_ms=then)


async def test_a_fixed_window_ends_with_the_utc_minute(store: Store) -> None:
    limit = calls(1, calendar=True)
    start = NOW - NOW % MINUTE
    await store.admit(asking(start + 59_000, limit))

    assert await store.admit(asking(start + 59_500, limit)) == Full(limit, UNIT, 500)
    assert await store.admit(asking(start + MINUTE, limit)) == Admitted(at_ms=start + MINUTE)


async def test_an_amount_above_the_maximum_never_fits(store: Store) -> None:
    for limit in (calls(3, amount=4 * UNIT), calls(3, amount=4 * UNIT, calendar=True)):
        assert await store.admit(asking(NOW, limit)) == Full(limit, 0, None)


async def test_a_full_store_takes_nothing_of_an_admission(store: Store) -> None:
    wide, narrow = calls(9, counter="wide"), calls(0, counter="narrow")
    refused = asking(NOW, wide, narrow, job=a_job("p1"), slots=(a_cap(1),))

    assert isinstance(await store.admit(refused), Full)
    assert await store.job("p1") is None
    assert await in_log(store) == 0
    assert await store.admit(asking(NOW, calls(1, counter="wide"))) == Admitted(at_ms=NOW)


async def test_of_several_full_charges_the_longest_wait_is_told(store: Store) -> None:
    short, long = calls(1, counter="a"), calls(1, counter="b", window_ms=DAY)
    never = calls(0, counter="c")
    await store.admit(asking(NOW, short, long))

    assert await store.admit(asking(NOW, short, long)) == Full(long, UNIT, DAY)
    assert await store.admit(asking(NOW, long, short)) == Full(long, UNIT, DAY)
    assert await store.admit(asking(NOW, short, never, long)) == Full(never, 0, None)


async def test_a_full_charge_is_told_before_a_full_slot(store: Store) -> None:
    limit = calls(1)
    await store.admit(asking(NOW, limit, job=a_job("p1")))

    answer = await store.admit(asking(NOW, limit, slots=(a_cap(1),)))
    assert answer == Full(limit, UNIT, MINUTE)


async def test_two_charges_of_one_account_are_added_up(store: Store) -> None:
    limit = calls(3)
    assert await store.admit(asking(NOW, limit, limit)) == Admitted(at_ms=NOW)
    assert await store.admit(asking(NOW, limit, limit)) == Full(limit, 2 * UNIT, MINUTE)
    assert await store.admit(asking(NOW, limit)) == Admitted(at_ms=NOW)


async def test_a_smaller_maximum_beside_a_larger_one_of_the_same_account_holds(
    store: Store,
) -> None:
    strict, loose = calls(1), calls(9)
    assert await store.admit(asking(NOW, loose, strict)) == Full(strict, 0, None)


async def test_accounts_of_other_holders_and_counters_are_apart(store: Store) -> None:
    await store.admit(asking(NOW, calls(1)))

    assert isinstance(await store.admit(asking(NOW, calls(1, holder="bob"))), Admitted)
    assert isinstance(await store.admit(asking(NOW, calls(1, counter="runs"))), Admitted)
    assert isinstance(await store.admit(asking(NOW, calls(1))), Full)


async def test_a_limit_whose_window_is_edited_forgets_nothing(store: Store) -> None:
    await store.admit(asking(NOW, calls(1)))
    edited = calls(1, window_ms=DAY)

    assert await store.admit(asking(NOW + 2 * MINUTE, edited)) == Full(
        edited, UNIT, DAY - 2 * MINUTE
    )


async def test_a_window_of_a_year_counts_for_a_year(store: Store) -> None:
    yearly = calls(1, window_ms=365 * DAY)
    await store.admit(asking(NOW, yearly))
    for day in range(1, 365, 40):
        await store.admit(asking(NOW + day * DAY, calls(9, counter="other")))

    assert await store.admit(asking(NOW + 364 * DAY, yearly)) == Full(yearly, UNIT, DAY)


async def test_a_negative_amount_gives_nothing_back(store: Store) -> None:
    with pytest.raises(StateError):
        await store.admit(asking(NOW, calls(1, amount=-UNIT)))
    assert await in_log(store) == 0


async def test_a_number_too_large_to_keep_is_refused(store: Store) -> None:
    with pytest.raises(StateError):
        await store.admit(asking(NOW, calls(2**70, amount=2**65)))
    assert await in_log(store) == 0


# Time


async def test_time_never_runs_backwards(store: Store, open_store: Callable[[], Store]) -> None:
    await store.admit(asking(NOW, calls(2)))

    assert await store.admit(asking(NOW - DAY, calls(2))) == Admitted(at_ms=NOW)
    await open_store().record(NOW - DAY, {})
    assert [row.at_ms for row in await store.tail(9)] == [NOW, NOW, NOW]


async def test_a_refusal_is_a_time_seen(store: Store) -> None:
    assert isinstance(await store.admit(asking(NOW, calls(0))), Full)
    assert await store.admit(asking(NOW - DAY)) == Admitted(at_ms=NOW)


async def test_a_clock_that_stepped_back_cannot_empty_a_window(store: Store) -> None:
    limit = calls(1)
    await store.admit(asking(NOW, limit))
    assert isinstance(await store.admit(asking(NOW - DAY, limit)), Full)


async def test_the_wait_is_exact_for_a_clock_that_stepped_back(store: Store) -> None:
    limit = calls(1)
    await store.admit(asking(NOW, limit))
    early = NOW - 5_000

    assert await store.admit(asking(early, limit)) == Full(limit, UNIT, MINUTE + 5_000)
    assert isinstance(await store.admit(asking(early + MINUTE + 4_999, limit)), Full)
    assert isinstance(await store.admit(asking(early + MINUTE + 5_000, limit)), Admitted)


# Slots and jobs


async def test_a_job_holds_its_slot_until_its_status_is_final(store: Store) -> None:
    cap = a_cap(1)
    await store.admit(asking(NOW, job=a_job("p1"), slots=(cap,)))
    second = asking(NOW, job=a_job("p2"), slots=(cap,))

    assert await store.admit(second) == Full(cap, 1, None)
    assert await store.move_job("p1", "running", NOW)
    assert await store.admit(second) == Full(cap, 1, None)
    assert await store.move_job("p1", "completed", NOW)
    assert await store.admit(second) == Admitted(at_ms=NOW)


async def test_slots_of_other_grants_and_hosts_are_apart(store: Store) -> None:
    await store.admit(asking(NOW, job=a_job("p1")))

    for cap in (a_cap(1, grant="bob"), a_cap(1, host="http://other:8188")):
        assert await store.admit(asking(NOW, slots=(cap,))) == Admitted(at_ms=NOW)
    assert await store.admit(asking(NOW, slots=(a_cap(1),))) == Full(a_cap(1), 1, None)


async def test_the_journal_has_the_job_before_it_is_submitted(store: Store) -> None:
    await store.admit(asking(NOW, job=a_job("p1"), decision_id="dec_7"))

    assert await store.job("p1") == JobRow(
        "p1", "ann", HOST, "txt2img", "sha256:1", "dec_7", "submitting", NOW, NOW, {}, seq=1
    )
    assert await store.job("p2") is None


async def test_a_job_that_is_known_is_not_admitted_again(store: Store) -> None:
    await store.admit(asking(NOW, calls(9), job=a_job("p1")))

    with pytest.raises(StateError):
        await store.admit(asking(NOW, calls(9), job=a_job("p1")))
    assert await in_log(store) == 1
    assert await store.admit(asking(NOW, calls(2))) == Admitted(at_ms=NOW)


@pytest.mark.parametrize("final", sorted(FINAL))
async def test_a_final_status_never_changes_again(store: Store, final: str) -> None:
    await store.admit(asking(NOW, job=a_job("p1")))
    assert await store.move_job("p1", final, NOW + 1, result={"seen": 1}, record={"is": final})
    ended = await store.job("p1")
    assert ended is not None
    assert (ended.status, ended.changed_ms, ended.result) == (final, NOW + 1, {"seen": 1})

    for status in ("running", *FINAL):
        assert not await store.move_job("p1", status, NOW + 2, result={}, record={"again": 1})
    assert await store.job("p1") == ended
    assert await in_log(store) == 2


async def test_an_unknown_job_cannot_be_moved(store: Store) -> None:
    assert not await store.move_job("p1", "completed", NOW, record={"no": 1})
    assert await in_log(store) == 0


async def test_a_move_without_a_result_keeps_the_one_there_is(store: Store) -> None:
    await store.admit(asking(NOW, job=a_job("p1")))
    await store.move_job("p1", "running", NOW, result={"step": [1, None, "é"]})
    await store.move_job("p1", "completed", NOW)

    job = await store.job("p1")
    assert job is not None
    assert job.result == {"step": [1, None, "é"]}


async def test_only_one_of_many_ends_a_job(open_store: Callable[[], Store]) -> None:
    stores = [open_store() for _ in range(4)]
    await stores[0].admit(asking(NOW, job=a_job("p1")))

    ends = [
        store.move_job("p1", status, NOW, record={"by": status})
        for store in stores
        for status in sorted(FINAL)
    ]
    assert sum(await asyncio.gather(*ends)) == 1
    assert await in_log(stores[0]) == 2


async def test_unfinished_jobs_are_listed_oldest_first(store: Store) -> None:
    for prompt_id, grant in (("p3", "ann"), ("p1", "bob"), ("p2", "ann"), ("p0", "ann")):
        await store.admit(asking(NOW, job=a_job(prompt_id, grant=grant)))
    await store.admit(asking(NOW, job=a_job("far", host="http://other:8188")))
    await store.move_job("p2", "lost", NOW)

    everybody = await store.unfinished(host=HOST)
    assert [job.prompt_id for job in everybody] == ["p3", "p1", "p0"]
    assert [job.prompt_id for job in await store.unfinished(host=HOST, grant="ann")] == ["p3", "p0"]
    assert await store.unfinished(host=HOST, grant="eve") == ()


# Audit


async def test_each_write_leaves_its_row_in_one_chain(store: Store) -> None:
    await store.admit(asking(NOW, record={"is": "decision"}, job=a_job("p1")))
    await store.record(NOW + 1, {"is": "denial"})
    await store.move_job("p1", "completed", NOW + 2, record={"is": "outcome"})

    rows = await store.tail(9)
    assert [(row.seq, row.at_ms, row.record["is"]) for row in rows] == [
        (1, NOW, "decision"),
        (2, NOW + 1, "denial"),
        (3, NOW + 2, "outcome"),
    ]
    assert [row.previous for row in rows] == [GENESIS, rows[0].hash, rows[1].hash]
    for row in rows:
        assert row.hash == link(row.previous, row.seq, row.at_ms, canonical(row.record))
    assert await store.verify() == (3, None)


async def test_the_tail_is_as_long_as_asked(store: Store) -> None:
    for number in range(5):
        await store.record(NOW, {"number": number})

    assert [row.record["number"] for row in await store.tail(2)] == [3, 4]
    assert len(await store.tail(99)) == 5
    assert await store.tail(0) == ()
    assert await store.tail(-1) == ()


async def test_a_new_state_has_an_empty_chain(store: Store) -> None:
    assert await store.verify() == (0, None)
    assert await store.tail(5) == ()


async def test_a_long_chain_is_walked_to_its_end(store: Store) -> None:
    await asyncio.gather(*(store.record(NOW, {"number": number}) for number in range(1_001)))
    assert await store.verify() == (1_001, None)


async def test_a_record_is_kept_as_it_was_given(store: Store) -> None:
    inner = MappingProxyType({"b": 1, "a": (1.5, None)})
    given_record: Mapping[str, Any] = MappingProxyType(
        {"text": 'é\x00\n"\ud800', "inner": inner, "big": 2**80, "tiny": 1e-300}
    )
    await store.record(NOW, given_record)

    (row,) = await store.tail(1)
    plain = {**given_record, "inner": {"a": [1.5, None], "b": 1}}
    assert json.dumps(row.record, sort_keys=True) == json.dumps(plain, sort_keys=True)
    assert await store.verify() == (1, None)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}, b"bytes"])
async def test_a_record_that_is_not_json_stops_the_call(store: Store, value: object) -> None:
    with pytest.raises(StateError):
        await store.admit(asking(NOW, calls(1), record={"value": value}))
    assert await store.admit(asking(NOW, calls(1))) == Admitted(at_ms=NOW)


# Sharing and ending


async def test_what_was_written_outlives_the_store(open_store: Callable[[], Store]) -> None:
    first = open_store()
    await first.admit(asking(NOW, calls(1), job=a_job("p1")))
    await first.close()

    second = open_store()
    assert isinstance(await second.admit(asking(NOW, calls(1))), Full)
    assert await second.job("p1") is not None
    assert await second.verify() == (1, None)


async def test_a_hundred_calls_at_once_do_not_get_past_a_limit(
    open_store: Callable[[], Store],
) -> None:
    stores = [open_store() for _ in range(4)]
    asked = (stores[n % 4].admit(asking(NOW, calls(30))) for n in range(100))

    answers = await asyncio.gather(*asked)
    assert sum(isinstance(answer, Admitted) for answer in answers) == 30
    assert await in_log(stores[0]) == 30


async def test_a_cancelled_call_was_admitted_wholly_or_not_at_all(store: Store) -> None:
    tasks = [
        asyncio.ensure_future(store.admit(asking(NOW, calls(99), job=a_job(f"p{n}"))))
        for n in range(40)
    ]
    await tasks[3]
    for task in tasks[4::2]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    rows = await in_log(store)
    assert rows == len(await store.unfinished(host=HOST))
    full = await store.admit(asking(NOW, calls(rows)))
    assert isinstance(full, Full)
    assert full.used == rows * UNIT


async def test_a_closed_store_says_so(store: Store) -> None:
    await store.record(NOW, {})
    await store.close()
    await store.close()

    for asked in (
        store.admit(asking(NOW)),
        store.record(NOW, {}),
        store.job("p1"),
        store.move_job("p1", "lost", NOW),
        store.unfinished(host=HOST),
        store.tail(1),
        store.verify(),
    ):
        with pytest.raises(StateError, match="closed"):
            await asked


async def test_a_store_that_was_never_used_can_be_closed(store: Store) -> None:
    await store.close()


# Any history, against the plainest account of the same promise


class Ledger:
    """Every charge ever taken, in a list; waits are found by trying every millisecond."""

    def __init__(self) -> None:
        self.last_ms = 0
        self.taken: list[tuple[int, Charge]] = []
        self.jobs: list[str] = []

    def admit(self, admission: Admission) -> Admitted | Full:
        """What a store that was asked the same must answer."""
        self.last_ms = max(self.last_ms, admission.now_ms)
        refused = [
            Full(charge, self._used(charge, self.last_ms), self._wait(charge, admission))
            for charge in admission.charges
            if not self._fits(charge, admission, self.last_ms)
        ]
        slots = [
            Full(cap, self.jobs.count(cap.grant), None)
            for cap in admission.slots
            if self.jobs.count(cap.grant) >= cap.most
        ]
        never = [full for full in refused if full.retry_after_ms is None]
        never += [full for full in slots if full.cause.most == 0]
        if never:
            return never[0]
        if refused:
            return max(refused, key=lambda full: full.retry_after_ms or 0)
        if slots:
            return min(slots, key=lambda full: full.cause.most - full.used)
        self.taken += [(self.last_ms, charge) for charge in admission.charges]
        if admission.job is not None:
            self.jobs.append(admission.job.grant)
        return Admitted(self.last_ms)

    def _used(self, charge: Charge, at_ms: int) -> int:
        window = charge.window_ms
        start = at_ms // window * window if charge.calendar else at_ms - window + 1
        return sum(
            other.amount
            for then, other in self.taken
            if then >= start and (other.counter, other.holder) == (charge.counter, charge.holder)
        )

    def _fits(self, charge: Charge, admission: Admission, at_ms: int) -> bool:
        asked = sum(
            other.amount
            for other in admission.charges
            if (other.counter, other.holder) == (charge.counter, charge.holder)
        )
        return self._used(charge, at_ms) + asked <= charge.most

    def _wait(self, charge: Charge, admission: Admission) -> int | None:
        longest = self.last_ms - admission.now_ms + charge.window_ms
        return next(
            (
                wait
                for wait in range(longest + 1)
                if self._fits(charge, admission, max(self.last_ms, admission.now_ms + wait))
            ),
            None,
        )


charges = st.builds(
    Charge,
    counter=st.sampled_from(["calls", "seconds"]),
    holder=st.sampled_from(["ann", "*"]),
    amount=st.integers(0, 4),
    most=st.integers(0, 9),
    window_ms=st.sampled_from([1, 7, 20, 33]),
    rule=st.just("/limits/0"),
    calendar=st.booleans(),
)
steps = st.tuples(
    st.integers(-30, 30),
    st.lists(charges, max_size=4),
    st.lists(
        st.builds(a_cap, st.integers(0, 3), grant=st.sampled_from(["ann", "bob"])), max_size=2
    ),
    st.sampled_from(["", "ann", "bob"]),
)


@settings(max_examples=60)
@given(history=st.lists(steps, max_size=25))
async def test_any_history_is_judged_as_the_plain_ledger_judges_it(
    backend: Callable[[Path], Store], history: list[Any]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store, ledger = backend(Path(folder) / "state"), Ledger()
        now_ms, admitted = 1_000, 0
        for number, (step, limits, caps, grant) in enumerate(history):
            now_ms += step
            job = a_job(f"p{number}", grant=grant) if grant else None
            asked = asking(now_ms, *limits, slots=tuple(caps), job=job)

            answer = await store.admit(asked)

            assert answer == ledger.admit(asked)
            admitted += isinstance(answer, Admitted)
        assert await store.verify() == (admitted, None)
        assert len(await store.unfinished(host=HOST)) == len(ledger.jobs)
        await store.close()
