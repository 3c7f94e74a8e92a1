"""A ComfyUI that gives jobs ids of its own is worked with by ours, and jobs are never mixed up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import aiohttp
import pytest
from aiohttp import web

from comfy_mcp.embedded import EmbeddedHost, Faults
from comfy_mcp.errors import AnswerLost, HostRejected
from comfy_mcp.host import Absent, Ended, Pending, Running
from comfy_mcp.host.aliases import tag
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.permit import StopPermit, SubmitPermit
from comfy_mcp.workflow import digest, parse_graph

if TYPE_CHECKING:
    from conftest import Stranger

pytestmark = pytest.mark.anyio

FOREVER = 2**62

Start = Callable[..., Awaitable[EmbeddedHost]]
Client = Callable[..., ComfyHost]
Send = Callable[..., Awaitable[str]]
MakeGraph = Callable[..., Any]

OLD = "0.3.40"
BUSY = Faults(deaf_ms=60_000)


def leave(*prompt_ids: str) -> StopPermit:
    return StopPermit(decision_id="dec_1", prompt_ids=prompt_ids, deadline_ms=FOREVER)


async def stranger_queues(comfy: EmbeddedHost, graph: Any, extra: Any = None) -> str:
    body = {"prompt": graph, "extra_data": extra or {}}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{comfy.url}/prompt", json=body) as answer,
    ):
        told: str = (await answer.json())["prompt_id"]
        return told


async def test_the_id_that_comfyui_gave_a_job_is_told(
    client: Client, embedded: Start, graph: MakeGraph
) -> None:
    comfy = await embedded(OLD, faults=BUSY)
    host, sent, made = client(comfy.url), parse_graph(graph()), str(uuid4())
    permit = SubmitPermit(decision_id="d", prompt_id=made, digest=digest(sent.to_json()))

    done = await host.submit(sent, prompt_id=made, client_id="c", permit=permit)
    await comfy.until(lambda it: it.running is not None)

    assert done.known_as == comfy.running != made
    assert host.ours(str(done.known_as)) == made


async def test_a_job_is_found_by_our_id_wherever_it_stands(
    client: Client, embedded: Start, send: Send, graph: MakeGraph
) -> None:
    comfy = await embedded(OLD, faults=Faults(node_ms=60_000))
    host = client(comfy.url)
    first = await send(host)
    await comfy.until(lambda it: it.running is not None)
    second = await send(host, graph(n1={"color": 2}))

    assert await host.look(first) == Running()
    assert await host.look(second) == Pending(1)
    assert await host.running() == first
    queue = await host.queue()
    assert [job.prompt_id for job in (*queue.running, *queue.pending)] == [first, second]
    comfy.faults = Faults()
    await comfy.until(lambda it: len(it.finished) == 2)
    for made in (first, second):
        seen = await host.look(made)
        assert isinstance(seen, Ended)
        assert seen.outcome == "completed"


@pytest.mark.parametrize("when", ["pending", "running", "ended"])
async def test_a_job_whose_answer_was_lost_is_found_by_its_tag(
    client: Client, embedded: Start, send: Send, graph: MakeGraph, when: str
) -> None:
    comfy = await embedded(OLD, faults=Faults(deaf_ms=0 if when == "ended" else 60_000))
    host, made = client(comfy.url), str(uuid4())
    if when == "pending":
        await stranger_queues(comfy, graph(n1={"color": 3}))
        await comfy.until(lambda it: it.running is not None)
    comfy.faults = Faults(deaf_ms=comfy.faults.deaf_ms, lose_answer="after")
    with pytest.raises(AnswerLost):
        await send(host, prompt_id=made)
    await comfy.until(lambda it: bool(it.finished if when == "ended" else it.running))

    seen = await host.look(made)

    kinds = {"pending": Pending, "running": Running, "ended": Ended}
    assert isinstance(seen, kinds[when])


async def test_a_job_that_never_arrived_is_absent_though_others_carry_tags(
    client: Client, embedded: Start, send: Send
) -> None:
    comfy = await embedded(OLD)
    host = client(comfy.url)
    await send(host)
    await comfy.until(lambda it: len(it.finished) == 1)

    assert await host.look(str(uuid4())) == Absent()


async def test_after_a_restart_of_ours_the_journal_teaches_the_pair(
    client: Client, embedded: Start, send: Send
) -> None:
    comfy = await embedded(OLD)
    made = await send(client(comfy.url))
    await comfy.until(lambda it: len(it.finished) == 1)
    later = client(comfy.url)

    later.learn(made, comfy.finished[0])

    assert isinstance(await later.look(made), Ended)
    assert not [each for each in comfy.seen if each.path == "/history"]


async def test_a_pending_job_is_stopped_and_removed_by_our_id(
    client: Client, embedded: Start, send: Send, graph: MakeGraph
) -> None:
    comfy = await embedded(OLD, faults=BUSY)
    host = client(comfy.url)
    await stranger_queues(comfy, graph())
    await comfy.until(lambda it: it.running is not None)
    one, two, three = [await send(host, graph(n1={"color": turn})) for turn in (1, 2, 3)]

    await host.stop(one, leave(one))
    await host.remove([two], leave(two))

    assert [job.prompt_id for job in (await host.queue()).pending] == [three]


async def test_a_job_whose_id_nobody_told_us_is_stopped_all_the_same(
    client: Client, embedded: Start, send: Send, graph: MakeGraph
) -> None:
    comfy = await embedded(OLD, faults=BUSY)
    other = await stranger_queues(comfy, graph())
    await comfy.until(lambda it: it.running is not None)
    comfy.faults = Faults(deaf_ms=60_000, lose_answer="after")
    made = str(uuid4())
    with pytest.raises(AnswerLost):
        await send(client(comfy.url), graph(n1={"color": 1}), made)

    await client(comfy.url).stop(made, leave(made))

    assert (comfy.running, comfy.pending) == (other, ())


async def test_a_running_job_is_interrupted_only_while_nothing_waits(
    client: Client, embedded: Start, send: Send, graph: MakeGraph
) -> None:
    comfy = await embedded(OLD, faults=Faults(node_ms=60_000))
    host = client(comfy.url)
    made = await send(host, graph(slow=True))
    await comfy.until(lambda it: it.running is not None and it.node is not None)
    other = await stranger_queues(comfy, graph())
    with pytest.raises(HostRejected, match=r"older than 0\.3\.57"):
        await host.stop(made, leave(made))
    assert not [each for each in comfy.seen if each.path == "/interrupt"]

    await host.remove([other], leave(other))
    await host.stop(made, leave(made))
    comfy.faults = Faults()
    await comfy.until(lambda it: len(it.finished) == 1)

    seen = await host.look(made)
    assert isinstance(seen, Ended)
    assert seen.outcome == "cancelled"


async def test_a_strangers_copy_of_our_tag_is_never_taken_for_our_job(
    client: Client, embedded: Start, send: Send, graph: MakeGraph
) -> None:
    comfy = await embedded(OLD, faults=BUSY)
    host = client(comfy.url)
    made = await send(host)
    await comfy.until(lambda it: it.running is not None)
    copy = await stranger_queues(comfy, graph(n1={"color": 1}), tag(made))

    queue = await host.queue()
    await host.remove([made], leave(made))

    assert [job.prompt_id for job in queue.running] == [made]
    assert [job.prompt_id for job in queue.pending] == [copy]
    assert comfy.pending == (copy,)


async def test_a_fork_of_a_new_version_that_gives_ids_of_its_own_is_followed(
    client: Client, stranger: Callable[..., Awaitable[Stranger]], send: Send
) -> None:
    queue: list[Any] = []

    async def fork(request: web.Request) -> web.StreamResponse:
        if request.path == "/api/system_stats":
            return web.json_response({"system": {"comfyui_version": "0.33.0"}})
        if request.path == "/api/prompt":
            sent = await request.json()
            queue.append([1, "theirs", sent["prompt"], sent["extra_data"], []])
            return web.json_response({"prompt_id": "theirs", "number": 1})
        if request.path == "/api/queue":
            return web.json_response({"queue_running": queue, "queue_pending": []})
        if request.path == "/api/jobs/theirs":
            return web.json_response({"id": "theirs", "status": "in_progress"})
        return web.json_response({"error": "Job not found"}, status=404)

    host = client((await stranger(fork)).url)

    made = await send(host)

    assert host.ours("theirs") == made
    assert await host.look(made) == Running()


async def test_another_jobs_answer_is_not_taken_for_ours(
    client: Client, embedded: Start, stranger: Callable[..., Awaitable[Stranger]], send: Send
) -> None:
    """A front that mixes up answers, before a ComfyUI that keeps ids."""
    comfy = await embedded("0.3.64", faults=Faults(node_ms=60_000))
    theirs = await send(client(comfy.url))
    await comfy.until(lambda it: it.running == theirs)

    async with aiohttp.ClientSession() as session:

        async def mixed_up(request: web.Request) -> web.StreamResponse:
            if request.path == "/api/prompt" and request.method == "POST":
                return web.json_response({"prompt_id": theirs, "number": 0})
            async with session.get(comfy.url + request.path_qs) as answer:
                return web.json_response(await answer.json(), status=answer.status)

        host = client((await stranger(mixed_up)).url)
        with pytest.raises(AnswerLost, match="another job"):
            await send(host)

        assert host.ours(theirs) == theirs
