"""A job that vanished is never called done, and as much is said of the reason as is known."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from comfy_mcp.embedded import EmbeddedHost, Faults
from comfy_mcp.errors import AnswerLost
from comfy_mcp.jobs.job import Job
from comfy_mcp.jobs.lost import cause_of
from comfy_mcp.store.protocol import JobRow
from tests.jobs.offices import Office, now_ms

pytestmark = pytest.mark.anyio

Start = Callable[..., Awaitable[EmbeddedHost]]
Hire = Callable[..., Office]
MakeGraph = Callable[..., Any]

DEAF = Faults(deaf_ms=60_000)
PROFILES = pytest.mark.parametrize("profile", ["0.3.40", "0.3.64", "0.8", "0.33"])


def row(status: str = "pending", number: float | None = 5.0, seq: int = 1) -> JobRow:
    result = {} if number is None else {"number": number}
    words = {"prompt_id": str(seq), "grant": "ann", "host": "here", "workflow": "inline"}
    return JobRow(**words, digest="", decision_id="", status=status, created_ms=0, changed_ms=0,
                  result=result, seq=seq)  # fmt: skip


@pytest.mark.parametrize(
    ("status", "seen", "numbers", "cause"),
    [
        ("pending", 1, [], "removed"),
        ("in_progress", 0, [], "restarted"),
        ("pending", None, [], "lost"),
        ("pending", None, [6.0, 7.0], "lost"),
        ("pending", None, [6.0, 0.0], "restarted"),
        ("pending", 1, [5.0], "restarted"),
        ("pending", 1, [-3.0], "removed"),
        ("pending", 1, [None], "removed"),
        ("stopping", None, [], "leaving"),
        ("stopping", 0, [], "restarted"),
        ("submitting", 1, [], "never_seen"),
        ("submitting", 0, [], "untold"),
        ("submitting", None, [], "untold"),
    ],
)
def test_why_is_told_from_epochs_and_from_numbers_that_begin_again(
    status: str, seen: int | None, numbers: list[float | None], cause: str
) -> None:
    later = [row(number=number, seq=2) for number in numbers]

    assert cause_of(row(status), seen=seen, epoch=1, later=later) == cause


def test_numbers_say_nothing_of_a_job_that_has_none() -> None:
    assert cause_of(row(number=None), seen=1, epoch=1, later=[row(number=0.0)]) == "removed"


def kind(job: Job) -> str:
    assert job.status == "lost"
    assert job.error is not None
    assert job.error.hint is not None
    return job.error.type


async def take_out(comfy: EmbeddedHost, made: str) -> None:
    """As a person's browser would, by whatever name ComfyUI has for the job."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{comfy.url}/api/queue", json={"delete": [made]}) as answer,
    ):
        assert answer.status == 200


@PROFILES
async def test_a_job_that_somebody_took_out_of_the_queue_was_removed(
    embedded: Start, office: Hire, graph: MakeGraph, profile: str
) -> None:
    comfy = await embedded(profile, DEAF)
    here = office(comfy.url)
    await here.run(graph())
    made = await here.run(graph("medium"))
    await comfy.until(lambda it: len(it.pending) == 1)

    await take_out(comfy, comfy.pending[0])

    assert kind(await here.wait(made)) == "removed"


@PROFILES
@pytest.mark.parametrize("which", [0, 1])
async def test_a_job_that_a_restart_took_away_says_so_and_frees_its_slot(
    embedded: Start, office: Hire, graph: MakeGraph, profile: str, which: int
) -> None:
    comfy = await embedded(profile, DEAF)
    here = office(comfy.url)
    made = [await here.run(graph()), await here.run(graph("medium"))]
    await comfy.until(lambda it: it.running is not None)
    await here.get(made[which])

    await comfy.restart()

    assert kind(await here.wait(made[which])) == "restarted"
    for each in made:
        await here.settled(each, "lost")
    assert await here.store.unfinished(host="here") == ()


@pytest.mark.parametrize("profile", ["0.3.64", "0.8", "0.33"])
async def test_a_restart_between_success_and_history_is_no_completed_job(
    embedded: Start, office: Hire, graph: MakeGraph, profile: str
) -> None:
    comfy = await embedded(profile, Faults(success_before_history_ms=60_000))
    here = office(comfy.url)
    made = await here.run(graph())
    watch = here.jobs._followers.known(made)
    assert watch is not None
    await here.until(made, lambda _: watch.live.done == 2)

    await comfy.restart()

    assert kind(await here.wait(made)) == "restarted"


async def test_a_process_that_never_saw_the_job_knows_of_a_restart_by_the_numbers(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=DEAF)
    here = office(comfy.url)
    await here.run(graph())
    made = await here.run(graph("medium"))
    await here.jobs.close()
    await comfy.restart()
    there = office(comfy.url)
    await there.run(graph(n1={"color": 3}), "bob")

    assert kind(await there.get(made)) == "restarted"


async def test_without_any_sign_of_why_both_reasons_are_named(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=DEAF)
    here = office(comfy.url)
    made = await here.run(graph())
    await here.jobs.close()
    await comfy.restart()

    assert kind(await office(comfy.url).get(made)) == "lost"


@PROFILES
async def test_a_job_that_never_showed_up_is_lost_after_a_while_and_sent_once(
    embedded: Start, office: Hire, graph: MakeGraph, profile: str
) -> None:
    comfy = await embedded(profile, Faults(lose_answer="before"))
    here = office(comfy.url)
    made, permit = await here.admit(graph())

    with pytest.raises(AnswerLost):
        await here.submit(graph(), made, permit)

    assert kind(await here.wait(made)) in {"never_seen", "untold"}
    assert sum(each.path == "/prompt" and each.method == "POST" for each in comfy.seen) == 1
    assert comfy.finished == ()
    assert await here.store.unfinished(host="here") == ()


@PROFILES
async def test_two_who_notice_the_loss_write_it_down_once(
    embedded: Start, office: Hire, graph: MakeGraph, profile: str
) -> None:
    comfy = await embedded(profile, DEAF)
    here, there = office(comfy.url), office(comfy.url)
    made = await here.run(graph())
    await comfy.restart()

    jobs = await asyncio.gather(here.get(made), there.get(made), there.wait(made))

    assert {job.status for job in jobs} == {"lost"}
    assert len(await here.ends()) == 1


@PROFILES
async def test_a_job_that_was_to_leave_the_queue_is_cancelled_only_if_comfyui_is_the_same(
    embedded: Start, office: Hire, graph: MakeGraph, profile: str
) -> None:
    """Its process was killed after it had written that down, and nobody knows whether it did it."""
    comfy = await embedded(profile, DEAF)
    here, there = office(comfy.url), office(comfy.url)
    await here.run(graph())
    made = [await here.run(graph(n1={"color": number})) for number in (1, 2)]
    await comfy.until(lambda it: it.running is not None and len(it.pending) == 2)
    await here.jobs.close()
    for one in made:
        await here.store.move_job(one, "stopping", now_ms())
    await take_out(comfy, comfy.pending[0])

    await there.jobs.adopt()
    await there.settled(made[0], "cancelled")
    await there.jobs.close()
    await comfy.restart()
    last = office(comfy.url)
    await last.jobs.adopt()

    await last.settled(made[1], "lost")
    assert kind(await last.get(made[1])) == "leaving"
