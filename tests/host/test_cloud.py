"""Comfy Cloud speaks ComfyUI's words with other meanings, and gets our key but nobody else does."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from aiohttp import web

from comfy_mcp.embedded import CLOUD_KEY, EmbeddedHost, Faults
from comfy_mcp.errors import AnswerLost, HostError, HostRejected, OutputError
from comfy_mcp.host import Absent, Ended, OutputFile, Pending, Running
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.host.cloud import is_cloud, may_fetch, socket_url
from comfy_mcp.host.standing import Worker
from comfy_mcp.host.stream import EventStream
from comfy_mcp.permit import StopPermit, SubmitPermit
from comfy_mcp.settings import Address
from comfy_mcp.workflow import digest, parse_graph

if TYPE_CHECKING:
    from conftest import Stranger

pytestmark = pytest.mark.anyio

FOREVER = 2**62

KEY = {"X-API-Key": CLOUD_KEY}
BUSY = Faults(deaf_ms=60_000)

Start = Callable[..., Awaitable[EmbeddedHost]]
Client = Callable[..., ComfyHost]
Send = Callable[..., Awaitable[str]]
MakeGraph = Callable[..., Any]


def leave(*prompt_ids: str) -> StopPermit:
    return StopPermit(decision_id="dec_1", prompt_ids=prompt_ids, deadline_ms=FOREVER)


@pytest.mark.parametrize(
    ("base", "cloud"),
    [
        ("https://cloud.comfy.org", True),
        ("https://comfy.org/x", True),
        ("https://notcomfy.org", False),
        ("https://cloud.comfy.org.evil.example", False),
        ("http://127.0.0.1:8188", False),
    ],
)
def test_the_cloud_is_known_by_its_name(base: str, *, cloud: bool) -> None:
    assert is_cloud(Address(base)) is cloud


@pytest.mark.parametrize(
    ("url", "sender", "allowed"),
    [
        ("https://storage.googleapis.com/b/f?sig=1", "https://cloud.comfy.org", True),
        ("http://storage.googleapis.com/b/f", "https://cloud.comfy.org", False),
        ("https://127.0.0.1/x", "https://cloud.comfy.org", False),
        ("https://localhost/x", "https://cloud.comfy.org", False),
        ("https://localhost./x", "https://cloud.comfy.org", False),
        ("https://10.0.0.1/x", "https://cloud.comfy.org", False),
        ("https://[::1]/x", "https://cloud.comfy.org", False),
        ("https://2130706433/x", "https://cloud.comfy.org", False),
        ("https://0x7f.1/x", "https://cloud.comfy.org", False),
        ("https://127.0.0.1./x", "https://cloud.comfy.org", False),
        ("https://user:pw@storage.example/x", "https://cloud.comfy.org", False),
        ("file:///etc/passwd", "https://cloud.comfy.org", False),
        ("http://127.0.0.1:9/x", "http://127.0.0.1:8188", True),
        ("ftp://127.0.0.1:9/x", "http://127.0.0.1:8188", False),
        ("http://storage.example/x", "http://127.0.0.1:8188", False),
    ],
)
def test_a_file_is_fetched_only_from_where_that_is_safe(
    url: str, sender: str, *, allowed: bool
) -> None:
    assert may_fetch(url, sent_by=sender) is allowed


def test_the_key_stands_in_no_address_but_the_clouds_own() -> None:
    for base in ("https://cloud.comfy.org", "http://gpu.example:8188", "http://127.0.0.1:8188"):
        assert CLOUD_KEY not in socket_url(Address(base, KEY), "c", token=False)
    assert "token=" in socket_url(Address("https://cloud.comfy.org", KEY), "c", token=True)
    assert "token=" not in socket_url(Address("http://cloud.comfy.org", KEY), "c", token=True)


async def test_a_job_of_the_cloud_is_followed_by_our_id_to_its_files(
    client: Client, embedded: Start, send: Send
) -> None:
    comfy = await embedded("cloud")
    host = client(comfy.url, KEY)

    made = await send(host)
    await comfy.until(lambda it: bool(it.finished))
    seen = await host.look(made)

    assert comfy.finished != (made,)
    assert isinstance(seen, Ended)
    assert seen.outcome == "completed"
    content = await host.view(seen.outputs[0], limit=1_000_000)
    assert content.startswith(b"\x89PNG")
    signed = [each for each in comfy.seen if each.path.startswith("/signed/")]
    assert signed
    assert not any(each.keyed for each in signed)


async def test_the_queue_of_the_cloud_is_told_by_our_ids(
    client: Client, embedded: Start, send: Send, graph: MakeGraph
) -> None:
    comfy = await embedded("cloud", faults=BUSY)
    host = client(comfy.url, KEY)
    first = await send(host)
    await comfy.until(lambda it: it.running is not None)
    second = await send(host, graph(n1={"color": 1}))

    queue = await host.queue()

    assert [job.prompt_id for job in queue.running] == [first]
    assert [job.prompt_id for job in queue.pending] == [second]
    assert await host.look(first) == Running()
    assert await host.look(second) == Pending(1)
    assert await host.look(str(uuid4())) == Absent()


async def test_a_job_of_the_cloud_whose_answer_was_lost_is_found(
    client: Client, embedded: Start, send: Send
) -> None:
    comfy = await embedded("cloud", faults=Faults(deaf_ms=60_000, lose_answer="after"))
    host, made = client(comfy.url, KEY), str(uuid4())
    with pytest.raises(AnswerLost):
        await send(host, prompt_id=made)
    await comfy.until(lambda it: it.running is not None)

    assert await host.look(made) == Running()


async def test_a_stop_goes_to_its_job_alone(
    client: Client, embedded: Start, send: Send, graph: MakeGraph
) -> None:
    comfy = await embedded("cloud", faults=BUSY)
    host = client(comfy.url, KEY)
    await send(host)
    await comfy.until(lambda it: it.running is not None)
    second = await send(host, graph(n1={"color": 1}))

    await host.stop(second, leave(second))
    unknown = str(uuid4())
    await host.stop(unknown, leave(unknown))

    assert comfy.pending == ()
    assert comfy.running is not None
    sent = {each.path.rsplit("/", 1)[-1] for each in comfy.seen if each.method == "POST"}
    assert sent == {"prompt", "cancel"}


async def test_what_would_stop_running_jobs_too_is_not_sent(
    client: Client, embedded: Start, send: Send
) -> None:
    comfy = await embedded("cloud", faults=BUSY)
    host = client(comfy.url, KEY)
    made = await send(host)

    with pytest.raises(HostRejected, match="Cancel the jobs one by one"):
        await host.remove([made], leave(made))

    assert not [each for each in comfy.seen if (each.method, each.path) == ("POST", "/queue")]


async def test_the_cloud_is_not_asked_to_put_a_job_first(
    client: Client, embedded: Start, graph: MakeGraph
) -> None:
    comfy = await embedded("cloud")
    sent, made = parse_graph(graph()), str(uuid4())
    permit = SubmitPermit(
        decision_id="d", prompt_id=made, digest=digest(sent.to_json()), front=True
    )

    await client(comfy.url, KEY).submit(
        sent, prompt_id=made, client_id="c", permit=permit, front=True
    )

    (body,) = [each.body for each in comfy.seen if each.path == "/prompt"]
    assert "front" not in body


async def test_what_the_cloud_can_do_is_told(client: Client, embedded: Start) -> None:
    told = await client((await embedded("cloud")).url, KEY).status()

    assert not told.capabilities.chosen_ids
    assert told.capabilities.atomic_cancel
    assert told.worker is Worker.UNKNOWN


async def test_without_a_key_nothing_is_run_and_what_to_do_is_told(
    client: Client, embedded: Start, send: Send
) -> None:
    comfy = await embedded("cloud")

    with pytest.raises(HostError, match="COMFYUI_API_KEY"):
        await send(client(comfy.url))

    assert comfy.finished == ()


async def test_the_socket_of_a_cloud_gets_the_key_where_it_wants_it_and_no_log_does(
    embedded: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    comfy = await embedded("cloud")
    stream = EventStream(Address(comfy.url, KEY), lambda _: None, pause=(0.01, 0.01))
    try:
        await stream.ready()
        await comfy.until(lambda it: bool(it.clients))
    finally:
        await stream.close()

    assert CLOUD_KEY not in caplog.text


async def test_an_ordinary_host_sends_us_nowhere(
    client: Client, stranger: Callable[..., Awaitable[Stranger]]
) -> None:
    async def fine(_: web.Request) -> web.Response:
        return web.Response(body=b"secret")

    other = await stranger(fine)

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/api/system_stats":
            return web.json_response({"system": {"comfyui_version": "0.33.0"}})
        return web.Response(status=302, headers={"Location": f"{other.url}/x"})

    server = await stranger(answer)

    with pytest.raises(OutputError, match="not safe"):
        await client(server.url).view(OutputFile("2", "images", "a.png"), limit=10)
    assert other.seen == []


async def test_a_cloud_that_sends_us_round_in_circles_is_given_up(
    client: Client, stranger: Callable[..., Awaitable[Stranger]]
) -> None:
    async def answer(request: web.Request) -> web.Response:
        if request.path == "/api/system_stats":
            told = {"comfyui_version": "0.33.0", "cloud_version": "x"}
            return web.json_response({"system": told})
        return web.Response(status=302, headers={"Location": "/again"})

    server = await stranger(answer)

    with pytest.raises(OutputError, match="not safe"):
        await client(server.url).view(OutputFile("2", "images", "a.png"), limit=10)
    assert server.asked("GET", "/again") == 2
