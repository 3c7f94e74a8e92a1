"""A look says where a job stands, on every version, and never loses one that is there."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import aiohttp
import pytest

from comfy_mcp.embedded import EmbeddedHost, Faults
from comfy_mcp.errors import HostError, NotComfyUI
from comfy_mcp.host import Absent, Ended, Pending, Running
from comfy_mcp.host.client import ComfyHost

if TYPE_CHECKING:
    from conftest import Stranger

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize("profile", ["0.3.64", "0.8", "0.33"]),
]

Start = Callable[..., Awaitable[EmbeddedHost]]
Proxy = Callable[..., Awaitable["Stranger"]]
Client = Callable[..., ComfyHost]
Send = Callable[..., Awaitable[str]]
MakeGraph = Callable[..., Any]

BUSY = Faults(deaf_ms=60_000)


async def queued(comfy: EmbeddedHost, graph: Any, **more: Any) -> str:
    """Submit as a person's browser would."""
    made = str(uuid4())
    body = {"prompt": graph, "prompt_id": made, **more}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{comfy.url}/api/prompt", json=body) as answer,
    ):
        assert answer.status == 200
    return made


async def test_jobs_that_wait_are_told_by_their_turn(
    client: Client, embedded: Start, send: Send, graph: MakeGraph, profile: str
) -> None:
    comfy = await embedded(profile, faults=BUSY)
    host = client(comfy.url)
    await send(host)
    await comfy.until(lambda it: it.running is not None)
    waiting = [await queued(comfy, graph(n1={"color": turn})) for turn in range(3)]
    waiting += [await queued(comfy, graph(n1={"color": 9}), front=True) for _ in range(2)]
    waiting += [await queued(comfy, graph(n1={"color": 10}), number=1.5)]

    seen = [await host.look(made) for made in waiting]

    order = comfy.pending
    assert seen == [Pending(order.index(made) + 1) for made in waiting]


async def test_the_running_job_is_running(
    client: Client, embedded: Start, send: Send, profile: str
) -> None:
    comfy = await embedded(profile, faults=BUSY)
    host = client(comfy.url)
    made = await send(host)
    await comfy.until(lambda it: it.running is not None)

    assert await host.look(made) == Running()


async def test_a_job_that_worked_is_completed_with_files_and_times(
    client: Client, embedded: Start, send: Send, profile: str
) -> None:
    comfy = await embedded(profile)
    host = client(comfy.url)
    made = await send(host)
    await comfy.until(lambda it: made in it.finished)

    seen = await host.look(made)

    assert isinstance(seen, Ended)
    assert (seen.outcome, seen.failure) == ("completed", None)
    assert [file.filename for file in seen.outputs] == ["small_00001_.png"]
    assert seen.started_ms is not None
    assert seen.ended_ms is not None
    assert seen.ended_ms >= seen.started_ms


async def test_a_job_that_failed_says_where_and_why(
    client: Client, embedded: Start, send: Send, graph: MakeGraph, profile: str
) -> None:
    comfy = await embedded(profile)
    host = client(comfy.url)
    made = await send(host, graph(n2={"filename_prefix": "../../evil"}))
    await comfy.until(lambda it: made in it.finished)

    seen = await host.look(made)

    assert isinstance(seen, Ended)
    assert seen.outcome == "failed"
    assert seen.failure is not None
    assert (seen.failure.node_id, seen.failure.node_type) == ("2", "SaveImage")
    assert "outside the output folder" in seen.failure.message


async def test_a_job_that_was_interrupted_is_cancelled_not_failed(
    client: Client, embedded: Start, send: Send, graph: MakeGraph, profile: str
) -> None:
    comfy = await embedded(profile, faults=Faults(node_ms=60_000))
    host = client(comfy.url)
    made = await send(host, graph(slow=True))
    await comfy.until(lambda it: it.node is not None)
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{comfy.url}/interrupt", json={"prompt_id": made}) as answer,
    ):
        assert answer.status == 200
    comfy.faults = Faults()
    await comfy.until(lambda it: made in it.finished)

    seen = await host.look(made)

    assert isinstance(seen, Ended)
    assert (seen.outcome, seen.failure) == ("cancelled", None)


async def test_a_job_that_nobody_knows_is_absent(
    client: Client, embedded: Start, profile: str
) -> None:
    host = client((await embedded(profile)).url)

    assert await host.look(str(uuid4())) == Absent()


async def test_a_job_id_of_odd_letters_is_looked_for_and_nothing_else_is(
    client: Client, embedded: Start, profile: str
) -> None:
    comfy = await embedded(profile)
    host = client(comfy.url)

    assert await host.look("../queue?x=1&y#z/\u00fc") == Absent()


async def test_a_job_that_moves_on_is_never_absent_in_between(
    client: Client, embedded: Start, send: Send, graph: MakeGraph, profile: str
) -> None:
    comfy = await embedded(profile, faults=Faults(success_before_history_ms=20, lost_cancel_ms=5))
    host = client(comfy.url)
    for turn in range(6):
        made = await send(host, graph(n1={"color": turn}))
        seen = await host.look(made)
        while not isinstance(seen, Ended):
            assert not isinstance(seen, Absent)
            seen = await host.look(made)
        assert seen.outcome == "completed"


async def test_success_is_not_believed_before_the_history_has_it(
    client: Client, embedded: Start, send: Send, graph: MakeGraph, profile: str
) -> None:
    comfy = await embedded(profile, faults=Faults(success_before_history_ms=60_000))
    host = client(comfy.url)
    made = await send(host, graph())
    await comfy.until(lambda it: it.node == "2")

    assert await host.look(made) == Running()


@pytest.mark.parametrize("broken", ["poison", "proxy"])
async def test_jobs_routes_that_are_broken_are_done_without(  # noqa: PLR0917 - fixtures
    client: Client,
    embedded: Start,
    proxy: Proxy,
    graph: MakeGraph,
    profile: str,
    broken: str,
) -> None:
    comfy = await embedded(profile, faults=BUSY)
    running = await queued(comfy, graph())
    await comfy.until(lambda it: it.running is not None)
    first = await queued(comfy, graph(n1={"color": 1}))
    second = await queued(comfy, graph(n1={"color": 2}))
    url = comfy.url
    if broken == "poison":
        await queued(comfy, graph(n1={"color": 3}), extra_data={"extra_pnginfo": None})
    else:
        paths = [f"/api/jobs/{each}" for each in (running, first, second)]
        url = (await proxy(url, own=dict.fromkeys([*paths, "/api/jobs"], (500, "x")))).url
    host = client(url)

    assert await host.look(running) == Running()
    assert await host.look(first) == Pending(1)
    assert await host.look(second) == Pending(2)
    assert await host.running() == running


@pytest.mark.parametrize("status", [401, 404, 502])
async def test_a_history_that_cannot_be_read_is_not_an_empty_one(
    client: Client, embedded: Start, proxy: Proxy, profile: str, status: int
) -> None:
    made = str(uuid4())
    own = {f"/api/history/{made}": (status, "{}"), f"/api/jobs/{made}": (500, "")}
    front = await proxy((await embedded(profile)).url, own=own)

    with pytest.raises(HostError, match=f"HTTP {status}"):
        await client(front.url).look(made)


JOBS = {
    "in_progress": Running(),
    "completed": Ended("completed"),
    "failed": Ended("failed"),
    "cancelled": Ended("cancelled"),
}


@pytest.mark.parametrize("word", JOBS)
async def test_without_messages_the_status_word_is_believed(
    client: Client, embedded: Start, proxy: Proxy, profile: str, word: str
) -> None:
    own = {"/api/jobs/p": (200, json.dumps({"id": "p", "status": word}))}
    front = await proxy((await embedded(profile)).url, own=own)

    assert await client(front.url).look("p") == JOBS[word]


async def test_a_status_that_we_do_not_know_is_not_taken_for_an_end(
    client: Client, embedded: Start, proxy: Proxy, profile: str
) -> None:
    own = {"/api/jobs/p": (200, json.dumps({"id": "p", "status": "cancel_requested"}))}
    front = await proxy((await embedded(profile)).url, own=own)

    with pytest.raises(NotComfyUI):
        await client(front.url).look("p")


async def test_numbers_that_are_none_do_not_make_an_answer_unreadable(
    client: Client, embedded: Start, proxy: Proxy, profile: str
) -> None:
    text = '{"id": "p", "status": "completed", "outputs": {"1": {"x": [NaN, Infinity]}}}'
    front = await proxy((await embedded(profile)).url, own={"/api/jobs/p": (200, text)})

    assert await client(front.url).look("p") == Ended("completed")


async def test_a_host_that_was_updated_is_asked_anew_after_it_was_away(
    client: Client, embedded: Start, send: Send, profile: str
) -> None:
    old = await embedded("0.3.64")
    host = client(old.url)
    await send(host)
    await host.look("p")
    port = old.port
    await old.stop()
    with pytest.raises(Exception, match="No ComfyUI"):
        await host.look("p")
    new = await embedded(profile, port=port)

    assert await host.look(str(uuid4())) == Absent()
    asked = [each.path for each in new.seen]
    assert any(path.startswith("/jobs/") for path in asked)
