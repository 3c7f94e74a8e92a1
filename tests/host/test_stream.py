"""The websocket is kept open while it can be, costs nobody time, and sends no secret elsewhere."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from aiohttp import web
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from comfy_mcp.embedded import EmbeddedHost, Faults
from comfy_mcp.host import Closed, Event, QueueChanged, Started
from comfy_mcp.host.stream import EventStream
from comfy_mcp.settings import Address

if TYPE_CHECKING:
    from conftest import Stranger

pytestmark = pytest.mark.anyio

SECRET = "s3cr3t-k3y"
HEADERS = {"X-API-Key": SECRET, "Authorization": f"Bearer {SECRET}"}

Start = Callable[..., Awaitable[EmbeddedHost]]
StrangerAt = Callable[[Any], Awaitable["Stranger"]]
Client = Callable[..., Any]
Send = Callable[..., Awaitable[str]]


class Ear:
    """Keeps what is heard, and wakes who waits for it."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.drops = 0
        self._news = asyncio.Event()

    def hear(self, event: Event) -> None:
        """Keep an event."""
        self.events.append(event)
        self._news.set()

    def drop(self) -> None:
        """Count a connection that is gone."""
        self.drops += 1
        self._news.set()

    async def until(self, condition: Callable[[], bool], seconds: float = 20) -> None:
        """Wait until *condition* holds; it is asked at everything heard."""
        async with asyncio.timeout(seconds):
            while not condition():
                self._news.clear()
                await self._news.wait()


@pytest.fixture
async def listen() -> AsyncIterator[Callable[..., tuple[EventStream, Ear]]]:
    """Makes streams, and ears that hear them."""
    async with AsyncExitStack() as stack:

        def make(url: str, **options: Any) -> tuple[EventStream, Ear]:
            ear = Ear()
            given = {"open_seconds": 5.0, "pause": (0.01, 0.02), **options}
            address = Address(url, given.pop("headers", {}))
            stream = EventStream(address, ear.hear, dropped=ear.drop, **given)
            stack.push_async_callback(stream.close)
            return stream, ear

        yield make


Listen = Callable[..., tuple[EventStream, Ear]]


async def websocket(
    stack: AsyncExitStack, talk: Callable[[ServerConnection], Awaitable[None]], **options: Any
) -> str:
    """A websocket server that says what it is told to; gives its address."""
    quiet = logging.getLogger("quiet")
    quiet.disabled = True
    server = await stack.enter_async_context(
        serve(talk, "127.0.0.1", 0, close_timeout=0.1, logger=quiet, **options)
    )
    return f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


async def test_a_job_is_heard_from_its_start_to_its_end(
    listen: Listen, embedded: Start, client: Client, graph: Callable[..., Any]
) -> None:
    comfy = await embedded()
    stream, ear = listen(comfy.url)
    client_id = await stream.ready()
    made = "0a8f9a34-3a0c-4f5b-8f6e-7a8f9c0d1e2f"
    host = client(comfy.url)
    await submit_as(host, client_id, graph(), made)

    await ear.until(lambda: Closed(made, settled=True) in ear.events)

    about = [event for event in ear.events if not isinstance(event, QueueChanged)]
    assert about[0] == Started(made)
    assert any(isinstance(event, Started) and event.node_id == "1" for event in about)
    assert about[-2:] == [Closed(made, settled=False), Closed(made, settled=True)]


async def submit_as(host: Any, client_id: str, graph: Any, prompt_id: str) -> None:
    from comfy_mcp.permit import SubmitPermit  # noqa: PLC0415 - one test needs it
    from comfy_mcp.workflow import digest, parse_graph  # noqa: PLC0415 - one test needs it

    sent = parse_graph(graph)
    permit = SubmitPermit(decision_id="d", prompt_id=prompt_id, digest=digest(sent.to_json()))
    await host.submit(sent, prompt_id=prompt_id, client_id=client_id, permit=permit)


async def test_every_connection_has_an_id_of_its_own(listen: Listen, embedded: Start) -> None:
    comfy = await embedded()
    stream, ear = listen(comfy.url)
    first = await stream.ready()
    await comfy.until(lambda it: it.clients == (first,))
    assert await stream.ready() == first

    await comfy.restart()
    await ear.until(lambda: ear.drops >= 1)
    await comfy.until(lambda it: bool(set(it.clients) - {first}))

    (second,) = comfy.clients
    assert str(UUID(second)) == second
    await ear.until(lambda: stream.client_id == second)
    assert await stream.ready() == second


async def test_a_connection_that_drops_is_told_and_opened_again(
    listen: Listen, embedded: Start
) -> None:
    comfy = await embedded()
    stream, ear = listen(comfy.url)
    await stream.ready()

    for turn in range(1, 4):
        await comfy.until(lambda it: len(it.clients) == 1)
        await comfy.restart()
        await ear.until(lambda turn=turn: ear.drops >= turn)

    await comfy.until(lambda it: len(it.clients) == 1)


async def test_where_nobody_answers_a_submit_is_not_held_up(
    listen: Listen, embedded: Start
) -> None:
    comfy = await embedded(faults=Faults(socket="refused"))
    stream, _ = listen(comfy.url, open_seconds=60)

    async with asyncio.timeout(20):
        first = await stream.ready()
        second = await stream.ready()

    assert stream.client_id is None
    assert first != second


async def test_a_handshake_that_hangs_holds_a_submit_up_for_so_long_and_no_longer(
    listen: Listen, stranger: StrangerAt
) -> None:
    never = asyncio.Event()
    server = await stranger(lambda _: never.wait())
    stream, _ = listen(server.url, open_seconds=0.05)

    async with asyncio.timeout(4):  # Less than it may take where nobody says how long.
        assert UUID(await stream.ready())


async def test_a_socket_that_comes_up_later_is_found(listen: Listen, embedded: Start) -> None:
    comfy = await embedded(faults=Faults(socket="refused"))
    stream, ear = listen(comfy.url)
    await stream.ready()

    comfy.faults = Faults()
    await comfy.until(lambda it: len(it.clients) == 1)
    await ear.until(lambda: bool(ear.events))

    assert await stream.ready() == comfy.clients[0]


async def test_a_silent_socket_is_open_and_says_nothing(listen: Listen, embedded: Start) -> None:
    comfy = await embedded(faults=Faults(socket="silent"))
    stream, ear = listen(comfy.url)

    assert await stream.ready() == comfy.clients[0]
    assert ear.events == []


async def test_the_socket_is_below_the_prefix_and_carries_the_headers(
    listen: Listen, embedded: Start, proxy: Callable[..., Awaitable[Stranger]]
) -> None:
    front = await proxy((await embedded()).url, prefix="/comfy")
    stream, ear = listen(f"{front.url}/comfy", headers=HEADERS)

    await stream.ready()
    await ear.until(lambda: QueueChanged(0) in ear.events)

    (headers,) = front.headers
    assert front.seen == [("GET", "/comfy/ws")]
    assert headers["X-API-Key"] == SECRET
    assert headers["Authorization"] == f"Bearer {SECRET}"
    assert "Origin" not in headers


async def test_no_redirect_takes_the_key_to_somebody_else(
    listen: Listen, stranger: StrangerAt
) -> None:
    async def fine(_: web.Request) -> web.Response:
        return web.Response()

    other = await stranger(fine)

    async def redirect(_: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": f"{other.url}/ws"})

    server = await stranger(redirect)
    stream, ear = listen(server.url, headers=HEADERS)
    await stream.ready()
    await ear.until(lambda: ear.drops >= 3)

    assert len(server.seen) >= 3
    assert other.seen == []


async def test_a_frame_of_50_mb_is_taken_in_and_what_follows_is_heard(listen: Listen) -> None:
    async def talk(socket: ServerConnection) -> None:
        await socket.send(bytes(50_000_000))
        await socket.send(json.dumps({"type": "x", "data": {"pad": "x" * 50_000_000}}))
        await socket.send(remaining(7))
        await socket.wait_closed()

    async with AsyncExitStack() as stack:
        url = await websocket(stack, talk)
        stream, ear = listen(url)
        await stream.ready()

        await ear.until(lambda: ear.events == [QueueChanged(7)], 60)
        await stream.close()


def remaining(number: int) -> str:
    return json.dumps(
        {"type": "status", "data": {"status": {"exec_info": {"queue_remaining": number}}}}
    )


def begun(prompt_id: str) -> str:
    return json.dumps({"type": "execution_start", "data": {"prompt_id": prompt_id}})


async def test_garbage_between_two_events_is_not_heard(listen: Listen) -> None:
    garbage = ["", "{", "[" * 100_000, "null", b"", b"\xff" * 99, '{"type":"progress_state"}']

    async def talk(socket: ServerConnection) -> None:
        await socket.send(begun("p"))
        for frame in garbage:
            await socket.send(frame)
        await socket.send(begun("q"))
        await socket.wait_closed()

    async with AsyncExitStack() as stack:
        stream, ear = listen(await websocket(stack, talk))
        await stream.ready()

        await ear.until(lambda: len(ear.events) == 2)
        await stream.close()

    assert ear.events == [Started("p"), Started("q")]
    assert ear.drops == 1


async def test_a_frame_that_is_no_text_ends_one_connection_and_not_the_stream(
    listen: Listen,
) -> None:
    turns = iter([b"\xff\xfe", remaining(3).encode()])

    async def talk(socket: ServerConnection) -> None:
        await socket.send(next(turns), text=True)
        await socket.wait_closed()

    async with AsyncExitStack() as stack:
        stream, ear = listen(await websocket(stack, talk))
        await stream.ready()

        await ear.until(lambda: ear.events == [QueueChanged(3)])
        await stream.close()


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\n\r\nhello", b"\x16\x03\x01" * 99])
async def test_who_speaks_no_websocket_is_tried_again_and_again(
    listen: Listen, answer: bytes
) -> None:
    tries = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal tries
        tries += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        stream, ear = listen(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        await stream.ready()
        await ear.until(lambda: ear.drops >= 2)
        await stream.close()

    assert tries >= 2


async def test_who_wants_credentials_for_the_socket_is_done_without(listen: Listen) -> None:
    async def talk(_: ServerConnection) -> None: ...

    def refuse(socket: ServerConnection, _: Request) -> Response:
        return socket.respond(HTTPStatus.UNAUTHORIZED, "no")

    async with AsyncExitStack() as stack:
        stream, ear = listen(await websocket(stack, talk, process_request=refuse))

        async with asyncio.timeout(20):
            assert UUID(await stream.ready())
        await ear.until(lambda: ear.drops >= 1)
        await stream.close()


async def test_a_closed_stream_has_no_socket_and_may_be_opened_again(
    listen: Listen, embedded: Start
) -> None:
    comfy = await embedded()
    stream, _ = listen(comfy.url)
    await stream.ready()
    await stream.close()
    await comfy.until(lambda it: it.clients == ())

    assert await stream.ready() == comfy.clients[0]
