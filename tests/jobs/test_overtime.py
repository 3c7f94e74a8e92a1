"""The watchdog stops a job that runs longer than the policy let it, that one only, and says why."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from comfy_mcp.embedded import EmbeddedHost, Faults
from comfy_mcp.errors import Denial, Denied, StateError
from comfy_mcp.jobs.overtime import Watchdog
from comfy_mcp.jobs.watch import Watch
from comfy_mcp.store import FINAL, JobRow
from tests.jobs.offices import QUICK, RULE, Office, now_ms, told_to_stop

pytestmark = pytest.mark.anyio

Start = Callable[..., Awaitable[EmbeddedHost]]
Hire = Callable[..., Office]
MakeGraph = Callable[..., Any]
Person = Callable[..., Awaitable[str]]

PROFILES = pytest.mark.parametrize("profile", ["0.3.64", "0.8", "0.33"])
DEAF = Faults(deaf_ms=60_000)
SLOWLY = Faults(node_ms=60_000)
HASTY = replace(QUICK, stop=0.1, again=0.05)


def orders(comfy: EmbeddedHost) -> int:
    """How many requests could have stopped something."""
    paths = ("/cancel", "/interrupt", "/queue")
    return sum(each.method == "POST" and each.path.endswith(paths) for each in comfy.seen)


CAPPED = JobRow(
    *("p", "ann", "here", "inline", "sha256:1", "dec_1", "in_progress", 0, 0),
    cap_ms=30_000,
    cap_rule=RULE,
    running_ms=1,
)


@pytest.mark.parametrize(
    "row",
    [
        replace(CAPPED, cap_ms=None),
        replace(CAPPED, host="there"),
        replace(CAPPED, status="completed"),
    ],
)
async def test_a_job_without_a_cap_or_elsewhere_or_over_is_none_of_the_watchdogs_business(
    office: Hire, row: JobRow
) -> None:
    here = office("http://127.0.0.1:9")
    watchdog = Watchdog(here.jobs, here.leaves.give, seconds=1, again=1)

    assert watchdog.saw_run(Watch("p"), row) is None
    await asyncio.sleep(0)
    assert here.leaves.asked == []


async def test_the_watchdog_says_when_a_job_will_be_due_counted_from_who_first_saw_it_run(
    office: Hire,
) -> None:
    here = office("http://127.0.0.1:9")
    watchdog = Watchdog(here.jobs, here.leaves.give, seconds=1, again=1)
    watch, row = Watch("p"), replace(CAPPED, running_ms=now_ms() - 10_000)

    due = watchdog.saw_run(watch, row)

    assert watch.ran_from is not None
    assert due == watch.ran_from + 30
    assert watch.ran_from <= asyncio.get_running_loop().time() - 9.9


async def test_a_clock_that_steps_does_not_make_a_job_older(office: Hire) -> None:
    here = office("http://127.0.0.1:9")
    watchdog = Watchdog(here.jobs, here.leaves.give, seconds=1, again=1)
    watch, row = Watch("p"), replace(CAPPED, running_ms=now_ms())
    due = watchdog.saw_run(watch, row)

    here.jobs.now_ms = lambda: now_ms() + 3_600_000

    assert watchdog.saw_run(watch, row) == due
    await asyncio.sleep(0)
    assert here.leaves.asked == []


@PROFILES
async def test_a_job_that_runs_too_long_is_stopped_and_its_owner_told_by_which_rule(
    embedded: Start, office: Hire, graph: MakeGraph, profile: str
) -> None:
    comfy = await embedded(profile, SLOWLY)
    here = office(comfy.url)
    made = await here.capped(graph("slow"), 200)
    await comfy.until(lambda it: told_to_stop(it) > 0)
    comfy.faults = Faults()

    job = await here.wait(made)

    assert job.status == "cancelled"
    assert job.error is not None
    assert job.error.type == "overtime"
    assert "after 0.2 s" in job.error.message
    assert RULE in job.error.message
    assert here.leaves.asked == [made]
    row = await here.row(made)
    assert row.running_ms is not None
    assert row.changed_ms - row.running_ms >= 200
    assert await here.used() == row.gpu_ms


async def test_the_followers_own_pace_does_not_matter(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=SLOWLY)
    here = office(comfy.url, pace=replace(QUICK, live=3600, least=3600, most=3600))
    made = await here.capped(graph("slow"), 200)
    await comfy.until(lambda it: told_to_stop(it) > 0)
    comfy.faults = Faults()

    assert (await here.settled(made, "cancelled")).result["stopped_by"]["rule"] == RULE


async def test_a_job_that_keeps_to_its_time_is_left_alone(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=Faults(node_ms=50))
    here = office(comfy.url)

    job = await here.wait(await here.capped(graph(), 60_000))

    assert (job.status, job.error) == ("completed", None)
    assert (here.leaves.asked, orders(comfy)) == ([], 0)


@pytest.mark.parametrize("whose", ["a person's", "another agent's"])
async def test_a_job_without_a_cap_runs_on_and_one_that_waits_behind_it_is_not_stopped(
    embedded: Start, office: Hire, graph: MakeGraph, person: Person, whose: str
) -> None:
    comfy = await embedded(faults=DEAF)
    here = office(comfy.url)
    running = (
        await person(comfy.url, graph())
        if whose == "a person's"
        else await here.run(graph(), "bob")
    )
    await comfy.until(lambda it: it.running == running)
    waiting = await here.capped(graph("medium"), 1)

    jobs = await asyncio.gather(here.wait(running, 0.5), here.wait(waiting, 0.5))

    assert [job.status for job in jobs] == ["in_progress", "pending"]
    assert (here.leaves.asked, orders(comfy)) == ([], 0)


async def test_a_job_of_another_comfyui_is_not_this_watchdogs(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=DEAF)
    here, there = office(comfy.url), office(comfy.url, label="there")
    made = await there.capped(graph(), 1)
    await there.jobs.close()
    await comfy.until(lambda it: it.running == made)

    await here.jobs.adopt()
    await here.wait(made, 0.3)

    assert (here.leaves.asked, orders(comfy)) == ([], 0)


async def test_only_the_job_that_runs_too_long_is_stopped(
    embedded: Start, office: Hire, graph: MakeGraph, person: Person
) -> None:
    comfy = await embedded(faults=SLOWLY)
    here = office(comfy.url)
    made = await here.capped(graph("slow"), 200)
    await comfy.until(lambda it: it.running == made)
    others = [await person(comfy.url, graph()), await here.run(graph("medium"), "bob")]
    await comfy.until(lambda it: told_to_stop(it) > 0)
    comfy.faults = Faults()

    ends = [await here.wait(each) for each in (made, *others)]

    assert [job.status for job in ends] == ["cancelled", "completed", "completed"]


async def test_a_job_that_does_not_hear_is_asked_again_until_it_stops_and_that_is_logged(
    embedded: Start, office: Hire, graph: MakeGraph, caplog: pytest.LogCaptureFixture
) -> None:
    comfy = await embedded(faults=DEAF)
    here = office(comfy.url, pace=HASTY)

    with caplog.at_level(logging.WARNING):
        made = await here.capped(graph("slow"), 50)
        await here.until(made, lambda _: "still_running" in caplog.text)
        await here.until(made, lambda _: len(here.leaves.asked) >= 2)
        comfy.faults = Faults()
        job = await here.wait(made)

    assert job.status == "cancelled"
    assert len(here.leaves.asked) >= 2
    assert any("still_running" in record.getMessage() for record in caplog.records)


async def test_a_job_is_stopped_by_one_attempt_at_a_time(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=DEAF)
    here = office(comfy.url, pace=replace(QUICK, live=0.02))
    made = await here.capped(graph(), 50)
    await here.until(made, lambda row: "stopped_by" in row.result)

    await here.wait(made, 0.5)

    assert here.leaves.asked == [made]


async def test_after_an_attempt_in_vain_there_is_a_pause(
    embedded: Start, office: Hire, graph: MakeGraph, caplog: pytest.LogCaptureFixture
) -> None:
    comfy = await embedded(faults=DEAF)
    here = office(comfy.url, pace=replace(QUICK, live=0.02, stop=0.05, again=3600))
    made = await here.capped(graph(), 50)
    await here.until(made, lambda _: "still_running" in caplog.text)

    await here.wait(made, 0.5)

    assert here.leaves.asked == [made]


async def test_what_was_known_of_a_job_before_it_was_stopped_is_still_told(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=SLOWLY)
    here = office(comfy.url)

    made = await here.capped(graph("medium", n4={"upscale_method": "nope"}), 100)
    await comfy.until(lambda it: told_to_stop(it) > 0)
    comfy.faults = Faults()
    job = await here.wait(made)

    assert job.status == "cancelled"
    assert job.error is not None
    assert "dropped an output: node 4" in job.warnings[0]


async def test_while_it_is_being_stopped_its_owner_is_told(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=DEAF)
    here = office(comfy.url, pace=HASTY)
    made = await here.capped(graph(), 50)
    await here.until(made, lambda row: "stopped_by" in row.result)

    mine, others = await here.get(made), await here.get(made, "bob")

    assert mine.status == "in_progress"
    assert [text for text in mine.warnings if "0.05 s" in text and RULE in text]
    assert others.warnings == []


@pytest.mark.parametrize(
    "refusal",
    [
        StateError("The state cannot be written. Free some space."),
        Denied(Denial("frozen", "The operator froze everything.", "", "dec_9")),
    ],
)
async def test_without_leave_nothing_is_sent_and_it_is_asked_for_again(
    embedded: Start,
    office: Hire,
    graph: MakeGraph,
    refusal: Exception,
    caplog: pytest.LogCaptureFixture,
) -> None:
    comfy = await embedded(faults=DEAF)
    here = office(comfy.url, pace=HASTY)
    here.leaves.refusals.extend([refusal] * 1_000)
    made = await here.capped(graph(), 50)

    await here.until(made, lambda _: len(here.leaves.asked) >= 2)

    assert orders(comfy) == 0
    assert "stopped_by" not in (await here.row(made)).result
    assert any(record.exc_info for record in caplog.records)
    here.leaves.refusals.clear()
    await comfy.until(lambda _: orders(comfy) > 0)


async def test_a_host_that_goes_away_meanwhile_does_not_end_the_watch(
    embedded: Start, office: Hire, graph: MakeGraph, caplog: pytest.LogCaptureFixture
) -> None:
    comfy = await embedded(faults=DEAF)
    here = office(comfy.url, pace=HASTY)
    here.leaves.meanwhile = comfy.stop
    made = await here.capped(graph(), 50)

    row = await here.until(made, lambda _: "could not be stopped" in caplog.text)
    assert row.status == "in_progress"
    here.leaves.meanwhile = None
    await comfy.start()
    await comfy.restart()

    await here.until(made, lambda row: row.status in FINAL)


async def test_a_host_that_is_away_when_a_job_is_due_is_not_asked_in_haste(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=DEAF)
    here = office(comfy.url)
    made = await here.capped(graph(), 60_000)
    watch = here.jobs._followers.follow(made)
    await here.until(made, lambda _: watch.wake_at is not None)

    await comfy.stop()

    await here.until(made, lambda _: watch.trouble is not None)
    assert watch.wake_at is None


async def test_after_a_restart_of_the_follower_the_reason_is_still_known(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=DEAF)
    here, there = office(comfy.url, pace=HASTY), office(comfy.url)
    made = await here.capped(graph("slow"), 50)
    await here.until(made, lambda row: "stopped_by" in row.result)
    await here.jobs.close()
    comfy.seen.clear()

    await there.jobs.adopt()
    await comfy.until(lambda it: told_to_stop(it) > 0)
    comfy.faults = Faults()
    job = await there.wait(made)

    assert job.status == "cancelled"
    assert job.error is not None
    assert RULE in job.error.message


async def test_two_watchdogs_over_one_job_agree(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=SLOWLY)
    here, there = office(comfy.url), office(comfy.url)
    made = await here.capped(graph("slow"), 200)
    await there.jobs.adopt()
    follower = await there.run(graph())

    waiting = asyncio.gather(here.wait(made), there.wait(made))
    await comfy.until(lambda it: told_to_stop(it) > 0)
    comfy.faults = Faults()
    mine, theirs = await waiting

    assert mine.status == theirs.status == "cancelled"
    assert mine.error == theirs.error
    assert mine.error is not None
    assert [end["prompt_id"] for end in await here.ends()].count(made) == 1
    assert (await here.wait(follower)).status == "completed"
