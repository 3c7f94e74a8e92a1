"""The websocket in bad weather: floods, silence, breaks; polling takes over at once."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from http import HTTPStatus
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from comfy_mcp.embedded import EmbeddedHost, Faults
from comfy_mcp.host import Event, NodesState, Started
from comfy_mcp.host.stream import EventStream
from comfy_mcp.settings import Address

pytestmark = pytest.mark.anyio

SECRET = "s3cr3t-k3y"
Start = Callable[..., Awaitable[EmbeddedHost]]


class Ear:
    """Keeps what is heard and counts what is told of the connection."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.drops = self.breaks = 0
        self._news = asyncio.Event()

    def hear(self, event: Event) -> None:
        """Keep an event."""
        self.events.append(event)
        self._news.set()

    def drop(self) -> None:
        """A connection is gone, or was not to be had."""
        self.drops += 1
        self._news.set()

    def broke(self) -> None:
        """One that was open is gone."""
        self.breaks += 1
        self._news.set()

    async def until(self, condition: Callable[[], bool], seconds: float = 20) -> None:
        """Wait until *condition* holds."""
        async with asyncio.timeout(seconds):
            while not condition():
                self._news.clear()
                await self._news.wait()


Listen = Callable[..., tuple[EventStream, Ear]]


@pytest.fixture
async def listen() -> AsyncIterator[Listen]:
    """Makes streams, and ears that hear them."""
    async with AsyncExitStack() as stack:

        def make(url: str, headers: dict[str, str] | None = None, **more: Any) -> Any:
            ear = Ear()
            options = {"pause": (0.01, 0.02), "chance": lambda: 0.0, **more}
            stream = EventStream(
                Address(url, headers or {}),
                ear.hear,
                dropped=ear.drop,
                broke=ear.broke,
                **options,
            )
            stack.push_async_callback(stream.close)
            return stream, ear

        yield make


async def listening(
    stack: AsyncExitStack, talk: Callable[[ServerConnection], Awaitable[None]], **options: Any
) -> str:
    quiet = logging.getLogger("quiet")
    quiet.disabled = True
    server = await stack.enter_async_context(
        serve(talk, "127.0.0.1", 0, close_timeout=0.1, logger=quiet, **options)
    )
    return f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


def state(done: int) -> str:
    nodes = {
        str(node): {"state": "finished" if node < done else "running", "value": 1, "max": 1}
        for node in range(300)
    }
    return json.dumps({"type": "progress_state", "data": {"prompt_id": "p", "nodes": nodes}})


async def test_of_a_flood_of_states_the_last_one_counts_and_nothing_else_is_lost(
    listen: Listen,
) -> None:
    async def talk(socket: ServerConnection) -> None:
        for done in range(300):
            await socket.send(state(done))
        await socket.send(json.dumps({"type": "execution_start", "data": {"prompt_id": "q"}}))
        await socket.wait_closed()

    async with AsyncExitStack() as stack:
        stream, ear = listen(await listening(stack, talk))
        await stream.ready()
        await ear.until(lambda: Started("q") in ear.events)
        await stream.close()

    states = [event for event in ear.events if isinstance(event, NodesState)]
    assert states[-1].done == 299
    assert ear.events[-1] == Started("q")


@pytest.mark.parametrize("socket", ["garbage", "flood"])
async def test_what_means_nothing_does_not_end_the_connection(
    listen: Listen, embedded: Start, socket: str
) -> None:
    comfy = await embedded(faults=Faults(socket=socket))
    stream, ear = listen(comfy.url)
    await stream.ready()

    await ear.until(lambda: bool(ear.events))

    assert ear.breaks == 0


async def test_a_socket_that_answers_no_ping_is_given_up(listen: Listen, embedded: Start) -> None:
    comfy = await embedded(faults=Faults(socket="stalled"))
    stream, ear = listen(comfy.url, ping_seconds=0.05)
    await stream.ready()

    await ear.until(lambda: ear.drops >= 1)

    assert ear.breaks >= 1


async def test_a_try_that_failed_is_told_but_is_no_break(listen: Listen, embedded: Start) -> None:
    comfy = await embedded(faults=Faults(socket="refused"))
    stream, ear = listen(comfy.url)
    await stream.ready()

    await ear.until(lambda: ear.drops >= 3)

    assert ear.breaks == 0


async def test_a_connection_that_breaks_is_told_before_the_next_one_opens(
    listen: Listen, embedded: Start
) -> None:
    comfy = await embedded()
    stream, ear = listen(comfy.url)
    first = await stream.ready()

    await comfy.restart()
    await ear.until(lambda: ear.breaks == 1)
    await comfy.until(lambda it: bool(set(it.clients) - {first}))

    assert ear.drops >= 1


async def test_our_own_close_is_no_break(listen: Listen, embedded: Start) -> None:
    stream, ear = listen((await embedded()).url)
    await stream.ready()

    await stream.close()

    assert ear.breaks == 0


async def test_pauses_grow_and_differ_by_chance(listen: Listen) -> None:
    pauses: list[float] = []

    async def noted(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.sleep(0)

    stream, ear = listen("http://127.0.0.1:9", pause=(1.0, 4.0), chance=lambda: 0.4, sleep=noted)
    await stream.ready()
    await ear.until(lambda: ear.drops >= 5)

    assert pauses[:4] == pytest.approx([1.1, 2.2, 4.4, 4.4])


async def test_who_wants_the_key_in_the_address_gets_it_there_after_saying_so(
    listen: Listen, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    asked: list[str] = []

    def check(socket: ServerConnection, request: Request) -> Response | None:
        asked.append(request.path)
        if "token=" in request.path:
            return None
        return socket.respond(HTTPStatus.UNAUTHORIZED, '{"code": "x", "message": "no"}')

    opened = asyncio.Event()

    async def talk(socket: ServerConnection) -> None:
        opened.set()
        await socket.wait_closed()

    async with AsyncExitStack() as stack, asyncio.timeout(20):
        url = await listening(stack, talk, process_request=check)
        stream, _ = listen(url, {"X-API-Key": SECRET})
        await stream.ready()
        await opened.wait()
        await stream.close()

    assert [f"token={SECRET}" in each for each in asked] == [False, True]
    assert SECRET not in caplog.text


async def test_who_only_says_no_does_not_get_the_key_in_the_address(listen: Listen) -> None:
    asked: list[str] = []

    def check(socket: ServerConnection, request: Request) -> Response:
        asked.append(request.path)
        return socket.respond(HTTPStatus.UNAUTHORIZED, "no")

    async def talk(_: ServerConnection) -> None: ...

    async with AsyncExitStack() as stack:
        url = await listening(stack, talk, process_request=check)
        stream, ear = listen(url, {"X-API-Key": SECRET})
        await stream.ready()
        await ear.until(lambda: ear.drops >= 3)
        await stream.close()

    assert len(asked) >= 3
    assert not [each for each in asked if SECRET in each]
