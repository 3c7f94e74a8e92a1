"""ComfyUI's websocket.

Events only make answers quicker: every job is followed to its end without them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from comfy_mcp.embedded import Faults
from tests.faults.promise import promised
from tests.faults.stage import BOUND, Stage, by_hand
from tests.faults.witness import WitnessedHost
from tests.tools.desk import card, graph, sent

pytestmark = pytest.mark.anyio


async def two_jobs(stage: Stage, host: WitnessedHost, socket: str) -> list[str]:
    """Statuses of two jobs that one client runs in such weather."""
    host.faults = Faults(socket=socket)

    async with stage.sit(host) as desk:
        jobs = [await desk.ask("run_workflow", workflow=card(color)) for color in (1, 2)]

    assert sent(host) == ["POST /prompt"] * 2
    return [job["status"] for job in jobs]


@promised(
    fault="The websocket cannot be opened",
    told="nothing of it: `completed`; get_server_status says that events come by `polling`",
    job="followed by looking",
)
async def test_a_socket_that_cannot_be_opened(stage: Stage, host: WitnessedHost) -> None:
    host.faults = Faults(socket="refused")

    async with stage.sit(host) as desk:
        job = await desk.ask("run_workflow", workflow=card(1))
        status = await desk.ask("get_server_status")

    assert job["status"] == "completed"
    assert status["events"] == "polling"


@promised(
    fault="It is open and says nothing",
    told="nothing of it: `completed`",
    job="followed by looking",
)
async def test_a_silent_socket(stage: Stage, host: WitnessedHost) -> None:
    assert await two_jobs(stage, host, "silent") == ["completed", "completed"]


@promised(
    fault="It stalls: nothing comes, pings are not answered",
    told="nothing of it: `completed`",
    job="followed by looking",
)
async def test_a_stalled_socket(stage: Stage, host: WitnessedHost) -> None:
    assert await two_jobs(stage, host, "stalled") == ["completed", "completed"]


@promised(
    fault="It drops in the middle of every job",
    told="nothing of it: `completed`",
    job="looked up at once, then followed by looking until the socket is back",
)
async def test_a_socket_that_drops(stage: Stage, host: WitnessedHost) -> None:
    assert await two_jobs(stage, host, "dropped") == ["completed", "completed"]


@promised(
    fault="It sends garbage between the events",
    told="nothing of it: `completed`",
    job="garbage is left out",
)
async def test_a_socket_that_sends_garbage(stage: Stage, host: WitnessedHost) -> None:
    assert await two_jobs(stage, host, "garbage") == ["completed", "completed"]


@promised(
    fault="It floods us with thousands of messages",
    told="nothing of it: `completed`",
    job="followed; what is too much is left out",
)
async def test_a_socket_that_floods(stage: Stage, host: WitnessedHost) -> None:
    assert await two_jobs(stage, host, "flood") == ["completed", "completed"]


@promised(
    fault="Somebody takes over our client id, and leaves: our socket stays open and silent",
    told="nothing of it: `completed`",
    job="followed by looking",
)
async def test_a_client_id_that_was_taken_over(stage: Stage, host: WitnessedHost) -> None:
    async with stage.sit(host) as desk:
        await desk.ask("run_workflow", workflow=card(1))
        await host.until(lambda now: now.clients != ())
        (ours,) = host.clients
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{host.url}/ws?clientId={ours}"),
        ):
            await host.until(lambda now: now.clients.count(ours) == 1)
        await host.until(lambda now: ours not in now.clients)
        job = await desk.ask("run_workflow", workflow=card(2))

    assert job["status"] == "completed"


@promised(
    fault="Another client of ComfyUI does not read: nobody gets events any more",
    told="nothing of it: `completed`",
    job="followed by looking",
)
async def test_another_reader_that_stalls(stage: Stage, host: WitnessedHost) -> None:
    async with deaf_client(host), stage.sit(host) as desk:
        await desk.ask("run_workflow", workflow=card(1))
        for _ in range(2):
            loud = (await by_hand(host, {"prompt": chatter()}))["prompt_id"]
            await host.until(lambda now, loud=loud: loud in now.finished, BOUND)
        job = await desk.ask("run_workflow", workflow=card(2))
        slow = await desk.ask("run_workflow", workflow=graph("slow"), wait_seconds=0)
        report = await desk.ask("cancel_job", prompt_id=slow["prompt_id"])
        unsent = host.unsent

    assert unsent > 0, "the publisher was not held up"
    assert job["status"] == "completed"
    assert report["outcome"] == "cancelled"


def chatter() -> dict[str, Any]:
    """Many small nodes: megabytes of progress, told to everybody if nobody's."""
    nodes = card(77)
    nodes["1"]["inputs"] |= {"width": 8, "height": 8}
    for number in range(10, 210):
        source = "1" if number == 10 else str(number - 1)
        nodes[str(number)] = {"class_type": "ImageInvert", "inputs": {"image": [source, 0]}}
    nodes["2"]["inputs"]["images"] = ["209", 0]
    return nodes


@asynccontextmanager
async def deaf_client(host: WitnessedHost) -> AsyncGenerator[None]:
    """A websocket that is opened and never read."""
    place = urlsplit(host.url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port, limit=1024)
    writer.write(
        f"GET /ws?clientId=deaf HTTP/1.1\r\nHost: {place.netloc}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    try:
        yield
    finally:
        writer.transport.abort()
