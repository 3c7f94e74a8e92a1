"""Letting in together is letting in one after the other, or nothing if one is refused."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comfy_mcp.store import (
    Admission,
    Admitted,
    AdmittedTogether,
    Full,
    NewSweep,
    Store,
    TogetherRefused,
)
from comfy_mcp.store.chain import canonical
from tests.store.sample import HOST, NOW, a_cap, running
from tests.store.test_laws import LIMITS, charge_of

pytestmark = pytest.mark.anyio

takes = st.lists(
    st.tuples(st.integers(0, len(LIMITS) - 1), st.integers(0, 5)),
    max_size=3,
    unique_by=lambda t: t[0],
)
runs = st.lists(takes, min_size=1, max_size=5)
SWEEP = NewSweep("swp_1", "ann", HOST, "txt2img", data="{}")


def of(name: str, each: list[list[tuple[int, int]]], most: int, now_ms: int) -> list[Admission]:
    """Runs of ann that take these amounts of `LIMITS`, of which *most* may be unfinished."""
    return [
        replace(
            running(f"{name}{at}", now_ms=now_ms, origin=f'"{name}{at}"'),
            charges=tuple(charge_of(number, amount) for number, amount in charges),
            slots=(a_cap(most),),
            record={"of": f"{name}{at}"},
        )
        for at, charges in enumerate(each)
    ]


async def all_of(store: Store) -> object:
    """Everything that can be read of a state, but for which sweep a job belongs to."""
    jobs = [replace(row, sweep="", place=0) for row in await store.unfinished(host=HOST)]
    origins = [await store.origin(row.prompt_id) for row in jobs]
    log = [(row.at_ms, canonical(row.record)) for row in await store.tail(99)]
    return jobs, origins, log, await store.accounts(), await store.verify()


@settings(max_examples=120, deadline=None)
@given(before=runs, asked=runs, most=st.integers(0, 8), later=st.integers(0, 60))
async def test_together_is_one_after_the_other_or_nothing(
    backend: Callable[[Path], Store],
    *,
    before: list[list[tuple[int, int]]],
    asked: list[list[tuple[int, int]]],
    most: int,
    later: int,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        one, other = backend(Path(folder) / "one"), backend(Path(folder) / "other")
        empty = backend(Path(folder) / "empty")
        for store in (one, other):
            for call in of("b", before, 99, NOW):
                await store.admit(call)
        calls = of("a", asked, most, NOW + later)
        was = await all_of(one)
        foreseen = await one.would_fit(tuple(calls))
        answer = await one.admit_together(tuple(calls), SWEEP)

        answers = [await other.admit(call) for call in calls]
        first = next((at for at, got in enumerate(answers) if isinstance(got, Full)), None)
        if first is None:
            assert answer == AdmittedTogether(NOW + later)
            assert foreseen is None
            assert all(isinstance(got, Admitted) for got in answers)
            assert await all_of(one) == await all_of(other)
            jobs = await one.sweep_jobs("swp_1")
            assert [row.prompt_id for row in jobs] == [f"a{at}" for at in range(len(calls))]
        else:
            assert isinstance(answer, TogetherRefused)
            assert answer.index == first
            assert foreseen == answer
            assert answer.alone == await fitting(empty, calls)
            assert await all_of(one) == was
            assert await one.sweep("swp_1") is None
            await the_wait_is_exact(one, calls, answer, NOW + later)
        await one.close()
        await other.close()
        await empty.close()


async def fitting(store: Store, calls: list[Admission]) -> int:
    """How many of *calls*, the first ones, fit one after the other."""
    for at, call in enumerate(calls):
        if isinstance(await store.admit(call), Full):
            return at
    return len(calls)


async def the_wait_is_exact(
    store: Store, calls: list[Admission], answer: TogetherRefused, now_ms: int
) -> None:
    """After the wait that is told all fit, and a millisecond sooner they do not."""
    full = answer.answer
    assert isinstance(full, Full)
    assert answer.alone is not None
    if full.retry_after_ms is None:
        # Either no wait helps, or nothing but slots is missing.
        assert answer.alone < len(calls) or answer.slot == full
        return
    assert answer.alone == len(calls)
    then = now_ms + full.retry_after_ms
    short = await store.would_fit(tuple(replace(call, now_ms=then - 1) for call in calls))
    assert short is not None
    in_time = await store.would_fit(tuple(replace(call, now_ms=then) for call in calls))
    # Slots are nobody's to foresee.
    assert in_time is None or in_time.answer == in_time.slot
