"""A websocket client that does not read holds up the messages of all others, and nothing else."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.contract.probe import fresh, new_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.contract.probe import Comfy

pytestmark = pytest.mark.anyio

LENGTH = 200
TIMES = 3


def chain() -> dict[str, Any]:
    """Many small nodes; told to everybody, a job of them is some eight megabytes of progress."""
    graph = fresh("small")
    saved = graph.pop("2")
    graph["1"]["inputs"] |= {"width": 8, "height": 8}
    for number in range(10, 10 + LENGTH):
        source = "1" if number == 10 else str(number - 1)
        graph[str(number)] = {"class_type": "ImageInvert", "inputs": {"image": [source, 0]}}
    saved["inputs"]["images"] = [str(9 + LENGTH), 0]
    return graph | {"2": saved}


@asynccontextmanager
async def deaf_client(comfyui: Comfy) -> AsyncIterator[asyncio.StreamWriter]:
    """A websocket that is opened and never read."""
    where = urlsplit(comfyui.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port, limit=1024)
    writer.write(
        f"GET /ws?clientId={new_id()} HTTP/1.1\r\nHost: {where.netloc}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    try:
        yield writer
    finally:
        writer.transport.abort()


async def finished(comfyui: Comfy, prompt_id: str) -> None:
    """Look until the job is in the history."""
    async with asyncio.timeout(60):
        while prompt_id not in (await comfyui.get(f"/history/{prompt_id}")).body:  # noqa: ASYNC110 - a host cannot be asked to tell
            await asyncio.sleep(0.05)


async def test_messages_wait_for_the_one_who_does_not_read_and_jobs_do_not(
    comfyui: Comfy,
) -> None:
    async with (
        deaf_client(comfyui) as deaf,
        comfyui.session.ws_connect(f"{comfyui.url}/ws?clientId=mine", autoping=False) as socket,
    ):
        for _ in range(TIMES):
            loud = await comfyui.submit(chain())
            await finished(comfyui, loud.body["prompt_id"])
        mine = (await comfyui.submit(fresh("small"), client_id="mine")).body["prompt_id"]
        await finished(comfyui, mine)

        await socket.ping()
        before = await told(socket, aiohttp.WSMsgType.PONG)
        deaf.transport.abort()
        after = await told(socket, aiohttp.WSMsgType.TEXT, '"execution_success"')

    assert not any("execution_start" in each and mine in each for each in before)
    assert any("execution_start" in each and mine in each for each in after)


async def told(
    socket: aiohttp.ClientWebSocketResponse, kind: aiohttp.WSMsgType, words: str = ""
) -> list[str]:
    """The frames up to the first of that kind with those words."""
    found: list[str] = []
    async with asyncio.timeout(60):
        while True:
            frame = await socket.receive()
            assert frame.type in {aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.PONG}, frame
            found.append(str(frame.data))
            if frame.type is kind and words in found[-1]:
                return found
