"""A job's progress is noted by the process that hears it, now and then, for all others to see."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from comfy_mcp.embedded import EmbeddedHost, Faults
from comfy_mcp.host import NodesState, Started
from comfy_mcp.jobs.noting import Noter
from comfy_mcp.jobs.watch import Live, Watch
from comfy_mcp.store import Admission, NewJob, SqliteStore
from tests.jobs.offices import Office

pytestmark = pytest.mark.anyio

Start = Callable[..., Awaitable[EmbeddedHost]]
Hire = Callable[..., Office]

NOW = 1_800_000_000_000
JOB = "job-1"


@dataclass
class Desk:
    """A noter whose clock stands where it is put; *spawned* is what it wants done."""

    store: SqliteStore
    clock: float = 100.0
    spawned: list[Coroutine[Any, Any, None]] = field(
        default_factory=list[Coroutine[Any, Any, None]]
    )

    def __post_init__(self) -> None:
        self.noter = Noter(self.store, lambda: NOW, self.spawned.append, clock=lambda: self.clock)

    async def written(self) -> int:
        """Have all notes written that were to be; how many."""
        count = len(self.spawned)
        while self.spawned:
            await self.spawned.pop()
        return count

    async def progress(self) -> Any:
        """What the journal says of the job."""
        row = await self.store.job(JOB)
        assert row is not None
        return row.progress


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A journal with one job."""
    store = SqliteStore(tmp_path / "state")
    job = NewJob(JOB, "ann", "here", workflow="inline", digest="sha256:1")
    await store.admit(Admission("dec_1", NOW, {"kind": "decision"}, "ann", job=job))
    made = Desk(store)
    yield made
    await made.written()
    await store.close()


def watch(*, own: bool = True) -> Watch:
    """A watch of a job that runs, at 10 of 20 steps of its second node of four."""
    made = Watch(JOB)
    if own:
        made.take_on("ann", "client", 4)
    made.hear(Started(JOB))
    made.hear(NodesState(JOB, 1, "3", 10, 20))
    return made


async def test_the_first_note_is_written_after_a_second_and_then_once_a_second(desk: Desk) -> None:
    job = watch()
    for _ in range(50):
        desk.noter.heard(job)
    assert await desk.written() == 0

    desk.clock += 0.999
    desk.noter.heard(job)
    assert await desk.written() == 0

    desk.clock += 0.001
    for _ in range(50):
        desk.noter.heard(job)
    assert await desk.written() == 1
    assert await desk.progress() == {"percent": 37.5, "node_id": "3", "value": 10.0, "max": 20.0}

    job.hear(NodesState(JOB, 2, "4", 1, 2))
    desk.noter.heard(job)
    assert await desk.written() == 0
    desk.clock += 1
    desk.noter.heard(job)
    assert await desk.written() == 1
    assert (await desk.progress())["percent"] == 62.5


async def test_a_note_is_of_what_is_known_when_it_is_written(desk: Desk) -> None:
    job = watch()
    desk.noter.heard(job)
    desk.clock += 1
    desk.noter.heard(job)
    job.hear(NodesState(JOB, 3, "4", 0, 0))

    await desk.written()

    assert (await desk.progress())["percent"] == 75


async def test_while_a_note_is_being_written_no_other_is_begun(desk: Desk) -> None:
    job = watch()
    for _ in range(10):
        desk.noter.heard(job)
        desk.clock += 1
    assert await desk.written() == 1

    desk.noter.heard(job)
    assert await desk.written() == 1


async def test_jobs_of_other_processes_and_jobs_that_wait_are_not_noted(desk: Desk) -> None:
    waiting = Watch(JOB)
    waiting.take_on("ann", "client", 4)
    assert waiting.live == Live(total=4)
    for job in (watch(own=False), waiting):
        desk.noter.heard(job)
        desk.clock += 60
        desk.noter.heard(job)

    assert await desk.written() == 0


async def test_a_note_that_comes_after_the_end_changes_nothing(desk: Desk) -> None:
    job = watch()
    desk.noter.heard(job)
    desk.clock += 1
    desk.noter.heard(job)
    await desk.store.move_job(JOB, "completed", NOW)

    assert await desk.written() == 1

    row = await desk.store.job(JOB)
    assert row is not None
    assert (row.status, row.progress) == ("completed", None)


async def test_a_journal_that_cannot_be_written_is_no_error_and_the_next_note_is_tried(
    desk: Desk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    job = watch()
    desk.noter.heard(job)
    desk.clock += 1
    (tmp_path / "state").rename(tmp_path / "elsewhere")
    desk.noter.heard(job)
    assert await desk.written() == 1
    assert f"The progress of {JOB} was not noted" in caplog.text

    (tmp_path / "elsewhere").rename(tmp_path / "state")
    desk.clock += 1
    desk.noter.heard(job)
    assert await desk.written() == 1
    assert (await desk.progress())["percent"] == 37.5


@pytest.mark.parametrize("profile", ["0.3.64", "0.33"])
async def test_another_process_sees_how_far_a_running_job_is(
    embedded: Start, office: Hire, graph: Callable[..., Any], profile: str
) -> None:
    comfy = await embedded(profile, Faults(step_ms=120))
    ours, other = office(comfy.url), office(comfy.url)
    made = await ours.run(graph("sampling", n4={"steps": 400}))

    row = await other.until(made, lambda row: row.progress is not None, 20)

    assert row.progress is not None
    assert 0 < row.progress["percent"] < 100
    assert row.progress["node_id"] == "4"
    assert row.progress["max"] == 400
    report = await other.stop(made)
    assert report.outcome == "cancelled"
    assert (await other.settled(made, "cancelled")).progress is None
