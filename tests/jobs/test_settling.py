"""A job's end settles what it reserved and notes what it made, in one step, once."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from comfy_mcp.embedded import EmbeddedHost, Faults
from comfy_mcp.errors import HostRejected
from comfy_mcp.host.transport import Timeouts
from comfy_mcp.store.protocol import MadeFile
from comfy_mcp.workflow.facts import JobFile
from tests.jobs.front import Front
from tests.jobs.offices import QUICK, Office, now_ms, told_to_stop

pytestmark = pytest.mark.anyio

Start = Callable[..., Awaitable[EmbeddedHost]]
Hire = Callable[..., Office]
MakeGraph = Callable[..., Any]
StartFront = Callable[[str], Awaitable[Front]]

PROFILES = pytest.mark.parametrize("profile", ["0.3.64", "0.33"])
DEAF = Faults(deaf_ms=60_000)
SLOWLY = Faults(node_ms=60)
LONG = Faults(node_ms=60_000)
RESERVED_MS = 300_000


async def entry(comfy: EmbeddedHost, made: str) -> Any:
    """What ComfyUI itself keeps of a job."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{comfy.url}/api/history/{made}") as answer,
    ):
        return (await answer.json())[made]


def took_ms(history: Any) -> int:
    messages = history["status"]["messages"]
    return int(messages[-1][1]["timestamp"] - messages[0][1]["timestamp"])


async def take_out(comfy: EmbeddedHost, made: str) -> None:
    """Take a job out of the queue as a person's browser would."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{comfy.url}/api/queue", json={"delete": [made]}) as answer,
    ):
        assert answer.status == 200


@PROFILES
@pytest.mark.parametrize("name", ["small", "failing"])
async def test_a_job_that_ran_costs_what_it_took_by_comfyuis_clock(
    embedded: Start, office: Hire, graph: MakeGraph, profile: str, name: str
) -> None:
    comfy = await embedded(profile, LONG)
    here = office(comfy.url)
    status = {"small": "completed", "failing": "failed"}[name]
    made = await here.run(graph(name))
    assert await here.used() == RESERVED_MS
    comfy.faults = SLOWLY

    await here.wait(made)

    row, took = await here.row(made), took_ms(await entry(comfy, made))
    assert took >= 60
    assert (row.status, row.gpu_ms, await here.used()) == (status, took, took)
    assert [(end["outcome"], end["gpu_ms"], end["grant"]) for end in await here.ends()] == [
        (status, took, "ann")
    ]


@PROFILES
async def test_a_running_job_that_is_cancelled_costs_the_time_it_ran(
    embedded: Start, office: Hire, graph: MakeGraph, profile: str
) -> None:
    comfy = await embedded(profile, LONG)
    here = office(comfy.url)
    made = await here.run(graph("slow"))
    await comfy.until(lambda it: it.running == made and it.node is not None)

    stopping = asyncio.ensure_future(here.stop(made))
    await comfy.until(lambda it: told_to_stop(it) > 0)
    comfy.faults = SLOWLY
    await stopping

    took = took_ms(await entry(comfy, made))
    assert took > 0
    assert ((await here.row(made)).status, await here.used()) == ("cancelled", took)


@PROFILES
async def test_a_pending_job_that_is_cancelled_costs_nothing(
    embedded: Start, office: Hire, graph: MakeGraph, profile: str
) -> None:
    comfy = await embedded(profile, DEAF)
    here = office(comfy.url)
    first = await here.run(graph(), "bob")
    await comfy.until(lambda it: it.running == first)
    made = await here.run(graph("medium"))

    await here.stop(made)

    row = await here.row(made)
    assert (row.status, row.gpu_ms, row.running_ms) == ("cancelled", 0, None)
    assert await here.used() == 0
    assert [end["gpu_ms"] for end in await here.ends()] == [0]


async def test_a_job_that_somebody_saw_run_is_not_taken_for_unrun_when_it_vanishes_from_the_queue(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=DEAF)
    here = office(comfy.url)
    first = await here.run(graph(), "bob")
    await comfy.until(lambda it: it.running == first)
    made = await here.run(graph("medium"))
    await here.store.move_job(made, "in_progress", now_ms())

    report = await here.stop(made)

    assert report.outcome == "not_found"
    assert ((await here.row(made)).status, await here.used()) == ("lost", RESERVED_MS)


async def asked_to_leave(here: Office, comfy: EmbeddedHost, graph: MakeGraph) -> str:
    """A pending job whose cancel was written down and sent by a process that saw no more of it."""
    first = await here.run(graph(), "bob")
    await comfy.until(lambda it: it.running == first)
    made = await here.run(graph("medium"))
    await here.jobs.close()
    await here.store.move_job(made, "stopping", (await here.row(made)).changed_ms)
    await take_out(comfy, made)
    return made


async def test_a_job_that_another_process_took_out_of_the_queue_costs_nothing(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=DEAF)
    here, there = office(comfy.url), office(comfy.url, pace=replace(QUICK, forget=60, order=0))
    made = await asked_to_leave(here, comfy, graph)

    await there.get(made)

    row = await there.row(made)
    assert (row.status, row.gpu_ms, await there.used()) == ("cancelled", 0, 0)


async def test_a_job_that_nobody_looked_at_for_long_after_its_cancel_is_not_taken_for_unrun(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=DEAF)
    here, there = office(comfy.url), office(comfy.url, pace=replace(QUICK, forget=0, order=0))
    made = await asked_to_leave(here, comfy, graph)

    await there.get(made)

    row = await there.row(made)
    assert (row.status, row.gpu_ms, await there.used()) == ("cancelled", None, RESERVED_MS)


@pytest.mark.parametrize("which", ["running", "pending"])
async def test_a_job_that_was_lost_costs_what_it_reserved(
    embedded: Start, office: Hire, graph: MakeGraph, which: str
) -> None:
    comfy = await embedded(faults=DEAF)
    here = office(comfy.url)
    if which == "pending":
        await here.run(graph(), "bob")
    made = await here.run(graph("medium"))
    await comfy.until(lambda it: (it.running == made) == (which == "running"))

    await comfy.restart()

    row = await here.settled(made, "lost")
    assert (row.gpu_ms, await here.used()) == (None, RESERVED_MS)


async def test_a_job_that_comfyui_never_took_costs_nothing(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    here = office((await embedded()).url)
    bad = graph(n1={"width": 0})
    made, permit = await here.admit(bad)

    with pytest.raises(HostRejected):
        await here.submit(bad, made, permit)

    assert ((await here.row(made)).status, await here.used()) == ("refused", 0)


async def test_two_processes_that_follow_one_job_settle_it_once(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=SLOWLY)
    here, there = office(comfy.url), office(comfy.url)
    made = await here.run(graph())
    await there.jobs.adopt()

    await asyncio.gather(
        here.wait(made, 60), there.wait(made, 60), here.jobs.judge.reconcile("ann")
    )

    (end,) = await here.ends()
    assert end["outcome"] == "completed"
    assert await here.used() == end["gpu_ms"] == (await there.row(made)).gpu_ms


async def test_the_first_sight_of_a_running_job_is_written_down_and_no_later_one(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=DEAF)
    here, there = office(comfy.url), office(comfy.url)
    made = await here.run(graph())
    await comfy.until(lambda it: it.running == made)

    first = await here.until(made, lambda row: row.status == "in_progress")
    await here.get(made)
    await there.get(made)

    assert first.running_ms is not None
    assert first.running_ms >= first.created_ms
    assert await here.row(made) == first


async def test_a_running_job_is_shown_though_that_it_runs_cannot_be_written_down_yet(
    embedded: Start, office: Hire, graph: MakeGraph, tmp_path: Path
) -> None:
    comfy = await embedded(faults=DEAF)
    here, there = office(comfy.url), office(comfy.url, patience_ms=1_000)
    made = await here.run(graph())
    await here.jobs.close()
    await here.store.move_job(made, "stopping", now_ms())
    await comfy.until(lambda it: it.running == made)
    lock = sqlite3.connect(tmp_path / "state" / "guard.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")

    job = await there.get(made)
    lock.execute("ROLLBACK")
    lock.close()

    assert job.status == "in_progress"
    assert (await there.row(made)).status == "stopping"
    await there.get(made)
    assert (await there.row(made)).status == "in_progress"


async def test_what_was_noted_while_somebody_looked_is_kept_at_the_end(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=DEAF)
    here = office(comfy.url)
    made = await here.run(graph())
    await here.jobs.close()
    before = await here.row(made)
    noted = {**before.result, "stopped_by": {"rule": "/gpu", "cap_ms": 1}}
    await here.store.move_job(made, before.status, now_ms(), result=noted)

    await here.jobs.judge.settle(before, "cancelled", {"started_ms": 1, "ended_ms": 5})

    row = await here.row(made)
    assert row.result["stopped_by"] == noted["stopped_by"]
    assert (row.status, row.gpu_ms) == ("cancelled", 4)


async def test_a_submit_that_ends_after_its_job_was_seen_to_run_does_not_turn_that_back(
    embedded: Start, office: Hire, graph: MakeGraph, front: StartFront
) -> None:
    comfy = await embedded(faults=DEAF)
    held = await front(comfy.url)
    times = Timeouts(connect=2, answer=5, submit=60)
    here = office(held.url, pace=replace(QUICK, patience=60), timeouts=times)
    there = office(comfy.url)
    made, permit = await here.admit(graph())
    submitting = asyncio.ensure_future(here.submit(graph(), made, permit))
    await comfy.until(lambda it: it.running == made)
    await there.get(made)
    noted = {"stopped_by": {"rule": "/gpu", "cap_ms": 1}}
    await there.store.move_job(made, "in_progress", now_ms(), result=noted)
    assert not submitting.done()

    held.let_go.set()
    await submitting

    row = await here.row(made)
    assert (row.status, row.result) == ("in_progress", {**noted, "number": 0.0, "warnings": []})


def named(file: MadeFile, **changes: str) -> JobFile:
    whole = JobFile(file.type, file.subfolder, file.filename, "1", "LoadImage", "image")
    return replace(whole, **changes)


async def test_files_that_a_job_made_are_its_grants_and_nobody_elses(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    here = office((await embedded()).url)
    made = await here.run(graph("medium"))
    job = await here.wait(made)
    files = tuple(
        named(MadeFile(each.type or "", each.subfolder or "", each.filename))
        for each in sorted(job.outputs, key=lambda each: each.node_id)
        if each.filename
    )
    strange = (
        replace(files[0], filename="other.png"),
        replace(files[0], subfolder="elsewhere"),
        replace(files[1], type="output"),
        replace(files[0], filename=""),
    )

    assert [(each.type, each.subfolder) for each in files] == [("output", "medium"), ("temp", "")]
    assert await here.jobs.foreign(files, "ann") == ()
    assert await here.jobs.foreign(files, "bob") == files
    assert await here.jobs.foreign((*files, *strange), "ann") == strange
    assert await here.jobs.foreign((), "ann") == ()


async def test_files_of_a_job_on_another_comfyui_are_foreign_here(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded()
    here, there = office(comfy.url), office(comfy.url, label="there")
    (file,) = (await here.wait(await here.run(graph()))).outputs
    asked = (named(MadeFile("temp", "", file.filename or "")),)

    assert await here.jobs.foreign(asked, "ann") == ()
    assert await there.jobs.foreign(asked, "ann") == asked


async def test_what_a_cancelled_job_had_put_out_by_then_is_its_grants(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=Faults(step_ms=50))
    here = office(comfy.url)
    nodes = {**graph("sampling", n4={"steps": 10_000}), "8": graph()["1"]}
    nodes["9"] = {"class_type": "PreviewImage", "inputs": {"images": ["8", 0]}}
    nodes["8"]["inputs"]["batch_size"] = 2
    made = await here.run(nodes)
    await comfy.until(lambda it: it.running == made and it.node == "4")

    await here.stop(made)

    shown = [
        MadeFile(each["type"], each["subfolder"], each["filename"])
        for kinds in (await entry(comfy, made))["outputs"].values()
        for each in kinds.get("images", ())
    ]
    assert (await here.row(made)).status == "cancelled"
    assert len(shown) == 2
    assert await here.jobs.foreign(tuple(named(file) for file in shown), "ann") == ()


async def test_a_job_like_one_that_ended_is_expected_to_take_as_long(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded()
    here, there = office(comfy.url), office(comfy.url, label="there")
    assert await here.jobs.estimate("sha256:small") is None

    made = await here.run(graph(), shape="sha256:small")
    await here.wait(made)

    assert await here.jobs.estimate("sha256:small") == (await here.row(made)).gpu_ms
    assert await here.jobs.estimate("sha256:other") is None
    assert await there.jobs.estimate("sha256:small") is None


async def test_a_job_may_be_put_before_all_that_wait(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=DEAF)
    here = office(comfy.url)
    await here.run(graph())
    await comfy.until(lambda it: it.running is not None)
    second = await here.run(graph(n1={"color": 1}))
    third = await here.run(graph(n1={"color": 2}), front=True)

    assert comfy.pending == (third, second)
