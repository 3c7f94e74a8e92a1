"""A graph runs once: it is sent again only if it cannot have arrived."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from aiohttp import web

from comfy_mcp.embedded import BadAnswer, EmbeddedHost, Faults
from comfy_mcp.errors import AnswerLost, HostTimeout, HostUnreachable, NotComfyUI
from comfy_mcp.host import Absent
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.host.handed import Handed
from comfy_mcp.host.standing import Submitted
from comfy_mcp.host.transport import Timeouts
from comfy_mcp.permit import SubmitPermit
from comfy_mcp.workflow import digest, parse_graph

if TYPE_CHECKING:
    from conftest import Stranger

pytestmark = pytest.mark.anyio

Start = Callable[..., Awaitable[EmbeddedHost]]
StrangerAt = Callable[[Any], Awaitable["Stranger"]]
Client = Callable[..., ComfyHost]
Send = Callable[..., Awaitable[str]]
MakeGraph = Callable[..., Any]

BROKE_DOWN = "500 Internal Server Error\n\nServer got itself in trouble"
STATS = b'{"system": {"comfyui_version": "0.33.0"}}'


def submits(comfy: EmbeddedHost) -> int:
    return sum((each.method, each.path) == ("POST", "/prompt") for each in comfy.seen)


async def submitted(host: ComfyHost, graph: Any, prompt_id: str | None = None) -> Submitted:
    sent, made = parse_graph(graph), prompt_id or str(uuid4())
    permit = SubmitPermit(decision_id="d", prompt_id=made, digest=digest(sent.to_json()))
    return await host.submit(sent, prompt_id=made, client_id="c", permit=permit)


def large(graph: Any) -> Any:
    """A workflow of more bytes than a socket holds."""
    graph["3"] = {"class_type": "PrimitiveString", "inputs": {"value": "x" * 3_900_000}}
    graph["4"] = {"class_type": "PreviewAny", "inputs": {"source": ["3", 0]}}
    return graph


def test_a_body_that_was_not_read_to_its_end_was_not_handed_over() -> None:
    body = Handed(b"four")
    body.read(3)

    assert not body.wholly
    body.read(3)
    assert body.wholly


class Wire:
    """A server that reads as much of each POST as it is told and then hangs up or falls silent."""

    def __init__(self, *, read: int, hang_up: bool = True) -> None:
        self.posts = 0
        self._read = read
        self._hang_up = hang_up
        self._never = asyncio.Event()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection."""
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"GET"):
            size = f"Content-Length: {len(STATS)}\r\nConnection: close\r\n\r\n".encode()
            kind = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            writer.write(kind + size + STATS)
            await writer.drain()
            writer.close()
            return
        self.posts += 1
        await reader.readexactly(self._read)
        if not self._hang_up:
            await self._never.wait()
        writer.transport.abort()

    def let_go(self) -> None:
        """Hang up."""
        self._never.set()


async def narrow(wire: Wire) -> asyncio.Server:
    """Listen with a window so small that a large body cannot wait in it."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    listening.bind(("127.0.0.1", 0))
    return await asyncio.start_server(wire.talk, sock=listening, limit=4096)


async def test_what_broke_before_the_whole_workflow_was_sent_is_sent_again_and_not_lost(
    client: Client, graph: MakeGraph
) -> None:
    wire = Wire(read=1000)
    server = await narrow(wire)
    async with server:
        host = client(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")

        with pytest.raises(HostUnreachable, match="nothing was queued"):
            await submitted(host, large(graph()))

    assert wire.posts == 3


async def test_what_broke_after_the_whole_workflow_was_sent_is_lost_and_sent_once(
    client: Client, graph: MakeGraph
) -> None:
    wire = Wire(read=10)
    server = await narrow(wire)
    async with server:
        host = client(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")

        with pytest.raises(AnswerLost):
            await submitted(host, graph())

    assert wire.posts == 1


async def test_who_takes_the_workflow_in_for_ever_is_told_of_once(
    client: Client, graph: MakeGraph
) -> None:
    wire = Wire(read=1000, hang_up=False)
    server = await narrow(wire)
    async with server:
        times = Timeouts(connect=2, answer=5, submit=1.5)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

        with pytest.raises(HostTimeout, match="nothing was queued"):
            await submitted(client(url, timeouts=times), large(graph()))

        assert wire.posts == 1
        wire.let_go()


async def test_every_submit_has_a_connection_of_its_own(
    client: Client, stranger: StrangerAt, graph: MakeGraph
) -> None:
    peers: list[Any] = []

    async def answer(request: web.Request) -> web.Response:
        if request.method == "GET":
            return web.json_response(json.loads(STATS))
        assert request.transport is not None
        peers.append(request.transport.get_extra_info("peername"))
        told = await request.json()
        return web.json_response({"prompt_id": told["prompt_id"], "number": len(peers)})

    host = client((await stranger(answer)).url)

    numbers = [(await submitted(host, graph())).number for _ in range(3)]

    assert numbers == [1, 2, 3]
    assert len(set(peers)) == 3


async def test_a_handler_that_broke_down_after_it_queued_the_job_has_taken_it(
    client: Client, stranger: StrangerAt, graph: MakeGraph
) -> None:
    made = str(uuid4())

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/api/prompt":
            return web.Response(status=500, text=BROKE_DOWN)
        if request.path == f"/api/jobs/{made}":
            return web.json_response({"id": made, "status": "in_progress"})
        return web.json_response(json.loads(STATS))

    server = await stranger(answer)

    assert await submitted(client(server.url), graph(), made) == Submitted()
    assert server.asked("POST", "/api/prompt") == 1


async def test_a_handler_that_broke_down_before_it_queued_the_job_has_refused_it(
    client: Client, embedded: Start, graph: MakeGraph, proxy: Callable[..., Awaitable[Stranger]]
) -> None:
    comfy = await embedded()
    front = await proxy(comfy.url, own={"/api/prompt": (500, BROKE_DOWN)})
    made = str(uuid4())

    with pytest.raises(NotComfyUI):
        await submitted(client(front.url, timeouts=Timeouts(breakdown=1.5)), graph(), made)

    assert front.asked("POST", "/api/prompt") == 1
    assert front.asked("GET", f"/api/jobs/{made}") > 1


async def test_a_job_that_is_queued_only_after_a_proxys_500_is_found_and_not_refused(
    client: Client, embedded: Start, graph: MakeGraph, proxy: Callable[..., Awaitable[Stranger]]
) -> None:
    comfy = await embedded()
    front = await proxy(comfy.url, own={"/api/prompt": (500, BROKE_DOWN)})
    made = str(uuid4())
    sending = asyncio.create_task(submitted(client(front.url), graph(), made))
    await comfy.until(lambda it: any(each.path == f"/jobs/{made}" for each in it.seen))

    await submitted(client(comfy.url), graph(), made)

    assert await sending == Submitted()


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_proxys_words_say_nothing_of_the_job(
    client: Client,
    embedded: Start,
    graph: MakeGraph,
    proxy: Callable[..., Awaitable[Stranger]],
    status: int,
) -> None:
    front = await proxy((await embedded()).url, own={"/api/prompt": (status, "<html>oops</html>")})

    with pytest.raises(AnswerLost):
        await submitted(client(front.url), graph())

    assert front.asked("POST", "/api/prompt") == 1


async def test_a_job_whose_answer_was_lost_is_there_and_was_sent_once(
    client: Client, embedded: Start, send: Send
) -> None:
    comfy = await embedded(faults=Faults(lose_answer="after"))
    host, made = client(comfy.url), str(uuid4())

    with pytest.raises(AnswerLost):
        await send(host, prompt_id=made)

    assert submits(comfy) == 1
    assert not isinstance(await host.look(made), Absent)


async def test_our_id_travels_with_the_job(client: Client, embedded: Start, send: Send) -> None:
    comfy = await embedded()

    made = await send(client(comfy.url))

    (body,) = [each.body for each in comfy.seen if each.path == "/prompt"]
    assert body["extra_data"] == {"comfy_mcp_guard": {"prompt_id": made}}


@pytest.mark.parametrize("status", [202, 204, 302, 408, 409, 425])
async def test_words_that_are_not_comfyuis_leave_open_whether_the_job_was_taken(
    client: Client, embedded: Start, graph: MakeGraph, status: int
) -> None:
    bad = BadAnswer(str(status), "POST", "/prompt", after=True)
    comfy = await embedded(faults=Faults(http=(bad,)))

    with pytest.raises(AnswerLost):
        await submitted(client(comfy.url), graph())

    assert submits(comfy) == 1
    await comfy.until(lambda it: len(it.finished) == 1)
