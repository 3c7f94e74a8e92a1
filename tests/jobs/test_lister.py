"""A list of jobs is what ComfyUI shows and what the journal knows, put together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from comfy_mcp.embedded import CLOUD_KEY, EmbeddedHost, Faults
from comfy_mcp.errors import WorkflowError
from comfy_mcp.jobs.listing import JobPage
from tests.jobs.offices import QUICK, Office, now_ms

pytestmark = pytest.mark.anyio

Start = Callable[..., Awaitable[EmbeddedHost]]
Hire = Callable[..., Office]
MakeGraph = Callable[..., Any]
Person = Callable[..., Awaitable[str]]

PROFILES = pytest.mark.parametrize("profile", ["0.3.40", "0.3.64", "0.8", "0.33", "cloud"])
DEAF = Faults(deaf_ms=60_000)


async def page(
    office: Office, *, mine: bool = True, grant: str = "ann", limit: int = 50, **more: Any
) -> JobPage:
    words = {"statuses": frozenset(), "cursor": None, **more}
    return await office.jobs.listed(grant, mine=mine, limit=limit, **words)


def told(found: JobPage) -> list[tuple[str, str, str]]:
    return [(job.prompt_id, job.status, job.owner) for job in found.jobs]


@PROFILES
async def test_ones_own_jobs_in_the_order_in_which_they_run(
    embedded: Start, office: Hire, graph: MakeGraph, profile: str
) -> None:
    comfy = await embedded(profile)
    here = office(comfy.url, key=CLOUD_KEY if profile == "cloud" else None)
    done = await here.run(graph())
    await here.wait(done)
    comfy.faults = DEAF
    made = [await here.run(graph(n1={"color": number})) for number in range(12)]
    await comfy.until(lambda it: it.running is not None and len(it.pending) == 11)
    await here.run(graph("medium"), "bob")

    found = await page(here)

    statuses = ["in_progress", *["pending"] * 11]
    own = [(one, status, "mine") for one, status in zip(made, statuses, strict=True)]
    assert told(found) == [*own, (done, "completed", "mine")]
    assert [job.queue_position for job in found.jobs] == [None, *range(1, 12), None]
    assert {job.workflow for job in found.jobs} == {"inline"}
    assert found.warnings == []


@PROFILES
async def test_everybodys_jobs_and_of_others_only_how_they_stand(
    embedded: Start, office: Hire, graph: MakeGraph, person: Person, profile: str
) -> None:
    comfy = await embedded(profile, DEAF)
    if profile == "cloud":
        pytest.skip("a person there has a key of their own")
    here = office(comfy.url)
    theirs = await here.run(graph(), "bob")
    mine = await here.run(graph("medium"))
    await person(comfy.url, graph(n1={"color": 3}))
    await comfy.until(lambda it: it.running is not None and len(it.pending) == 2)

    found = await page(here, mine=False)

    assert told(found)[:2] == [(theirs, "in_progress", "other agent"), (mine, "pending", "mine")]
    assert [job.owner for job in found.jobs] == ["other agent", "mine", "human"]
    assert [job.workflow for job in found.jobs] == [None, "inline", None]
    assert len(await_ids(found)) == 3


def await_ids(found: JobPage) -> set[str]:
    return {job.prompt_id for job in found.jobs}


@pytest.mark.parametrize("profile", ["0.8", "0.33"])
async def test_ended_jobs_that_only_comfyui_knows_are_a_persons_and_listed_on_wish(
    embedded: Start, office: Hire, graph: MakeGraph, person: Person, profile: str
) -> None:
    comfy = await embedded(profile)
    here = office(comfy.url)
    theirs = await person(comfy.url, graph())
    mine = await here.run(graph("medium"))
    await here.wait(mine)

    everybodys, own = await page(here, mine=False), await page(here)

    assert sorted(told(everybodys)) == sorted(
        [(mine, "completed", "mine"), (theirs, "completed", "human")]
    )
    assert told(own) == [(mine, "completed", "mine")]


async def test_a_job_that_comfy_cloud_names_otherwise_is_not_told_twice_by_the_next_process(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded("cloud")
    here, there = office(comfy.url, key=CLOUD_KEY), office(comfy.url, key=CLOUD_KEY)
    done = await here.run(graph())
    await here.wait(done)
    comfy.faults = DEAF
    made = await here.run(graph("medium"))
    await here.jobs.close()

    found = await page(there, mine=False)

    assert [one[0] for one in told(found)] == [made, done]
    assert {job.owner for job in found.jobs} == {"mine"}


@PROFILES
async def test_pages_follow_each_other_without_a_gap_while_the_queue_moves(
    embedded: Start, office: Hire, graph: MakeGraph, profile: str
) -> None:
    comfy = await embedded(profile)
    here = office(comfy.url, key=CLOUD_KEY if profile == "cloud" else None)
    done = [await here.run(graph(n1={"color": number})) for number in range(3)]
    for one in done:
        await here.wait(one)
    comfy.faults = DEAF
    made = [await here.run(graph(n1={"color": 9 + number})) for number in range(4)]
    await comfy.until(lambda it: it.running is not None and len(it.pending) == 3)

    first = await page(here, limit=3)
    await here.stop(made[1])
    cursor, found = first.next_cursor, [job.prompt_id for job in first.jobs]
    while cursor is not None:
        more = await page(here, limit=3, cursor=cursor)
        found += [job.prompt_id for job in more.jobs]
        cursor = more.next_cursor

    assert found[:3] == made[:3]
    # The one that was stopped has ended since, and stands among those, too.
    assert found[3:] == [made[3], made[1], *reversed(done)]


@pytest.mark.parametrize(
    ("statuses", "wanted"),
    [({"pending"}, 1), ({"in_progress"}, 0), ({"completed"}, 2), ({"failed", "cancelled"}, None)],
)
async def test_only_those_of_the_statuses_that_were_asked_for(
    embedded: Start, office: Hire, graph: MakeGraph, statuses: set[str], wanted: int | None
) -> None:
    comfy = await embedded()
    here = office(comfy.url)
    done = await here.run(graph())
    await here.wait(done)
    comfy.faults = DEAF
    made = [await here.run(graph("medium")), await here.run(graph(n1={"color": 5})), done]
    await comfy.until(lambda it: it.running is not None)

    found = await page(here, statuses=frozenset(statuses))

    assert [job.prompt_id for job in found.jobs] == ([] if wanted is None else [made[wanted]])


@PROFILES
async def test_a_job_that_ended_unseen_is_written_down_and_told_as_it_ended(
    embedded: Start, office: Hire, graph: MakeGraph, profile: str
) -> None:
    comfy = await embedded(profile)
    key = CLOUD_KEY if profile == "cloud" else None
    here, there = office(comfy.url, key=key), office(comfy.url, key=key)
    made = await here.run(graph())
    await here.jobs.close()
    await comfy.until(lambda it: len(it.finished) == 1)

    found = await page(there)

    assert told(found) == [(made, "completed", "mine")]
    assert (await there.row(made)).status == "completed"


async def test_without_comfyui_the_journal_answers_and_that_is_said(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded()
    here = office(comfy.url)
    done = await here.run(graph())
    await here.wait(done)
    comfy.faults = DEAF
    made = await here.run(graph("medium"))
    await here.until(made, lambda row: row.status == "in_progress")
    await comfy.stop()

    for mine in (True, False):
        found = await page(here, mine=mine)

        assert told(found) == [(made, "in_progress", "mine"), (done, "completed", "mine")]
        (warning,) = found.warnings
        assert warning.startswith("Only what the journal knows: ")


async def test_a_job_under_way_is_listed_before_comfyui_has_it(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded()
    here = office(comfy.url, pace=replace(QUICK, forget=60))
    made, _ = await here.admit(graph())
    await here.store.move_job(made, "submitting", now_ms())

    found = await page(here)

    assert told(found) == [(made, "pending", "mine")]


async def test_what_is_no_cursor_is_refused(embedded: Start, office: Hire) -> None:
    comfy = await embedded()

    with pytest.raises(WorkflowError, match="next_cursor"):
        await page(office(comfy.url), cursor="page-2")


async def test_a_list_reads_the_queue_once_however_long_it_is(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=DEAF)
    here = office(comfy.url)
    for number in range(20):
        await here.run(graph(n1={"color": number}))
    await comfy.until(lambda it: it.running is not None and len(it.pending) == 19)
    await here.jobs.close()
    there = office(comfy.url)
    await there.jobs.host.stats()
    comfy.seen.clear()

    await page(there, mine=False)

    assert sum(each.method == "GET" for each in comfy.seen) <= 4
