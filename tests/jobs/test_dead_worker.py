"""A ComfyUI whose worker has died answers and runs nothing: that is said, and nobody waits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from comfy_mcp.embedded import BadAnswer, EmbeddedHost, Faults
from comfy_mcp.errors import WorkerDead
from comfy_mcp.jobs.job import Job
from tests.jobs.offices import QUICK, Office

pytestmark = pytest.mark.anyio

Start = Callable[..., Awaitable[EmbeddedHost]]
Hire = Callable[..., Office]
MakeGraph = Callable[..., Any]

PROFILES = pytest.mark.parametrize("profile", ["0.3.40", "0.3.64", "0.8", "0.33"])
ALERT = replace(QUICK, silence=0.2, live=0.1)
NO_LOG = Faults(deaf_ms=60_000, http=(BadAnswer("403", path="/internal/*"),))
LONG = 600


def kind(job: Job) -> str | None:
    return None if job.error is None else job.error.type


@PROFILES
async def test_a_wait_for_a_job_of_a_dead_worker_ends_at_once_and_says_what_to_do(
    embedded: Start, office: Hire, graph: MakeGraph, profile: str
) -> None:
    comfy = await embedded(profile, Faults(dead_worker=True))
    here = office(comfy.url, pace=ALERT)
    made = await here.run(graph())

    async with asyncio.timeout(10):
        job = await here.wait(made, LONG)

    assert (job.status, kind(job)) == ("in_progress", "worker_dead")
    assert job.error is not None
    assert "Restart" in (job.error.hint or job.error.message)
    assert kind(await here.get(made)) == "worker_dead"


@PROFILES
async def test_those_that_wait_behind_it_are_told_the_same(
    embedded: Start, office: Hire, graph: MakeGraph, profile: str
) -> None:
    comfy = await embedded(profile, Faults(dead_worker=True))
    here = office(comfy.url, pace=ALERT)
    first = await here.run(graph())
    await comfy.until(lambda it: it.running is not None)
    comfy.faults = Faults()
    second = await here.run(graph("medium"))

    async with asyncio.timeout(10):
        jobs = await asyncio.gather(here.wait(first, LONG), here.wait(second, LONG))

    assert [job.status for job in jobs] == ["in_progress", "pending"]
    assert [kind(job) for job in jobs] == ["worker_dead", "worker_dead"]


async def test_a_new_job_is_refused_and_gives_everything_back(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=Faults(dead_worker=True))
    here = office(comfy.url, pace=ALERT)
    await here.wait(await here.run(graph()), LONG)
    made, permit = await here.admit(graph("medium"))
    before = len(comfy.pending)

    with pytest.raises(WorkerDead):
        await here.submit(graph("medium"), made, permit)

    assert (await here.row(made)).status == "refused"
    assert len(comfy.pending) == before


@PROFILES
async def test_after_comfyuis_restart_the_job_is_lost_and_new_ones_run(
    embedded: Start, office: Hire, graph: MakeGraph, profile: str
) -> None:
    comfy = await embedded(profile, Faults(dead_worker=True))
    here = office(comfy.url, pace=ALERT)
    made = await here.run(graph())
    await here.wait(made, LONG)

    comfy.faults = Faults()
    await comfy.restart()

    await here.settled(made, "lost")
    assert kind(await here.get(made)) == "restarted"
    assert await here.store.unfinished(host="here") == ()
    assert (await here.wait(await here.run(graph("medium")))).status == "completed"


@PROFILES
async def test_a_stop_of_such_a_job_does_not_use_up_its_time(
    embedded: Start, office: Hire, graph: MakeGraph, profile: str
) -> None:
    comfy = await embedded(profile, Faults(dead_worker=True))
    here = office(comfy.url, pace=ALERT)
    made = await here.run(graph())
    await comfy.until(lambda it: it.running is not None)

    async with asyncio.timeout(15):
        report = await here.stop(made, LONG)

    assert (report.outcome, report.was) == ("still_running", "in_progress")
    assert kind(await here.get(made)) == "worker_dead"


async def test_a_model_that_is_loaded_for_long_is_no_dead_worker(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=Faults(deaf_ms=60_000))
    here = office(comfy.url, pace=ALERT)
    made = await here.run(graph())

    async def asked(times: int) -> None:
        await comfy.until(lambda it: sum("/logs" in each.path for each in it.seen) >= times)

    waiting = asyncio.ensure_future(here.wait(made, LONG))
    await asked(4)
    job = await here.get(made)

    assert not waiting.done()
    assert (job.status, kind(job)) == ("in_progress", None)
    waiting.cancel()


async def test_where_no_log_can_be_had_a_long_silence_is_told_as_a_warning(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=NO_LOG)
    here = office(comfy.url, pace=ALERT)
    made = await here.run(graph())
    watch = here.jobs._followers.known(made)
    assert watch is not None

    await here.until(made, lambda _: watch.silence_s is not None)
    job = await here.get(made)

    assert (job.status, kind(job)) == ("in_progress", None)
    assert "No sign of life" in job.warnings[0]


async def test_many_silent_jobs_ask_for_the_log_as_seldom_as_one(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=Faults(deaf_ms=60_000))
    here = office(comfy.url, pace=replace(ALERT, silence=0.3))
    made = [await here.run(graph(n1={"color": number})) for number in range(12)]
    watches = [watch for one in made if (watch := here.jobs._followers.known(one))]

    await here.until(made[0], lambda _: all(watch.silent_s > 0.35 for watch in watches))
    await here.until(made[0], lambda _: any("/logs" in each.path for each in comfy.seen))
    logs = sum("/logs" in each.path for each in comfy.seen)
    longest = max(watch.silent_s for watch in watches)

    assert logs <= 1 + longest / 0.3


async def test_an_adopted_job_of_a_dead_worker_is_told_as_one_to_who_only_asks(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=Faults(dead_worker=True))
    here, there = office(comfy.url), office(comfy.url, pace=ALERT)
    made = await here.run(graph())
    await here.jobs.close()
    await there.jobs.adopt()

    await there.until(made, lambda _: there.jobs.host.worker_died)

    assert kind(await there.get(made)) == "worker_dead"
