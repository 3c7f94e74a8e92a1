"""Idempotency keys: whatever happens, one key means at most one admitted job."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comfy_mcp.store import (
    FINAL,
    UNIT,
    Admitted,
    Cooling,
    Freeze,
    Frozen,
    Full,
    JobRow,
    Repeated,
    Store,
    Tally,
)
from tests.store.sample import HOST, MINUTE, NOW, a_cap, calls, gpu, running

pytestmark = pytest.mark.anyio

OTHER = "http://other:8188"


async def keyed(store: Store, key: str = "k", grant: str = "ann", host: str = HOST) -> str | None:
    """The id of the job with that key."""
    row = await store.keyed(host, grant, key)
    return None if row is None else row.prompt_id


async def row_of(store: Store, prompt_id: str) -> JobRow:
    row = await store.job(prompt_id)
    assert row is not None
    return row


async def test_a_job_is_kept_with_its_key_and_the_digest_of_its_request(store: Store) -> None:
    await store.admit(running("p1", key="k", request="sha256:asked"))

    row = await row_of(store, "p1")
    assert (row.key, row.request) == ("k", "sha256:asked")
    assert await store.keyed(HOST, "ann", "k") == row


async def test_a_repeated_key_is_answered_with_the_job_and_takes_nothing(store: Store) -> None:
    limit, budget, cap = calls(9), gpu(5, 90), a_cap(9)
    first = running("p1", limit, budget, key="k", request="r")
    assert await store.admit(first) == Admitted(NOW)
    before = (await store.head(), await store.peek(NOW, (limit, budget), (cap,)))

    again = await store.admit(running("p2", limit, budget, key="k", request="r"))

    assert again == Repeated(await row_of(store, "p1"))
    assert (await store.head(), await store.peek(NOW, (limit, budget), (cap,))) == before
    assert await store.job("p2") is None


async def test_a_repeat_is_found_though_every_limit_is_full_by_then(store: Store) -> None:
    limit = calls(1)
    await store.admit(running("p1", limit, key="k"))

    assert isinstance(await store.admit(running("p2", limit, key="k")), Repeated)
    assert isinstance(await store.admit(running("p3", limit, key="other")), Full)


async def test_a_freeze_and_a_cool_down_are_told_before_a_repeat(store: Store) -> None:
    await store.admit(running("p1", key="k"))
    asked = running("p2", key="k")

    await store.refuse(NOW, {}, (Tally("ann", 1, MINUTE, MINUTE),))
    by_ann = type(asked)(asked.decision_id, NOW, {}, grant="ann", job=asked.job)
    assert await store.admit(by_ann) == Cooling(MINUTE)
    await store.freeze(NOW, Freeze("ann"), {})
    assert isinstance(await store.admit(by_ann), Frozen)


async def test_another_request_under_the_key_is_for_the_caller_to_tell(store: Store) -> None:
    await store.admit(running("p1", key="k", request="one"))

    answer = await store.admit(running("p2", key="k", request="two"))
    assert isinstance(answer, Repeated)
    assert answer.job.request == "one"


async def test_a_key_is_one_grants_and_one_hosts(store: Store) -> None:
    for number, who in enumerate(({}, {"grant": "bob"}, {"host": OTHER})):
        assert await store.admit(running(f"p{number}", key="k", **who)) == Admitted(NOW)

    found = [
        await keyed(store),
        await keyed(store, grant="bob"),
        await keyed(store, host=OTHER),
        await keyed(store, grant="bob", host=OTHER),
        await keyed(store, "K"),
    ]
    assert found == ["p0", "p1", "p2", None, None]


async def test_jobs_without_a_key_are_never_each_others_repeats(store: Store) -> None:
    for number in range(3):
        assert await store.admit(running(f"p{number}")) == Admitted(NOW)
    assert await keyed(store, "") is None


@pytest.mark.parametrize("status", ["pending", "in_progress", "stopping", *sorted(FINAL)])
async def test_only_a_job_that_comfyui_never_took_gives_its_key_back(
    store: Store, status: str
) -> None:
    await store.admit(running("p1", key="k"))
    await store.move_job("p1", status, NOW)

    answer = await store.admit(running("p2", key="k"))

    assert isinstance(answer, Admitted if status == "refused" else Repeated)
    assert await keyed(store) == ("p2" if status == "refused" else "p1")


async def test_a_key_may_come_back_often_and_is_then_the_last_jobs(store: Store) -> None:
    for number in range(3):
        assert await store.admit(running(f"p{number}", key="k")) == Admitted(NOW)
        assert await store.move_job(f"p{number}", "refused", NOW)
    await store.admit(running("p3", key="k"))

    assert await keyed(store) == "p3"
    assert not await store.move_job("p0", "completed", NOW)
    assert await keyed(store) == "p3"


@pytest.mark.parametrize("key", ["'; DROP TABLE jobs; --", "\x00", "ключ", " k ", "k" * 100_000])
async def test_a_key_is_any_text_to_the_letter(store: Store, key: str) -> None:
    await store.admit(running("p1", key=key))

    assert await keyed(store, key) == "p1"
    assert await keyed(store, key.strip() + "!") is None


async def test_of_many_stores_with_one_key_one_gets_the_job(
    open_store: Callable[[], Store],
) -> None:
    stores = [open_store() for _ in range(6)]
    limit = calls(99)

    answers = await asyncio.gather(
        *(s.admit(running(f"p{n}", limit, key="k")) for n, s in enumerate(stores))
    )

    assert sum(isinstance(answer, Admitted) for answer in answers) == 1
    winner = await stores[0].keyed(HOST, "ann", "k")
    assert winner is not None
    repeats = [answer for answer in answers if not isinstance(answer, Admitted)]
    assert repeats == [Repeated(winner)] * 5
    (use,) = await stores[0].peek(NOW, (limit,))
    assert use.used == UNIT


tries = st.tuples(st.just("try"), st.sampled_from("abc"), st.sampled_from(["ann", "bob"]))
ends = st.tuples(st.just("end"), st.integers(0, 20), st.sampled_from(sorted(FINAL)))


@settings(max_examples=60)
@given(history=st.lists(st.one_of(tries, tries, ends), max_size=25))
async def test_a_key_admits_one_job_and_another_only_after_comfyui_refused_it(
    backend: Callable[[Path], Store], history: list[tuple[str, object, object]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store, limit = backend(Path(folder) / "state"), calls(99)
        holder: dict[tuple[object, object], str] = {}
        ended: dict[str, str] = {}
        admitted: list[str] = []
        for number, (what, one, other) in enumerate(history):
            prompt_id = f"p{number}"
            if what == "try":
                asked = running(prompt_id, limit, key=str(one), grant=str(other))
                answer = await store.admit(asked)
                earlier = holder.get((one, other))
                if earlier is None or ended.get(earlier) == "refused":
                    assert isinstance(answer, Admitted)
                    holder[one, other] = prompt_id
                    admitted.append(prompt_id)
                else:
                    assert isinstance(answer, Repeated)
                    assert answer.job.prompt_id == earlier
            elif admitted:
                chosen = admitted[int(str(one)) % len(admitted)]
                if await store.move_job(chosen, str(other), NOW):
                    ended[chosen] = str(other)
        (use,) = await store.peek(NOW, (limit,))
        assert use.used == len(admitted) * UNIT
        await store.close()
