"""Websockets in bad weather: stalled, noisy, taken over, and held up by one that does not read."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
import pytest

from comfy_mcp.embedded import EmbeddedHost, Faults
from comfy_mcp.embedded.faults import SOCKETS
from comfy_mcp.embedded.noise import FLOOD, GARBAGE
from tests.contract.probe import Comfy, fresh, new_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = pytest.mark.anyio


async def test_a_stalled_socket_answers_no_ping(host: EmbeddedHost, client: Comfy) -> None:
    host.faults = Faults(socket="stalled")
    url = f"{client.url}/ws?clientId=me"

    with pytest.raises(aiohttp.ServerTimeoutError):  # noqa: PT012 - connecting is not what fails
        async with client.session.ws_connect(url, heartbeat=0.2) as socket:
            message = await socket.receive()
            assert message.type is aiohttp.WSMsgType.ERROR
            raise message.data


async def test_a_socket_that_is_not_stalled_answers_pings(
    host: EmbeddedHost, client: Comfy
) -> None:
    host.faults = Faults(socket="silent")
    url = f"{client.url}/ws?clientId=me"

    async with client.session.ws_connect(url, autoping=False) as socket:
        await socket.ping(b"there?")
        message = await socket.receive()

    assert (message.type, message.data) == (aiohttp.WSMsgType.PONG, b"there?")


async def test_a_stalled_socket_is_gone_when_its_client_is(
    host: EmbeddedHost, client: Comfy
) -> None:
    host.faults = Faults(socket="stalled")
    socket = await client.session.ws_connect(f"{client.url}/ws?clientId=me")
    await host.until(lambda it: it.clients == ("me",))

    closing = asyncio.ensure_future(socket.close())
    host.faults = Faults()
    await closing

    await host.until(lambda it: it.clients == ())


async def frames(client: Comfy, prompt_id: str) -> list[aiohttp.WSMessage]:
    """What a client is sent until its job is over."""
    async with client.session.ws_connect(f"{client.url}/ws?clientId=me", max_msg_size=0) as socket:
        await client.submit(fresh("small"), client_id="me", prompt_id=prompt_id)
        return await _until(socket, _is_last)


def _is_last(frame: aiohttp.WSMessage) -> bool:
    return frame.type is aiohttp.WSMsgType.TEXT and '"node": null, "prompt_id": "' in frame.data


async def test_garbage_comes_between_the_frames_of_sense(host: EmbeddedHost, client: Comfy) -> None:
    host.faults = Faults(socket="garbage")
    found = await frames(client, new_id())

    told = [frame.data for frame in found]
    assert told[: len(GARBAGE)] == list(GARBAGE)
    assert '"status"' in told[len(GARBAGE)]
    assert len(told) % (len(GARBAGE) + 1) == 0
    assert {frame.type for frame in found} == {aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY}


async def test_a_flood_is_thousands_of_frames(host: EmbeddedHost, client: Comfy) -> None:
    host.faults = Faults(socket="flood")
    found = await frames(client, new_id())

    assert len(found) > 10 * FLOOD


@pytest.mark.parametrize("fixed", [False, True])
async def test_a_second_socket_of_a_client_lives_on_only_if_that_is_fixed(
    host: EmbeddedHost, client: Comfy, fixed: bool
) -> None:
    host.faults = Faults(takeover_fixed=fixed)
    async with client.listen("me") as first:
        await first.until_type("status")
        async with client.listen("me") as second:
            await second.until_type("status")
            await first.socket.close()
            await host.until(lambda it: it.clients == (("me",) if fixed else ()))
            prompt_id = new_id()
            await client.submit(fresh("small"), client_id="me", prompt_id=prompt_id)
            await host.until(lambda it: prompt_id in it.finished)
            if fixed:
                await second.until_end(prompt_id)

    assert len(second.messages) > 1 if fixed else len(second.messages) == 1


@asynccontextmanager
async def deaf_client(host: EmbeddedHost) -> AsyncIterator[asyncio.StreamWriter]:
    """A websocket that is opened and never read."""
    reader, writer = await asyncio.open_connection("127.0.0.1", host.port, limit=1024)
    if host.faults.socket == "refused":
        yield writer
        return
    writer.write(
        b"GET /ws?clientId=deaf HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    await reader.readuntil(b"\r\n\r\n")
    try:
        yield writer
    finally:
        writer.transport.abort()


@pytest.mark.parametrize("blocked", [True, False])
async def test_a_client_that_does_not_read_holds_up_everybody_unless_that_is_fixed(
    host: EmbeddedHost, client: Comfy, blocked: bool
) -> None:
    host.faults = Faults(socket="flood", blocked_publisher=blocked)
    prompt_id = new_id()
    async with deaf_client(host) as deaf:
        await host.until(lambda it: it.clients == ("deaf",))
        for _ in range(30):
            await client.submit(fresh("small"), client_id="deaf")
        await host.until(lambda it: len(it.finished) == 30, 30)
        host.faults = Faults(blocked_publisher=blocked)
        url = f"{client.url}/ws?clientId=me"
        async with client.session.ws_connect(url, autoping=False) as socket:
            await client.submit(fresh("small"), client_id="me", prompt_id=prompt_id)
            await host.until(lambda it: prompt_id in it.finished)
            await socket.ping()
            told = await _until(socket, lambda frame: frame.type is aiohttp.WSMsgType.PONG)
            if blocked:
                assert not any("execution_" in frame.data for frame in told[:-1])
                deaf.transport.abort()
            if not any(_is_last(frame) for frame in told):
                await _until(socket, _is_last)


async def _until(
    socket: aiohttp.ClientWebSocketResponse, wanted: Callable[[aiohttp.WSMessage], bool]
) -> list[aiohttp.WSMessage]:
    """The frames up to the first that is wanted."""
    found: list[aiohttp.WSMessage] = []
    async with asyncio.timeout(30):
        while not (found and wanted(found[-1])):
            found.append(await socket.receive())
            assert found[-1].type not in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}
    return found


async def test_a_job_runs_on_while_a_reader_is_stuck(host: EmbeddedHost, client: Comfy) -> None:
    host.faults = Faults(socket="flood")
    async with deaf_client(host):
        ids = [(await client.submit(fresh("small"), client_id="deaf")).body for _ in range(20)]
        await host.until(lambda it: len(it.finished) == len(ids), 30)
        assert (await client.get("/queue")).body == {"queue_running": [], "queue_pending": []}


@pytest.mark.parametrize("weather", SOCKETS)
async def test_stopping_is_bounded_in_any_weather(client: Comfy, weather: str) -> None:
    host = EmbeddedHost(faults=Faults(socket=weather, node_ms=5))
    await host.start()
    there = Comfy(host.url, client.session, host.profile.version)
    async with deaf_client(host) as deaf:
        for _ in range(20):
            await there.submit(fresh("small"), client_id="deaf")
        await host.until(lambda it: len(it.finished) == 20, 30)
        started = time.monotonic()
        await host.stop()
        deaf.transport.abort()

    assert time.monotonic() - started < 10
