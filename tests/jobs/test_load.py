"""Many followers look seldom, and leave nothing behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from comfy_mcp.embedded import EmbeddedHost, Faults
from tests.jobs.offices import QUICK, Office

pytestmark = pytest.mark.anyio

Start = Callable[..., Awaitable[EmbeddedHost]]
Hire = Callable[..., Office]
MakeGraph = Callable[..., Any]

MANY = 64


async def test_a_change_of_the_queue_makes_few_look_however_many_are_followed(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=Faults(deaf_ms=60_000))
    here = office(comfy.url, pace=replace(QUICK, live=3600, least=3600, most=3600, silence=3600))
    made = [await here.run(graph(n1={"color": number}), "bob") for number in range(MANY)]
    calls = [asyncio.ensure_future(here.wait(one, 600, "bob")) for one in made]
    far = here.jobs._followers.known(made[-1])
    assert far is not None
    far.poke()
    await here.until(made[-1], lambda _: far.live.position == MANY - 1)

    def looks(one: str) -> int:
        return sum(each.path == f"/jobs/{one}" for each in comfy.seen)

    await here.jobs.host.stats()
    comfy.seen.clear()
    for turn in range(5):
        await here.run(graph(n1={"color": 1_000 + turn}), "bob")
        await comfy.until(lambda _, turn=turn: looks(made[1]) > turn)  # type: ignore[misc]  # a lambda's default has no type

    # One may have been under way.
    assert looks(made[-1]) <= 1
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)


async def test_a_waiter_that_was_cancelled_leaves_nothing_behind(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=Faults(deaf_ms=60_000))
    here = office(comfy.url)
    made = await here.run(graph())
    watch = here.jobs._followers.known(made)
    assert watch is not None
    before = asyncio.all_tasks()
    calls = [asyncio.ensure_future(here.wait(made, 600)) for _ in range(5)]
    await here.until(made, lambda _: watch.waiting == 5)

    for call in calls:
        call.cancel()
        with suppress(asyncio.CancelledError):
            await call

    assert watch.waiting == 0
    assert here.jobs._followers.known(made) is watch
    assert asyncio.all_tasks() - before == set()


async def test_nothing_runs_any_more_after_the_close(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=Faults(deaf_ms=60_000))
    before = asyncio.all_tasks()
    here = office(comfy.url)
    await here.jobs.adopt()
    made = [await here.run(graph(n1={"color": number})) for number in range(5)]
    await comfy.until(lambda it: it.running is not None and bool(it.clients))
    stopping = asyncio.ensure_future(here.stop(made[0], 60))
    await comfy.until(lambda it: any(each.path.endswith("/cancel") for each in it.seen))

    await here.jobs.close()
    with suppress(asyncio.CancelledError):
        await stopping

    ours = {task for task in asyncio.all_tasks() - before if "comfy_mcp/jobs" in repr(task)}
    assert ours == set()
    await comfy.until(lambda it: not it.clients)
