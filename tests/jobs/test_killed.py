"""A process that is killed, at whatever step of a submit: the job runs once or not at all.

The next process says how it stands within a bounded time, and its slot is free at the end.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from comfy_mcp.embedded import EmbeddedHost, Faults
from tests.jobs.offices import Office

pytestmark = pytest.mark.anyio

Start = Callable[..., Awaitable[EmbeddedHost]]
Hire = Callable[..., Office]
Process = asyncio.subprocess.Process
Begin = Callable[..., Awaitable[tuple[Process, str]]]

ROOT = Path(__file__).parents[2]
PROFILES = pytest.mark.parametrize("profile", ["0.3.40", "0.3.64", "0.8", "0.33"])
MUTE = Faults(answer_delay_ms=60_000)
"""Takes a job and does not say so."""


def submits(comfy: EmbeddedHost) -> int:
    return sum(each.method == "POST" and each.path == "/prompt" for each in comfy.seen)


async def kill(process: Process) -> None:
    process.kill()
    await process.communicate()


@pytest.fixture
async def begin(tmp_path: Path) -> AsyncIterator[Begin]:
    """Starts a process that goes as far as a step of a submit; gives it and the job's id."""
    begun: list[Process] = []

    async def start(comfy: EmbeddedHost, step: str, name: str = "small") -> tuple[Process, str]:
        words = (comfy.url, str(tmp_path / "state"), name, "0", step)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.jobs.leaver", *words),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
        )
        begun.append(process)
        assert process.stdout is not None
        async with asyncio.timeout(60):
            made = (await process.stdout.readline()).decode().strip()
        assert made
        return process, made

    yield start
    for process in begun:
        if process.returncode is None:
            await kill(process)


async def test_a_job_that_was_never_sent_is_lost_and_what_it_reserved_stays_charged(
    embedded: Start, office: Hire, begin: Begin
) -> None:
    comfy = await embedded()
    process, made = await begin(comfy, "admitted")
    await kill(process)
    here = office(comfy.url)
    reserved = await here.used()

    await here.jobs.adopt()

    await here.settled(made, "lost")
    job = await here.get(made)
    assert job.error is not None
    assert job.error.type == "untold"
    assert await here.store.unfinished(host="here") == ()
    assert await here.used() == reserved > 0
    assert comfy.finished == ()


@PROFILES
async def test_a_job_whose_answer_the_process_never_read_is_found_and_ends_as_it_ended(
    embedded: Start, office: Hire, begin: Begin, profile: str
) -> None:
    comfy = await embedded(profile, MUTE)
    process, made = await begin(comfy, "sending")
    await comfy.until(lambda it: len(it.finished) == 1)
    await kill(process)
    here = office(comfy.url)
    assert (await here.row(made)).status == "submitting"

    await here.jobs.adopt()

    row = await here.settled(made, "completed")
    assert submits(comfy) == 1
    assert len(comfy.finished) == 1
    assert len(await here.ends()) == 1
    assert await here.used() == row.gpu_ms
    assert (await here.get(made)).status == "completed"


@PROFILES
async def test_a_job_that_waits_when_its_process_is_killed_waits_for_the_next_one(
    embedded: Start, office: Hire, begin: Begin, profile: str
) -> None:
    comfy = await embedded(profile, Faults(answer_delay_ms=60_000, node_ms=60_000))
    first, running = await begin(comfy, "sending", "medium")
    await comfy.until(lambda it: it.running is not None)
    second, waiting = await begin(comfy, "sending")
    await comfy.until(lambda it: len(it.pending) == 1)
    for process in (first, second):
        await kill(process)
    here = office(comfy.url)

    await here.jobs.adopt()

    await here.settled(running, "in_progress")
    await here.settled(waiting, "pending")
    assert await here.jobs.pending_of("ann") == (waiting,)
    report = await here.stop(waiting)
    assert (report.outcome, report.was) == ("cancelled", "pending")
    assert comfy.pending == ()
    assert comfy.running is not None


@PROFILES
async def test_what_comfyui_calls_a_job_is_known_to_the_next_process(
    embedded: Start, office: Hire, begin: Begin, profile: str
) -> None:
    comfy = await embedded(profile, Faults(node_ms=60_000))
    process, made = await begin(comfy, "submitted")
    await comfy.until(lambda it: it.running is not None)
    await kill(process)
    here = office(comfy.url)
    theirs = None if comfy.running == made else comfy.running
    assert (await here.row(made)).result.get("known_as") == theirs

    job = await here.get(made)
    page = await here.jobs.listed("ann", statuses=frozenset(), mine=True, limit=5, cursor=None)
    report = await here.stop(made)

    assert job.status == "in_progress"
    assert [one.prompt_id for one in page.jobs] == [made]
    assert report.outcome in {"cancelled", "still_running"}
    assert (profile == "0.3.40") == (theirs is not None)
