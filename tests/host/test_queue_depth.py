"""How long the queue is: one cheap question, and no guess where its answer cannot be read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from comfy_mcp.errors import HostError
from comfy_mcp.host.client import ComfyHost

if TYPE_CHECKING:
    from conftest import Stranger

pytestmark = pytest.mark.anyio

StrangerAt = Callable[[Any], Awaitable["Stranger"]]
Client = Callable[..., ComfyHost]


async def test_the_depth_of_the_queue_covers_what_runs_and_what_waits(
    client: Client, stranger: StrangerAt
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"exec_info": {"queue_remaining": 3}})

    server = await stranger(answer)

    assert await client(server.url).queue_depth() == 3
    assert server.seen == [("GET", "/api/prompt")]


@pytest.mark.parametrize(
    "body", ["<html>", "{}", '{"exec_info": {}}', '{"exec_info": {"queue_remaining": "many"}}']
)
async def test_a_depth_that_cannot_be_read_is_an_error(
    body: str, client: Client, stranger: StrangerAt
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=body)

    host = client((await stranger(answer)).url)

    with pytest.raises(HostError):
        await host.queue_depth()
