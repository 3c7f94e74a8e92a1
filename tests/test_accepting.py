"""A server that ends forgets nobody: who has just come in is hung up on, at every turn."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from comfy_mcp.console.app import started
from comfy_mcp.embedded import EmbeddedHost
from comfy_mcp.settings import Address, Settings

pytestmark = pytest.mark.anyio

AT_EVERY_TURN = pytest.mark.parametrize("turns", range(6))


async def met(port: int, turns: int) -> socket.socket:
    """A caller that has connected, and *turns* of the event loop later."""
    caller = socket.create_connection(("127.0.0.1", port))
    caller.setblocking(False)
    for _ in range(turns):
        await asyncio.sleep(0)
    return caller


async def hung_up(caller: socket.socket) -> bool:
    """Whether the other end is gone; it has long enough to say something."""
    with caller:
        try:
            async with asyncio.timeout(10):
                return await asyncio.get_running_loop().sock_recv(caller, 1) == b""
        except ConnectionResetError:
            return True


@asynccontextmanager
async def console(folder: Path) -> AsyncGenerator[int]:
    settings = Settings(Address("http://127.0.0.1:9"), policies=(), state=folder / "state")
    async with started(settings, lambda _: None, port=0) as opened:
        yield opened.place.port


@AT_EVERY_TURN
async def test_who_comes_as_an_embedded_host_stops_is_hung_up_on(turns: int) -> None:
    async with EmbeddedHost() as host:
        caller = await met(urlsplit(host.url).port or 0, turns)

    assert await hung_up(caller)


@AT_EVERY_TURN
async def test_who_comes_as_an_embedded_host_is_killed_is_hung_up_on(turns: int) -> None:
    async with EmbeddedHost() as host:
        caller = await met(urlsplit(host.url).port or 0, turns)
        async with host.away():
            assert await hung_up(caller)


@AT_EVERY_TURN
async def test_who_comes_as_the_console_ends_is_hung_up_on(turns: int, tmp_path: Path) -> None:
    async with console(tmp_path) as port:
        caller = await met(port, turns)

    assert await hung_up(caller)
