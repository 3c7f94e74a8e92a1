"""What the journal keeps of a job: its shape, its time, its cap, and the files it made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_mcp.store import FINAL, MadeFile, Store
from tests.store.sample import HOST, NOW, running

pytestmark = pytest.mark.anyio

OTHER = "http://other:8188"
PICTURE = MadeFile("output", "ann", "a_00001_.png")
PREVIEW = MadeFile("temp", "", "a_00001_.png")


async def ran(store: Store, prompt_id: str, gpu_ms: int | None, **kw: object) -> None:
    """A job of shape 's' that completed, unless *kw* says otherwise."""
    status = str(kw.pop("status", "completed"))
    await store.admit(running(prompt_id, **{"shape": "s", **kw}))
    assert await store.move_job(prompt_id, status, NOW, gpu_ms=gpu_ms)


async def made(store: Store, prompt_id: str, *files: MadeFile, **kw: object) -> None:
    """A job that put out *files*."""
    status = str(kw.pop("status", "completed"))
    await store.admit(running(prompt_id, **kw))
    assert await store.move_job(prompt_id, status, NOW, files=files)


async def maker(store: Store, file: MadeFile = PICTURE, host: str = HOST) -> str | None:
    return (await store.makers(host, (file,)))[file]


# Rows


async def test_a_job_is_kept_with_its_shape_and_its_cap(store: Store) -> None:
    await store.admit(running("p1", shape="s", cap_ms=90_000, cap_rule="/gpu/max_seconds_per_job"))

    job = await store.job("p1")
    assert job is not None
    assert (job.shape, job.cap_ms, job.cap_rule) == ("s", 90_000, "/gpu/max_seconds_per_job")
    assert (job.running_ms, job.gpu_ms) == (None, None)
    assert await store.unfinished(host=HOST) == (job,)


async def test_when_a_job_was_first_seen_running_is_written_once(store: Store) -> None:
    await store.admit(running("p1"))
    for number, status in enumerate(("pending", "in_progress", "pending", "in_progress")):
        await store.move_job("p1", status, NOW + number)
    await store.move_job("p1", "completed", NOW + 9, gpu_ms=3)

    job = await store.job("p1")
    assert job is not None
    assert (job.running_ms, job.changed_ms, job.gpu_ms) == (NOW + 1, NOW + 9, 3)


async def test_a_job_that_nobody_saw_run_has_no_time_of_it(store: Store) -> None:
    await store.admit(running("p1"))
    await store.move_job("p1", "completed", NOW + 9, gpu_ms=3)

    job = await store.job("p1")
    assert job is not None
    assert job.running_ms is None


# Estimates


async def test_without_a_job_of_the_shape_on_the_host_there_is_no_estimate(store: Store) -> None:
    await ran(store, "p1", 5, shape="other")
    await ran(store, "p2", 5, host=OTHER)
    await ran(store, "p3", None)
    await store.admit(running("p4", shape="s"))

    assert await store.estimate(HOST, "s") is None
    assert await store.estimate(OTHER, "s") == 5


@pytest.mark.parametrize("status", sorted(FINAL - {"completed"}))
async def test_only_completed_jobs_say_how_long_one_takes(store: Store, status: str) -> None:
    await ran(store, "p1", 9_000, status=status)
    assert await store.estimate(HOST, "s") is None


async def test_jobs_without_a_shape_say_nothing_of_each_other(store: Store) -> None:
    await ran(store, "p1", 9_000, shape="")
    assert await store.estimate(HOST, "") is None


async def test_the_estimate_is_the_second_slowest_of_the_last_twenty(store: Store) -> None:
    await ran(store, "first", 99_000)
    assert await store.estimate(HOST, "s") == 99_000
    for number in range(1, 20):
        await ran(store, f"p{number}", number * 1_000)
    assert await store.estimate(HOST, "s") == 19_000

    await ran(store, "p20", 20_000)
    assert await store.estimate(HOST, "s") == 19_000
    await ran(store, "p21", 30_000)
    assert await store.estimate(HOST, "s") == 20_000


# Files


async def test_files_are_those_of_the_grant_whose_job_made_them(store: Store) -> None:
    await made(store, "p1", PICTURE, PREVIEW)
    other = MadeFile("output", "", "a_00001_.png")

    assert await store.makers(HOST, (PREVIEW, other, PICTURE)) == {
        PREVIEW: "ann",
        other: None,
        PICTURE: "ann",
    }
    assert await maker(store, host=OTHER) is None
    assert await store.makers(HOST, ()) == {}


async def test_a_name_that_is_used_again_belongs_to_the_last_that_used_it(store: Store) -> None:
    await made(store, "p1", PICTURE)
    await made(store, "p2", PICTURE, grant="bob")
    assert await maker(store) == "bob"

    await made(store, "p3", PICTURE)
    assert await maker(store) == "ann"


async def test_an_end_that_is_noticed_late_does_not_take_a_newer_file_away(store: Store) -> None:
    await store.admit(running("p1"))
    await made(store, "p2", PICTURE, grant="bob")
    await store.move_job("p1", "completed", NOW, files=(PICTURE,))

    assert await maker(store) == "bob"


@pytest.mark.parametrize("status", sorted(FINAL))
async def test_files_of_a_job_are_kept_however_it_ended(store: Store, status: str) -> None:
    await made(store, "p1", PICTURE, status=status)
    assert await maker(store) == "ann"


async def test_a_job_under_way_has_made_nothing_yet(store: Store) -> None:
    await made(store, "p1", PICTURE, status="in_progress")
    assert await maker(store) is None


async def test_a_name_that_is_no_unicode_text_is_nobodys(store: Store) -> None:
    odd = MadeFile("output", "", "\ud800.png")
    await made(store, "p1", odd, PICTURE)

    assert await store.makers(HOST, (odd, PICTURE)) == {odd: None, PICTURE: "ann"}


async def test_another_process_knows_whose_file_it_is(open_store: Callable[[], Store]) -> None:
    await made(open_store(), "p1", PICTURE)
    assert await maker(open_store()) == "ann"


@given(st.text(), st.text(), st.text())
def test_a_file_sorts_by_its_path(kind: str, subfolder: str, filename: str) -> None:
    files = [MadeFile(kind, subfolder, filename), PICTURE]
    assert sorted(files) == sorted(files, key=lambda f: (f.type, f.subfolder, f.filename))


async def test_of_many_that_end_a_job_one_settles_it(open_store: Callable[[], Store]) -> None:
    stores = [open_store() for _ in range(4)]
    await stores[0].admit(running("p1", shape="s"))

    ends = [s.move_job("p1", "completed", NOW, gpu_ms=n) for n, s in enumerate(stores, 1)]
    told = await asyncio.gather(*ends)
    assert sum(told) == 1
    job = await stores[0].job("p1")
    assert job is not None
    assert job.gpu_ms == told.index(True) + 1
