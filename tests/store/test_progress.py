"""How far a job is, noted by the process that hears of it, for all others to see."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from comfy_mcp.errors import StateError
from comfy_mcp.store import FINAL, JobRow, Store
from tests.store.sample import HOST, NOW, running

pytestmark = pytest.mark.anyio

HALF = {"percent": 50.0, "node_id": "3", "value": 10, "max": 20}


async def job(store: Store, prompt_id: str = "p1") -> JobRow:
    row = await store.job(prompt_id)
    assert row is not None
    return row


async def test_what_is_noted_of_a_job_is_seen_by_every_store(
    open_store: Callable[[], Store],
) -> None:
    first, second = open_store(), open_store()
    await first.admit(running("p1", key="k"))
    await first.admit(running("p2"))
    assert (await job(second)).progress is None

    await first.note_progress("p1", NOW, HALF)
    row = await job(second)
    assert row.progress == HALF
    assert (await job(second, "p2")).progress is None
    assert (await second.unfinished(host=HOST))[0] == row
    assert await second.keyed(HOST, "ann", "k") == row
    assert (await second.jobs(HOST, statuses=frozenset({row.status}), count=9))[-1] == row


async def test_the_last_note_stands_and_changes_nothing_else(store: Store) -> None:
    await store.admit(running("p1"))
    before, head = await job(store), await store.head()
    await store.note_progress("p1", NOW + 9, {"percent": 1})
    await store.note_progress("p1", NOW + 9, HALF)

    after = await job(store)
    assert after.progress == HALF
    assert (after.status, after.changed_ms) == (before.status, before.changed_ms)
    assert (await store.head()).seq == head.seq
    await store.move_job("p1", "in_progress", NOW + 9)
    assert (await job(store)).progress == HALF


@pytest.mark.parametrize("status", sorted(FINAL))
async def test_a_job_that_has_ended_has_none(store: Store, status: str) -> None:
    await store.admit(running("p1"))
    await store.note_progress("p1", NOW, HALF)
    await store.move_job("p1", status, NOW)
    assert (await job(store)).progress is None
    # A note that comes late is as good as none.
    await store.note_progress("p1", NOW, HALF)
    assert (await job(store)).progress is None


async def test_a_note_of_a_job_that_nobody_knows_is_none(store: Store) -> None:
    await store.note_progress("p1", NOW, HALF)
    assert await store.job("p1") is None


async def test_a_note_that_is_no_json_is_refused(store: Store) -> None:
    await store.admit(running("p1"))
    with pytest.raises(StateError, match="nothing was done"):
        await store.note_progress("p1", NOW, {"percent": float("nan")})
