"""A job is followed to its end whatever the weather, run once, and told truthfully."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from comfy_mcp.embedded import BadAnswer, EmbeddedHost, Faults
from comfy_mcp.errors import (
    AnswerLost,
    ComfyMCPError,
    HostRejected,
    HostUnreachable,
    JobNotFound,
    NotComfyUI,
    PermitError,
)
from comfy_mcp.host.client import Timeouts
from comfy_mcp.jobs.lost import AGAIN
from comfy_mcp.jobs.manager import Pace
from comfy_mcp.jobs.watch import Live
from comfy_mcp.permit import SubmitPermit
from tests.jobs.front import Front
from tests.jobs.offices import QUICK, Office

pytestmark = pytest.mark.anyio

Start = Callable[..., Awaitable[EmbeddedHost]]
Hire = Callable[..., Office]
MakeGraph = Callable[..., Any]
Person = Callable[..., Awaitable[str]]
StartFront = Callable[[str], Awaitable[Front]]

DEAF = Faults(deaf_ms=60_000)
PATIENT = 60


def submits(comfy: EmbeddedHost) -> int:
    return sum((each.method, each.path) == ("POST", "/prompt") for each in comfy.seen)


def percents(office: Office) -> list[float]:
    return [live.percent for live in office.told if live.status == "in_progress"]


@pytest.mark.parametrize("profile", ["0.3.64", "0.8", "0.33"])
async def test_a_small_job_is_run_and_its_picture_is_there(
    embedded: Start, office: Hire, graph: MakeGraph, profile: str
) -> None:
    here = office((await embedded(profile)).url)
    made = await here.run(graph())

    job = await here.wait(made)

    assert (job.status, job.owner, job.workflow, job.error) == ("completed", "mine", "inline", None)
    assert [(each.kind, each.type) for each in job.outputs] == [("image", "temp")]
    assert job.timings.running is not None


@pytest.mark.parametrize("profile", ["0.3.64", "0.33"])
async def test_files_and_texts_of_a_bigger_job_are_all_there(
    embedded: Start, office: Hire, graph: MakeGraph, profile: str
) -> None:
    here = office((await embedded(profile)).url)

    job = await here.wait(await here.run(graph("medium")))

    kinds = {each.node_id: (each.kind, each.type, each.subfolder) for each in job.outputs}
    assert kinds == {
        "6": ("image", "output", "medium"),
        "7": ("image", "temp", None),
        "9": ("text", None, None),
    }


@pytest.mark.parametrize("profile", ["0.3.64", "0.33"])
async def test_a_job_that_fails_says_where_why_and_what_to_try(
    embedded: Start, office: Hire, graph: MakeGraph, profile: str
) -> None:
    here = office((await embedded(profile)).url)

    job = await here.wait(await here.run(graph("failing")))

    assert job.status == "failed"
    assert job.error is not None
    assert (job.error.node_id, job.error.node_type) == ("2", "SaveImage")
    assert "outside the output folder" in job.error.message
    assert job.error.hint is not None


async def test_a_wait_that_runs_out_gives_the_job_as_it_stands_and_it_runs_on(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=DEAF)
    here = office(comfy.url)
    made = await here.run(graph())
    await comfy.until(lambda it: it.running == made)

    job = await here.wait(made, 0.05)

    assert (job.status, job.error, job.warnings) == ("in_progress", None, [])
    assert comfy.running == made


async def test_a_job_that_waits_its_turn_tells_its_place(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=DEAF)
    here = office(comfy.url)
    await here.run(graph())
    await comfy.until(lambda it: it.running is not None)
    await here.run(graph(n1={"color": 1}))
    third = await here.run(graph(n1={"color": 2}))

    waiting = asyncio.ensure_future(here.wait(third, 600))
    await here.until(third, lambda _: bool(here.told) and here.told[-1].position == 2)
    job = await here.get(third)
    waiting.cancel()

    assert (job.status, job.queue_position) == ("pending", 2)


async def test_progress_is_told_while_it_grows(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    here = office((await embedded(faults=Faults(node_ms=40))).url)

    await here.wait(await here.run(graph("medium")))

    told = percents(here)
    assert len(set(told)) >= 4
    assert told == sorted(told)
    assert all(0 <= each <= 100 for each in told)


async def test_the_steps_of_a_sampler_are_told(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    here = office((await embedded(faults=Faults(step_ms=130))).url)

    job = await here.wait(await here.run(graph("sampling")))

    assert job.status == "completed"
    steps = [each.value for each in here.told if each.most == 8]
    assert len(set(steps)) >= 3
    assert percents(here) == sorted(percents(here))


async def test_a_job_that_ended_is_known_after_comfyui_forgot_it(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded()
    here = office(comfy.url)
    made = await here.run(graph())
    before = await here.wait(made)
    await comfy.restart()
    comfy.seen.clear()

    after = await here.get(made)

    assert after.outputs == before.outputs
    assert (after.status, after.timings) == (before.status, before.timings)
    assert comfy.seen == []


async def test_waiting_for_a_job_that_has_ended_takes_no_time(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded()
    here = office(comfy.url)
    made = await here.run(graph())
    await here.wait(made)

    async with asyncio.timeout(20):
        job = await here.wait(made, PATIENT)

    assert job.status == "completed"


@pytest.mark.parametrize("ended", [True, False])
async def test_of_another_callers_job_only_its_status_is_told(
    embedded: Start, office: Hire, graph: MakeGraph, *, ended: bool
) -> None:
    comfy = await embedded(faults=Faults() if ended else DEAF)
    here = office(comfy.url)
    made = await here.run(graph("failing") if ended else graph(), "ann")
    await here.wait(made, PATIENT if ended else 0.05, "bob")

    job = await here.get(made, "bob")

    assert job.model_dump(exclude_defaults=True) == {
        "prompt_id": made,
        "status": "failed" if ended else "in_progress",
        "owner": "other agent",
    }
    assert all(each == Live(each.status, each.position) for each in here.told)
    assert await here.jobs.owner(made, "bob") == "other agent"


@pytest.mark.parametrize("ended", [True, False])
async def test_of_a_persons_job_only_its_status_is_told(
    embedded: Start, office: Hire, graph: MakeGraph, person: Person, *, ended: bool
) -> None:
    comfy = await embedded(faults=Faults() if ended else DEAF)
    here = office(comfy.url)
    made = await person(comfy.url, graph())

    job = await here.wait(made, PATIENT if ended else 0.05)

    assert job.model_dump(exclude_defaults=True) == {
        "prompt_id": made,
        "status": "completed" if ended else "in_progress",
        "owner": "human",
    }
    assert await here.jobs.owner(made, "ann") == "human"
    assert await here.jobs.files(made) == ()


@pytest.mark.parametrize("seconds", [0, PATIENT])
async def test_a_job_that_nobody_knows_is_not_found(
    embedded: Start, office: Hire, seconds: float
) -> None:
    here = office((await embedded()).url)
    made = str(uuid4())

    async with asyncio.timeout(20):
        with pytest.raises(JobNotFound, match=made):
            await here.wait(made, seconds)

    assert await here.jobs.owner(made, "ann") is None


@pytest.mark.parametrize("which", ["running", "pending"])
async def test_a_job_that_a_restart_took_away_is_lost_and_never_completed(
    embedded: Start, office: Hire, graph: MakeGraph, which: str
) -> None:
    comfy = await embedded(faults=DEAF)
    here = office(comfy.url)
    jobs = {"running": await here.run(graph()), "pending": await here.run(graph("medium"))}
    await comfy.until(lambda it: it.running == jobs["running"])
    waiting = asyncio.ensure_future(here.wait(jobs[which], PATIENT))
    await asyncio.sleep(0)

    await comfy.restart()

    async with asyncio.timeout(20):
        job = await waiting
    assert job.status == "lost"
    assert job.error is not None
    assert (job.error.type, job.error.hint) == ("restarted", AGAIN)
    for made in jobs.values():
        await here.settled(made, "lost")
    assert await here.store.unfinished(host="here") == ()


@pytest.mark.parametrize("profile", ["0.3.64", "0.33"])
async def test_a_job_whose_answer_was_lost_is_found_and_run_once(
    embedded: Start, office: Hire, graph: MakeGraph, profile: str
) -> None:
    comfy = await embedded(profile, Faults(lose_answer="after"))
    here = office(comfy.url)

    made = await here.run(graph())
    job = await here.wait(made)

    assert job.status == "completed"
    assert submits(comfy) == 1
    assert comfy.finished == (made,)


async def test_a_job_whose_answer_takes_too_long_is_found_and_run_once(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=Faults(answer_delay_ms=3_000))
    times = Timeouts(connect=2, answer=5, submit=1.5)
    here = office(comfy.url, pace=replace(QUICK, patience=60), timeouts=times)

    job = await here.wait(await here.run(graph()))

    assert job.status == "completed"
    assert submits(comfy) == 1


async def test_a_job_that_never_arrived_is_not_sent_again_and_frees_its_slot(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=Faults(lose_answer="before"))
    here = office(comfy.url)
    made, permit = await here.admit(graph())

    with pytest.raises(AnswerLost, match=f"get_job for {made}.*not sent again"):
        await here.submit(graph(), made, permit)

    assert submits(comfy) == 1
    await here.settled(made, "lost")
    assert (await here.get(made)).status == "lost"


async def test_a_submit_is_finished_and_written_down_though_its_caller_went_away(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=Faults(answer_delay_ms=200))
    here = office(comfy.url)
    made, permit = await here.admit(graph())
    calling = asyncio.ensure_future(here.submit(graph(), made, permit))
    await comfy.until(lambda _: submits(comfy) == 1)

    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling

    await here.settled(made, "completed")
    assert submits(comfy) == 1


def taken_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_a_refused_job_frees_its_slot_and_says_so(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    here = office((await embedded()).url)
    bad = graph(n1={"width": 0})
    made, permit = await here.admit(bad)

    with pytest.raises(HostRejected, match="node 1"):
        await here.submit(bad, made, permit)

    assert await here.store.unfinished(host="here") == ()
    job = await here.wait(made, PATIENT)
    assert job.status == "failed"
    assert job.error is not None
    assert job.error.type == "refused"


@pytest.mark.parametrize("kind", [HostUnreachable, NotComfyUI, PermitError])
async def test_a_job_that_was_provably_not_taken_frees_its_slot(
    embedded: Start, office: Hire, graph: MakeGraph, kind: type[ComfyMCPError]
) -> None:
    comfy = await embedded()
    urls = {
        HostUnreachable: f"http://127.0.0.1:{taken_port()}",
        NotComfyUI: f"{comfy.url}/view?",
    }
    here = office(urls.get(kind, comfy.url))
    made, permit = await here.admit(graph())
    if kind is PermitError:
        permit = SubmitPermit(decision_id="d", prompt_id="other", digest=permit.digest)

    with pytest.raises(kind):
        await here.submit(graph(), made, permit)

    assert (await here.row(made)).status == "refused"
    async with asyncio.timeout(20):
        assert (await here.wait(made, PATIENT)).status == "failed"
    assert submits(comfy) == 0 or kind is NotComfyUI


@pytest.mark.parametrize("profile", ["0.3.64", "0.33"])
@pytest.mark.parametrize("weather", ["refused", "silent", "dropped"])
async def test_without_a_good_socket_a_job_is_followed_by_looking(
    embedded: Start, office: Hire, graph: MakeGraph, profile: str, weather: str
) -> None:
    comfy = await embedded(profile, Faults(socket=weather, node_ms=30))
    here = office(comfy.url)

    async with asyncio.timeout(10):
        job = await here.wait(await here.run(graph()), PATIENT)

    assert job.status == "completed"


async def test_what_comfyui_dropped_is_still_told_at_the_end(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    here = office((await embedded()).url)
    made = await here.run(graph("medium", n4={"upscale_method": "nope"}))

    job = await here.wait(made)

    assert job.status == "completed"
    assert len(job.warnings) == 1
    assert "dropped an output: node 4 (ImageScale)" in job.warnings[0]


@pytest.mark.parametrize("profile", ["0.3.64", "0.33"])
async def test_another_process_sees_the_end_of_a_job(
    embedded: Start, office: Hire, graph: MakeGraph, profile: str
) -> None:
    comfy = await embedded(profile, Faults(node_ms=60))
    here, there = office(comfy.url), office(comfy.url)
    made = await here.run(graph())

    async with asyncio.timeout(10):
        mine, theirs = await asyncio.gather(here.wait(made, PATIENT), there.wait(made, PATIENT))

    assert mine.status == theirs.status == "completed"
    assert mine.outputs == theirs.outputs
    ends = [row for row in await here.store.tail(50) if row.record.get("kind") == "job"]
    assert len(ends) == 1


async def test_a_job_whose_process_went_away_is_settled_by_another(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded()
    here, there = office(comfy.url), office(comfy.url)
    made = await here.run(graph())
    await here.jobs.close()
    await comfy.until(lambda it: made in it.finished)

    await there.jobs.judge.reconcile("ann")

    assert (await there.row(made)).status == "completed"


async def test_reconciling_looks_at_the_callers_own_jobs_only_and_bears_a_host_that_is_away(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=DEAF)
    here, there = office(comfy.url), office(comfy.url)
    theirs = await here.run(graph(), "bob")
    await comfy.until(lambda it: it.running == theirs)
    made = await here.run(graph("medium"))
    await here.jobs.close()
    await comfy.restart()

    await there.jobs.judge.reconcile("bob")
    assert (await there.row(theirs)).status == "lost"
    assert (await there.row(made)).status == "pending"
    await comfy.stop()
    await there.jobs.judge.reconcile("ann")

    assert (await there.row(made)).status == "pending"


async def test_while_comfyui_is_away_the_job_is_told_as_it_was_with_a_warning(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=DEAF)
    here = office(comfy.url)
    made = await here.run(graph())
    await here.until(made, lambda row: row.status == "in_progress")
    await comfy.stop()

    for job in (await here.wait(made, 0.3), await here.get(made)):
        assert (job.status, job.queue_position, job.progress) == ("in_progress", None, None)
        assert any("No ComfyUI at" in warning for warning in job.warnings)


async def test_who_waits_while_comfyui_is_away_is_told_when_it_is_back(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=DEAF)
    here = office(comfy.url)
    made = await here.run(graph())
    await comfy.until(lambda it: it.running == made)
    watch = here.jobs._followers.known(made)
    assert watch is not None
    waiting = asyncio.ensure_future(here.wait(made, PATIENT))

    async with comfy.away():
        await here.until(made, lambda _: watch.trouble is not None)
        assert not waiting.done()

    async with asyncio.timeout(10):
        job = await waiting
    assert job.status == "lost"
    assert job.error is not None
    assert job.error.type == "restarted"


async def test_a_wait_that_is_cancelled_leaves_the_job_and_its_follower_alone(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=Faults(node_ms=60_000))
    here = office(comfy.url)
    made = await here.run(graph())
    waiting = asyncio.ensure_future(here.wait(made, PATIENT))
    await comfy.until(lambda it: it.running == made)

    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    comfy.faults = Faults()

    await here.settled(made, "completed")


async def test_many_waiters_of_one_job_all_get_its_end(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=Faults(node_ms=50))
    here = office(comfy.url)
    made = await here.run(graph())

    async with asyncio.timeout(10):
        jobs = await asyncio.gather(*(here.wait(made, PATIENT) for _ in range(20)))

    assert {job.status for job in jobs} == {"completed"}


async def test_closing_while_somebody_waits_leaves_nothing_behind(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=DEAF)
    here = office(comfy.url)
    made = await here.run(graph())
    waiting = asyncio.ensure_future(here.wait(made, 0.5))
    await comfy.until(lambda it: it.running == made)

    await here.jobs.close()
    await waiting

    names = {task.get_name() for task in asyncio.all_tasks()}
    assert "comfyui-events" not in names
    assert comfy.running == made


async def test_a_slow_socket_does_not_hold_a_finished_job_back_for_long(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=Faults(socket="silent"))
    here = office(comfy.url, pace=Pace(live=0.2, least=0.02, most=0.1))

    # Less than what is between two looks where nobody says how often.
    async with asyncio.timeout(4):
        assert (await here.wait(await here.run(graph()), PATIENT)).status == "completed"


async def test_the_audit_log_has_every_end_once_with_its_time(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    here = office((await embedded()).url)
    good, bad = await here.run(graph()), await here.run(graph("failing"))
    await here.wait(good)
    await here.wait(bad)
    await here.get(good)

    rows = [row.record for row in await here.store.tail(50) if row.record.get("kind") == "job"]

    assert sorted((row["prompt_id"], row["outcome"]) for row in rows) == sorted(
        [(good, "completed"), (bad, "failed")]
    )
    assert all(isinstance(row["gpu_ms"], int) for row in rows)


async def test_a_submitted_job_is_told_with_its_id_when_the_journal_is_locked(
    embedded: Start, office: Hire, graph: MakeGraph, tmp_path: Path
) -> None:
    comfy = await embedded()
    here = office(comfy.url, patience_ms=1_000)
    made, permit = await here.admit(graph())
    lock = sqlite3.connect(tmp_path / "state" / "guard.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")

    await here.submit(graph(), made, permit)
    job = await here.wait(made, 0.5)
    lock.execute("ROLLBACK")
    lock.close()
    after = await here.wait(made)

    assert job.prompt_id == made
    assert after.status == "completed"
    assert submits(comfy) == 1


async def test_a_look_that_failed_long_ago_does_not_end_the_next_wait(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=Faults(node_ms=60_000))
    here = office(comfy.url)
    made = await here.run(graph("medium"))
    watch = here.jobs._followers.known(made)
    assert watch is not None
    comfy.faults = Faults(node_ms=60_000, http=(BadAnswer("502", method="GET"),))
    await here.until(made, lambda _: watch.trouble is not None)
    comfy.faults = Faults()

    async with asyncio.timeout(PATIENT):
        job = await here.wait(made, PATIENT)

    assert (job.status, job.warnings) == ("completed", [])


@pytest.mark.parametrize("profile", ["0.3.40", "0.3.64", "0.33"])
async def test_an_answer_that_takes_long_is_not_waited_for_once_comfyui_shows_the_job(
    embedded: Start, office: Hire, graph: MakeGraph, profile: str
) -> None:
    comfy = await embedded(profile, Faults(answer_delay_ms=60_000))
    times = Timeouts(connect=2, answer=5, submit=60)
    here = office(comfy.url, pace=replace(QUICK, patience=0.05), timeouts=times)

    async with asyncio.timeout(20):
        made = await here.run(graph())
        job = await here.wait(made)

    assert job.status == "completed"
    assert submits(comfy) == 1
    assert len(comfy.finished) == 1


async def test_what_an_answer_says_that_comes_late_is_written_down_all_the_same(
    embedded: Start, office: Hire, graph: MakeGraph, front: StartFront
) -> None:
    comfy = await embedded(faults=DEAF)
    held = await front(comfy.url)
    times = Timeouts(connect=2, answer=5, submit=60)
    here = office(held.url, pace=replace(QUICK, patience=0.05), timeouts=times)

    made = await here.run(graph("medium", n4={"upscale_method": "nope"}))
    before = await here.row(made)
    held.let_go.set()
    row = await here.until(made, lambda row: bool(row.result.get("warnings")))

    assert not before.result["warnings"]
    assert row.status in {"pending", "in_progress"}
    assert "ComfyUI dropped an output" in (await here.get(made)).warnings[0]


async def test_events_that_name_a_job_by_comfyuis_own_id_are_heard_under_ours(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded("0.3.40", Faults(node_ms=60))
    here = office(comfy.url)

    job = await here.wait(await here.run(graph("sampling")))

    assert job.status == "completed"
    assert "4" in {live.node_id for live in here.told}
