"""A stop hits its own job, is sent until it is heard, and is told as it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from comfy_mcp.embedded import EmbeddedHost, Faults
from comfy_mcp.errors import HostRejected, HostUnreachable, PermitError
from comfy_mcp.jobs.stop import stop
from comfy_mcp.permit import StopPermit
from tests.jobs.offices import QUICK, Office, now_ms, told_to_stop

pytestmark = pytest.mark.anyio

Start = Callable[..., Awaitable[EmbeddedHost]]
Hire = Callable[..., Office]
MakeGraph = Callable[..., Any]
Person = Callable[..., Awaitable[str]]

PROFILES = pytest.mark.parametrize("profile", ["0.3.64", "0.8", "0.33"])
SLOWLY = Faults(node_ms=60_000)
DEAF = Faults(deaf_ms=60_000)


def leave_for(*made: str) -> StopPermit:
    return StopPermit(decision_id="dec_7", prompt_ids=made, deadline_ms=now_ms() + 60_000)


def cancels(comfy: EmbeddedHost) -> int:
    orders = ("/cancel", "/interrupt")
    return sum(each.method == "POST" and each.path.endswith(orders) for each in comfy.seen)


@PROFILES
async def test_a_running_job_is_stopped_and_both_journal_and_history_say_so(
    embedded: Start, office: Hire, graph: MakeGraph, profile: str
) -> None:
    comfy = await embedded(profile, SLOWLY)
    here = office(comfy.url)
    made = await here.run(graph("slow"))
    await comfy.until(lambda it: it.running == made and it.node is not None)

    stopping = asyncio.ensure_future(here.stop(made))
    await comfy.until(lambda it: told_to_stop(it) > 0)
    comfy.faults = Faults()
    report = await stopping

    assert (report.outcome, report.was) == ("cancelled", "in_progress")
    assert report.actions
    assert (await here.row(made)).status == "cancelled"
    assert comfy.finished == (made,)
    assert (await here.wait(made, 60)).status == "cancelled"


@PROFILES
async def test_a_pending_job_is_stopped_and_the_running_one_runs_on(
    embedded: Start, office: Hire, graph: MakeGraph, profile: str
) -> None:
    comfy = await embedded(profile, DEAF)
    here = office(comfy.url)
    first, second = await here.run(graph()), await here.run(graph("medium"))
    await comfy.until(lambda it: it.running == first)

    report = await here.stop(second)

    assert (report.outcome, report.was) == ("cancelled", "pending")
    assert (await here.row(second)).status == "cancelled"
    assert comfy.running == first
    assert comfy.pending == ()


@pytest.mark.parametrize("name", ["small", "failing"])
async def test_a_job_that_has_ended_is_left_alone(
    embedded: Start, office: Hire, graph: MakeGraph, name: str
) -> None:
    comfy = await embedded()
    here = office(comfy.url)
    made = await here.run(graph(name))
    ended = (await here.wait(made)).status
    comfy.seen.clear()

    report = await here.stop(made)

    assert (report.outcome, report.was, report.actions) == ("already_finished", ended, ())
    assert comfy.seen == []


async def test_a_job_that_ended_unseen_is_told_as_it_ended_and_settled(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded()
    here, there = office(comfy.url), office(comfy.url)
    made = await here.run(graph())
    await here.jobs.close()
    await comfy.until(lambda it: made in it.finished)

    report = await there.stop(made)

    assert (report.outcome, report.was, report.actions) == ("already_finished", "completed", ())
    assert (await there.row(made)).status == "completed"


@PROFILES
async def test_a_job_that_nobody_knows_is_not_found_and_nothing_is_sent(
    embedded: Start, office: Hire, profile: str
) -> None:
    comfy = await embedded(profile)

    report = await office(comfy.url).stop(str(uuid4()))

    assert (report.outcome, report.was, report.actions) == ("not_found", "not_found", ())
    assert not [each for each in comfy.seen if each.method == "POST"]


async def test_a_persons_job_can_be_stopped_by_who_may(
    embedded: Start, office: Hire, graph: MakeGraph, person: Person
) -> None:
    comfy = await embedded(faults=SLOWLY)
    here = office(comfy.url)
    made = await person(comfy.url, graph("slow"))
    await comfy.until(lambda it: it.running == made and it.node is not None)

    stopping = asyncio.ensure_future(here.stop(made))
    await comfy.until(lambda it: told_to_stop(it) > 0)
    comfy.faults = Faults()
    report = await stopping

    assert report.outcome == "cancelled"
    assert await here.store.job(made) is None


@PROFILES
async def test_a_cancel_that_comfyui_lost_is_sent_again_until_the_job_is_gone(
    embedded: Start, office: Hire, graph: MakeGraph, profile: str
) -> None:
    comfy = await embedded(profile, Faults(lost_cancel_ms=60_000))
    here = office(comfy.url)
    made = await here.run(graph("slow"))
    await comfy.until(lambda it: it.running == made)

    stopping = asyncio.create_task(here.stop(made, 10))
    await comfy.until(lambda it: told_to_stop(it) > 0)
    # The job begins, and that cancel is forgotten.
    comfy.faults = Faults(node_ms=60_000)
    await comfy.until(lambda it: it.node is not None)
    lost = told_to_stop(comfy)
    await comfy.until(lambda it: told_to_stop(it) > lost)
    comfy.faults = Faults()
    report = await stopping

    assert report.outcome == "cancelled"
    assert any(" x" in action for action in report.actions)
    assert (await here.row(made)).status == "cancelled"


@PROFILES
async def test_a_node_that_hears_nothing_runs_on_and_that_is_said_until_a_later_stop_works(
    embedded: Start, office: Hire, graph: MakeGraph, profile: str
) -> None:
    comfy = await embedded(profile, DEAF)
    here = office(comfy.url)
    made = await here.run(graph("slow"))
    await comfy.until(lambda it: it.running == made and it.node is not None)

    first = await here.stop(made, 0.3)
    meanwhile = await here.get(made)
    before = told_to_stop(comfy)
    stopping = asyncio.ensure_future(here.stop(made))
    await comfy.until(lambda it: told_to_stop(it) > before)
    comfy.faults = Faults()
    second = await stopping

    assert (first.outcome, first.was) == ("still_running", "in_progress")
    assert meanwhile.status == "in_progress"
    assert (second.outcome, second.was) == ("cancelled", "in_progress")
    assert (await here.row(made)).status == "cancelled"


async def test_a_stop_without_patience_asks_once(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=DEAF)
    here = office(comfy.url)
    made = await here.run(graph())
    await comfy.until(lambda it: it.running == made and it.node is not None)

    report = await here.stop(made, 0)

    assert report.outcome == "still_running"
    assert cancels(comfy) == 1


async def test_a_job_that_ends_by_itself_while_it_is_stopped_is_not_told_to_be_cancelled(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded()
    here = office(comfy.url)
    await here.wait(await here.run(graph()))
    comfy.faults = DEAF
    last = graph()
    last["2"] = {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}}
    made = await here.run(last)
    await comfy.until(lambda it: it.running == made and it.node == "2")

    stopping = asyncio.ensure_future(here.stop(made))
    await comfy.until(lambda it: told_to_stop(it) > 0)
    comfy.faults = Faults(success_before_history_ms=100)
    report = await stopping

    assert (report.outcome, report.was) == ("already_finished", "in_progress")
    assert (await here.row(made)).status == "completed"


@PROFILES
async def test_a_stop_of_another_processs_pending_job_is_a_cancel_for_both(
    embedded: Start, office: Hire, graph: MakeGraph, profile: str
) -> None:
    comfy = await embedded(profile, DEAF)
    here, there = office(comfy.url), office(comfy.url)
    await here.run(graph())
    made = await here.run(graph("medium"))
    await comfy.until(lambda it: it.running is not None)
    waiting = asyncio.ensure_future(here.wait(made, 60))
    await asyncio.sleep(0)

    report = await there.stop(made)

    async with asyncio.timeout(20):
        job = await waiting
    assert report.outcome == "cancelled"
    assert job.status == "cancelled"
    assert (await there.get(made)).status == "cancelled"


async def test_of_those_who_stop_one_running_job_each_is_told_truthfully(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=SLOWLY)
    here, there = office(comfy.url), office(comfy.url)
    made = await here.run(graph("slow"))
    other = await here.run(graph())
    await comfy.until(lambda it: it.running == made and it.node is not None)

    stopping = asyncio.gather(here.stop(made), there.stop(made), here.stop(made))
    await comfy.until(lambda it: told_to_stop(it) > 0)
    comfy.faults = Faults()
    reports = await stopping

    told = {(report.outcome, report.was) for report in reports}
    assert ("cancelled", "in_progress") in told
    assert told <= {("cancelled", "in_progress"), ("already_finished", "cancelled")}
    assert (await here.row(made)).status == "cancelled"
    assert (await here.wait(other)).status == "completed"


async def test_a_stop_is_finished_and_written_down_though_its_caller_went_away(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=SLOWLY)
    here = office(comfy.url)
    made = await here.run(graph("slow"))
    await comfy.until(lambda it: it.running == made and it.node is not None)
    calling = asyncio.ensure_future(here.stop(made))
    await comfy.until(lambda it: told_to_stop(it) > 0)

    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling

    comfy.faults = Faults()
    await here.settled(made, "cancelled")


async def test_a_restart_during_a_stop_is_no_cancel_that_worked(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=DEAF)
    here = office(comfy.url)
    made = await here.run(graph())
    await comfy.until(lambda it: it.running == made and it.node is not None)
    stopping = asyncio.ensure_future(here.stop(made, 10))
    await comfy.until(lambda _: cancels(comfy) > 0)

    await comfy.restart()

    assert (await stopping).outcome == "not_found"
    assert (await here.row(made)).status == "lost"


async def test_a_host_that_is_away_cannot_be_asked_to_stop_a_job(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=DEAF)
    here = office(comfy.url)
    await here.run(graph(), "bob")
    await comfy.until(lambda it: it.running is not None)
    made = await here.run(graph("medium"))
    await comfy.stop()

    with pytest.raises(HostUnreachable):
        await here.stop(made)

    assert (await here.row(made)).status == "pending"


async def test_a_permit_whose_time_is_over_stops_nothing(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=DEAF)
    here = office(comfy.url)
    made = await here.run(graph())
    await comfy.until(lambda it: it.running == made)
    late = StopPermit(decision_id="dec_9", prompt_ids=[made], deadline_ms=0)

    with pytest.raises(PermitError, match="out of date"):
        await stop(here.jobs, made, late, seconds=5)

    assert cancels(comfy) == 0


async def test_where_a_stop_could_hit_others_it_is_refused_and_the_job_stays_what_it_is(
    embedded: Start, office: Hire, graph: MakeGraph, person: Person
) -> None:
    comfy = await embedded("0.3.40", DEAF)
    here = office(comfy.url)
    await person(comfy.url, graph())
    await person(comfy.url, graph("medium"))
    await comfy.until(lambda it: it.running is not None)
    running = comfy.running
    assert running is not None

    with pytest.raises(HostRejected, match="could be hit instead"):
        await here.stop(running)

    assert comfy.running == running
    assert not [each for each in comfy.seen if each.path == "/interrupt"]


ALL = pytest.mark.parametrize("profile", ["0.3.40", "0.3.64", "0.8", "0.33"])


@ALL
async def test_a_pending_job_is_stopped_on_every_version_and_the_running_one_is_not_hit(
    embedded: Start, office: Hire, graph: MakeGraph, profile: str
) -> None:
    comfy = await embedded(profile, DEAF)
    here = office(comfy.url)
    await here.run(graph())
    made = await here.run(graph("medium"))
    await comfy.until(lambda it: it.running is not None and len(it.pending) == 1)
    running = comfy.running

    report = await here.stop(made)

    assert (report.outcome, report.was) == ("cancelled", "pending")
    assert (comfy.running, comfy.pending) == (running, ())


@ALL
async def test_a_stop_hits_a_job_whose_answer_was_lost_as_soon_as_it_shows_up(
    embedded: Start, office: Hire, graph: MakeGraph, profile: str
) -> None:
    """Its submit is still under way elsewhere: a job of the journal that ComfyUI does not have."""
    comfy = await embedded(profile, SLOWLY)
    here, there = office(comfy.url), office(comfy.url, pace=replace(QUICK, forget=60))
    made, permit = await here.admit(graph("slow"))
    stopping = asyncio.ensure_future(there.stop(made, 10))
    await comfy.until(lambda it: bool(it.seen))

    await here.submit(graph("slow"), made, permit)
    await comfy.until(lambda it: it.node is not None and told_to_stop(it) > 0)
    comfy.faults = Faults()
    report = await stopping

    assert report.outcome == "cancelled"
    assert (await here.settled(made, "cancelled")).status == "cancelled"


async def test_a_stop_of_a_job_that_does_not_show_up_says_so_and_leaves_it_open(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded()
    here = office(comfy.url, pace=replace(QUICK, forget=60))
    made, _ = await here.admit(graph())

    report = await here.stop(made, 0.5)

    assert (report.outcome, report.actions) == ("not_found", ())
    assert (await here.row(made)).status == "submitting"


@ALL
async def test_of_those_who_stop_one_pending_job_each_is_told_truthfully(
    embedded: Start, office: Hire, graph: MakeGraph, profile: str
) -> None:
    comfy = await embedded(profile, DEAF)
    here, there = office(comfy.url), office(comfy.url)
    await here.run(graph())
    made = await here.run(graph("medium"))
    await comfy.until(lambda it: it.running is not None and len(it.pending) == 1)

    reports = await asyncio.gather(here.stop(made), there.stop(made), here.stop(made))

    told = {(report.outcome, report.was) for report in reports}
    assert ("cancelled", "pending") in told
    # Who begins after the others are through finds a job that was cancelled before.
    assert told <= {("cancelled", "pending"), ("already_finished", "cancelled")}
    assert (await here.row(made)).status == "cancelled"
    assert len([end for end in await here.ends() if end["prompt_id"] == made]) == 1


async def test_who_comes_when_the_job_is_out_of_the_queue_is_told_that_it_is_cancelled(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=DEAF)
    here, there = office(comfy.url), office(comfy.url)
    await here.run(graph())
    made = await here.run(graph("medium"))
    await comfy.until(lambda it: it.running is not None and len(it.pending) == 1)
    await here.jobs.close()
    await here.store.move_job(made, "stopping", now_ms())
    await here.jobs.host.remove([made], leave_for(made))

    report = await there.stop(made)

    assert (report.outcome, report.was, report.actions) == ("cancelled", "pending", ())


@pytest.mark.parametrize("profile", ["0.3.64", "0.8", "0.33"])
async def test_a_stop_of_a_job_that_is_about_to_end_never_hits_the_next_one(
    embedded: Start, office: Hire, graph: MakeGraph, profile: str
) -> None:
    comfy = await embedded(profile, Faults(node_ms=20))
    here = office(comfy.url)
    for color in range(8):
        first = await here.run(graph(n1={"color": color + 1}))
        second = await here.run(graph(n1={"color": 1000 + color}), "bob")

        def is_ending(it: EmbeddedHost, last: str = first) -> bool:
            return last in it.finished or (it.running == last and it.node == "2")

        await comfy.until(is_ending)

        report = await here.stop(first)

        assert report.outcome in {"cancelled", "already_finished"}
        assert (await here.row(first)).status in {"cancelled", "completed"}
        assert (report.outcome == "cancelled") == ((await here.row(first)).status == "cancelled")
        assert (await here.wait(second, grant="bob")).status == "completed"


async def test_gpu_time_is_not_given_back_if_comfyui_was_away_while_a_job_was_taken_out(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=DEAF)
    here = office(comfy.url)
    await here.run(graph(), "bob")
    made = await here.run(graph("medium"))
    await comfy.until(lambda it: it.running is not None and len(it.pending) == 1)
    reserved = await here.used()
    epoch = here.jobs.host.epoch

    await here.store.move_job(made, "stopping", now_ms())
    here.jobs.host.socket_broke()
    await here.jobs.judge.left(await here.row(made), epoch=epoch)

    assert (await here.row(made)).status == "cancelled"
    assert await here.used() == reserved
