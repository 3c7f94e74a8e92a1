"""Many who poll cost ComfyUI little, and still nobody is told what is not so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

import aiohttp
import pytest

from comfy_mcp.embedded import EmbeddedHost, Faults
from comfy_mcp.host import Absent, Ended, Pending, Running
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.permit import StopPermit

pytestmark = pytest.mark.anyio

FOREVER = 2**62

Start = Callable[..., Awaitable[EmbeddedHost]]
Client = Callable[..., ComfyHost]
Send = Callable[..., Awaitable[str]]
MakeGraph = Callable[..., Any]

BUSY = Faults(deaf_ms=60_000)
MANY = 64


async def crowd(comfy: EmbeddedHost, host: ComfyHost, send: Send, graph: MakeGraph) -> list[str]:
    """A running job and many that wait."""
    running = await send(host, graph())
    await comfy.until(lambda it: it.running is not None)
    return [running, *[await send(host, graph(n1={"color": turn})) for turn in range(MANY - 1)]]


def asked(comfy: EmbeddedHost, path: str) -> int:
    return sum((each.method, each.path) == ("GET", path) for each in comfy.seen)


@pytest.mark.parametrize(("profile", "list_"), [("0.3.64", "/queue"), ("0.33", "/jobs")])
@pytest.mark.parametrize("fresh", [True, False])
async def test_a_crowd_that_looks_at_once_shares_the_list(  # noqa: PLR0917 - fixtures
    client: Client,
    embedded: Start,
    send: Send,
    graph: MakeGraph,
    profile: str,
    list_: str,
    fresh: bool,
) -> None:
    comfy = await embedded(profile, faults=BUSY)
    # A clock that goes on at each look at it, and at nothing else.
    ticks = count()
    host = client(comfy.url, clock=lambda: next(ticks) * 0.0001)
    ids = await crowd(comfy, host, send, graph)
    await host.look(ids[0])
    before = asked(comfy, list_)

    seen = await asyncio.gather(*(host.look(each, fresh=fresh) for each in ids))

    assert seen == [Running(), *(Pending(turn) for turn in range(1, MANY))]
    # Connections are limited, so that a crowd comes in a few waves.
    assert asked(comfy, list_) - before <= (12 if fresh else 3)


async def test_without_jobs_routes_a_follower_reads_the_queue_once_while_nothing_changes(
    client: Client, embedded: Start, send: Send, graph: MakeGraph
) -> None:
    comfy = await embedded("0.3.64", faults=BUSY)
    host = client(comfy.url)
    await send(host)
    await comfy.until(lambda it: it.running is not None)
    made = await send(host, graph(n1={"color": 1}))
    await host.look(made)
    before = asked(comfy, "/queue")

    assert {await host.look(made, fresh=False) for _ in range(9)} == {Pending(1)}
    assert asked(comfy, "/queue") == before


async def test_a_queue_that_changed_is_read_again(
    client: Client, embedded: Start, send: Send, graph: MakeGraph
) -> None:
    now = [0.0]
    comfy = await embedded("0.3.64", faults=BUSY)
    host = ComfyHost(client(comfy.url).address, now_ms=lambda: 0, clock=lambda: now[0], pause=0)
    try:
        await send(host)
        await comfy.until(lambda it: it.running is not None)
        first = await send(host, graph(n1={"color": 1}))
        second = await send(host, graph(n1={"color": 2}))
        assert await host.look(second) == Pending(2)
        permit = StopPermit(decision_id="d", prompt_ids=[first], deadline_ms=FOREVER)
        await host.remove([first], permit)
        now[0] += 1

        assert await host.look(second, fresh=False) == Pending(1)
        assert await host.look(first, fresh=False) == Absent()
    finally:
        await host.close()


@pytest.mark.parametrize("profile", ["0.3.40", "0.3.64", "0.8", "0.33"])
async def test_an_old_view_never_hides_the_end_of_a_job(
    client: Client, embedded: Start, send: Send, graph: MakeGraph, profile: str
) -> None:
    comfy = await embedded(profile)
    host = client(comfy.url)
    for turn in range(5):
        made = await send(host, graph(n1={"color": turn}))
        seen = await host.look(made, fresh=False)
        while not isinstance(seen, Ended):
            assert not isinstance(seen, Absent)
            seen = await host.look(made, fresh=False)
        assert seen.outcome == "completed"


@pytest.mark.parametrize("profile", ["0.3.40", "0.3.64", "0.8", "0.33", "poisoned"])
async def test_the_queue_is_told_in_the_order_in_which_it_runs(
    client: Client, embedded: Start, send: Send, graph: MakeGraph, profile: str
) -> None:
    comfy = await embedded("0.33" if profile == "poisoned" else profile, faults=BUSY)
    host = client(comfy.url)
    first = await send(host)
    await comfy.until(lambda it: it.running is not None)
    for turn in range(3):
        await send(host, graph(n1={"color": turn}))
    extra: dict[str, Any] = {"extra_pnginfo": None} if profile == "poisoned" else {}
    body = {"prompt": graph(n1={"color": 8}), "front": True, "extra_data": extra}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{comfy.url}/api/prompt", json=body) as answer,
    ):
        assert answer.status == 200

    queue = await host.queue()

    assert [job.prompt_id for job in queue.running] == [first]
    assert [job.prompt_id for job in queue.pending] == [host.ours(each) for each in comfy.pending]


@pytest.mark.parametrize("profile", ["0.3.64", "0.8", "0.33"])
async def test_what_ended_is_told_newest_first_where_there_is_a_list(
    client: Client, embedded: Start, send: Send, graph: MakeGraph, profile: str
) -> None:
    comfy = await embedded(profile)
    host = client(comfy.url)
    ids = [await send(host, graph(n1={"color": turn})) for turn in range(3)]
    bad = await send(host, graph(n2={"filename_prefix": "../../evil"}))
    await comfy.until(lambda it: bad in it.finished)

    told = await host.finished(3)

    if profile == "0.3.64":
        assert told is None
        return
    assert told is not None
    assert [(job.prompt_id, job.outcome) for job in told] == [
        (bad, "failed"),
        (ids[2], "completed"),
        (ids[1], "completed"),
    ]
    assert all(job.created_ms for job in told)
