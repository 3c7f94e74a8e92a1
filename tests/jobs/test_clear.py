"""Clearing takes a caller's waiting jobs out of the queue: none that runs, none of another's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from comfy_mcp.embedded import CLOUD_KEY, EmbeddedHost, Faults
from comfy_mcp.errors import HostUnreachable, PermitError
from comfy_mcp.jobs.clear import ClearReport, clear
from comfy_mcp.permit import StopPermit
from tests.jobs.offices import QUICK, Office, now_ms

pytestmark = pytest.mark.anyio

Start = Callable[..., Awaitable[EmbeddedHost]]
Hire = Callable[..., Office]
MakeGraph = Callable[..., Any]
Person = Callable[..., Awaitable[str]]

PROFILES = pytest.mark.parametrize("profile", ["0.3.40", "0.3.64", "0.8", "0.33", "cloud"])
DEAF = Faults(deaf_ms=60_000)


def leave_for(made: tuple[str, ...]) -> StopPermit:
    return StopPermit(decision_id="dec_8", prompt_ids=made, deadline_ms=now_ms() + 60_000)


async def clear_all(office: Office, grant: str = "ann") -> ClearReport:
    made = await office.jobs.pending_of(grant)
    return await clear(office.jobs, grant, leave_for(made), made)


async def three(
    office: Office, comfy: EmbeddedHost, graph: MakeGraph, grant: str = "ann"
) -> list[str]:
    """Three jobs of a caller, the first of them running."""
    made = [await office.run(graph(n1={"color": number}), grant) for number in (1, 2, 3)]
    await comfy.until(lambda it: it.running is not None and len(it.pending) == 2)
    await office.until(made[0], lambda row: row.status == "in_progress")
    return made


@PROFILES
async def test_what_waits_is_taken_out_and_what_runs_goes_on(
    embedded: Start, office: Hire, graph: MakeGraph, profile: str
) -> None:
    comfy = await embedded(profile, DEAF)
    here = office(comfy.url, key=CLOUD_KEY if profile == "cloud" else None)
    made = await three(here, comfy, graph)
    running = comfy.running

    report = await clear_all(here)

    assert set(report.cleared) == set(made[1:])
    assert (report.started, report.gone, report.waiting) == ((), (), ())
    assert report.actions
    assert (comfy.running, comfy.pending) == (running, ())
    assert [(await here.row(one)).status for one in made] == ["in_progress", *["cancelled"] * 2]
    assert [(await here.row(one)).gpu_ms for one in made[1:]] == [0, 0]


@PROFILES
async def test_others_jobs_stay_even_if_they_are_named(
    embedded: Start, office: Hire, graph: MakeGraph, profile: str
) -> None:
    comfy = await embedded(profile, DEAF)
    here = office(comfy.url, key=CLOUD_KEY if profile == "cloud" else None)
    await three(here, comfy, graph)
    theirs = await here.run(graph(n1={"color": 9}), "bob")
    everybodys = (*await here.jobs.pending_of("ann"), theirs)

    report = await clear(here.jobs, "ann", leave_for(everybodys), everybodys)

    assert theirs not in report.cleared
    assert len(comfy.pending) == 1
    assert (await here.row(theirs)).status == "pending"


async def test_a_job_that_began_meanwhile_is_left_alone_and_told(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=replace(DEAF, socket="silent"))
    # Nobody looks, nobody tells: the journal knows of no job that began.
    here = office(comfy.url, pace=replace(QUICK, live=3600, least=3600, most=3600))
    made = [await here.run(graph(n1={"color": number})) for number in (1, 2)]
    await comfy.until(lambda it: it.running == made[0])

    report = await clear(here.jobs, "ann", leave_for(tuple(made)), tuple(made))

    assert (report.started, report.cleared) == ((made[0],), (made[1],))
    assert comfy.running == made[0]
    assert (await here.row(made[0])).status == "in_progress"


async def test_a_job_that_had_ended_is_told_as_gone(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded()
    here, there = office(comfy.url), office(comfy.url)
    seen, unseen = await here.run(graph()), await here.run(graph("medium"))
    await here.wait(seen)
    await here.jobs.close()
    await comfy.until(lambda it: len(it.finished) == 2)

    report = await clear(there.jobs, "ann", leave_for((seen, unseen)), (seen, unseen))

    assert set(report.gone) == {seen, unseen}
    assert (report.cleared, report.actions) == ((), ())
    assert (await there.row(unseen)).status == "completed"


async def test_a_job_that_was_lost_before_is_not_told_to_be_cleared(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=DEAF)
    here, there = office(comfy.url), office(comfy.url)
    made = await three(here, comfy, graph)
    await here.jobs.close()
    await comfy.restart()

    report = await clear(there.jobs, "ann", leave_for(tuple(made)), tuple(made[1:]))

    assert (report.cleared, set(report.gone)) == ((), set(made[1:]))
    assert {(await there.row(one)).status for one in made[1:]} == {"lost"}


async def test_without_leave_for_all_of_them_nothing_is_sent_nor_written(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=DEAF)
    here = office(comfy.url)
    made = await three(here, comfy, graph)

    with pytest.raises(PermitError):
        await clear(here.jobs, "ann", leave_for((made[1],)), tuple(made[1:]))

    assert len(comfy.pending) == 2
    assert {(await here.row(one)).status for one in made[1:]} == {"pending"}


async def test_a_host_that_is_away_is_told_and_leaves_the_jobs_as_they_were(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=DEAF)
    here = office(comfy.url)
    made = await three(here, comfy, graph)
    await comfy.stop()

    with pytest.raises(HostUnreachable):
        await clear_all(here)

    assert {(await here.row(one)).status for one in made[1:]} == {"pending"}


async def test_a_clearing_is_finished_and_written_down_though_its_caller_went_away(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=DEAF)
    here = office(comfy.url)
    made = await three(here, comfy, graph)
    calling = asyncio.ensure_future(clear_all(here))
    await comfy.until(
        lambda it: any(each.method == "POST" and each.path == "/queue" for each in it.seen)
    )

    calling.cancel()

    for one in made[1:]:
        await here.settled(one, "cancelled")


async def test_two_who_clear_at_once_are_both_told_the_truth(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=DEAF)
    here, there = office(comfy.url), office(comfy.url)
    made = await three(here, comfy, graph)

    reports = await asyncio.gather(clear_all(here), clear_all(there))

    assert comfy.pending == ()
    assert {(await here.row(one)).status for one in made[1:]} == {"cancelled"}
    assert all(not report.waiting and not report.started for report in reports)
    assert len([end for end in await here.ends() if end["outcome"] == "cancelled"]) == 2
