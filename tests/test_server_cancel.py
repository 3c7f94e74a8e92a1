"""A client of the server's process that stops waiting, or goes away, over a real pipe."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from comfy_mcp.embedded import EmbeddedHost, Faults
from tests.tools.desk import EVERYTHING, card, graph, sent

pytestmark = pytest.mark.anyio

BUSY = Faults(node_ms=60_000)
"""The running node ends, and hears an interrupt, when the weather clears."""

ERAS = {"auto": "2026-07-28", "legacy": "2025-11-25"}


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[EmbeddedHost]:
    async with EmbeddedHost(folder=tmp_path / "comfyui") as running:
        yield running


class Pipe:
    """A client of a few lines: nothing in it can hide what the server is told and says."""

    def __init__(self, process: asyncio.subprocess.Process, era: str) -> None:
        self.process = process
        self._era = era

    async def hello(self) -> None:
        """What the era demands before the first call."""
        if self._era == "legacy":
            info = {"name": "pipe", "version": "1"}
            await self.tell(
                "initialize",
                {"protocolVersion": ERAS["legacy"], "capabilities": {}, "clientInfo": info},
                number=1,
            )
            await self.heard(1)
            await self.tell("notifications/initialized", {})

    async def call(self, number: int, tool: str, **arguments: Any) -> None:
        """Ask for a call, without waiting for its answer."""
        await self.tell("tools/call", {"name": tool, "arguments": arguments}, number=number)

    async def tell(self, method: str, params: dict[str, Any], number: int | None = None) -> None:
        """Send one message; a request if it has a *number*."""
        if self._era == "auto" and number is not None:
            prefix = "io.modelcontextprotocol/"
            meta = {f"{prefix}protocolVersion": ERAS["auto"], f"{prefix}clientCapabilities": {}}
            params = {**params, "_meta": meta}
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        if number is not None:
            message["id"] = number
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        await self.process.stdin.drain()

    async def heard(self, number: int) -> dict[str, Any]:
        """The answer to request *number*; an answer to another one is a fault."""
        while line := await self.process.stdout.readline():
            message = json.loads(line)
            if "id" in message:
                assert message["id"] == number, message
                return message["result"]
        raise AssertionError("the server has ended")


@asynccontextmanager
async def piped(host: EmbeddedHost, folder: Path, era: str) -> AsyncGenerator[Pipe]:
    """A server process over *host*, with its state in *folder*."""
    policy = folder / "policy.json"
    policy.write_text(json.dumps(EVERYTHING))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "comfy_mcp",
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "COMFY_MCP_STATE": str(folder / "state"),
            "COMFY_MCP_POLICY": str(policy),
            "COMFYUI_HOST": host.url,
        },
        cwd="/",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(40):
            pipe = Pipe(process, era)
            await pipe.hello()
            yield pipe
            process.stdin.close()
            await process.communicate()
            assert process.returncode == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def runs(host: EmbeddedHost) -> None:
    await host.until(lambda now: now.running is not None, seconds=20)


async def clears(host: EmbeddedHost, on_cancel: str) -> None:
    """Let the job go on; one that is to be cancelled once it was told to stop."""
    if on_cancel == "cancel":
        await host.until(lambda now: len(sent(now)) > 1, seconds=20)
    host.faults = Faults()


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(("on_cancel", "status"), [("cancel", "cancelled"), ("keep", "completed")])
async def test_a_cancelled_call_is_never_answered_and_its_job_fares_as_it_said(
    host: EmbeddedHost, tmp_path: Path, era: str, on_cancel: str, status: str
) -> None:
    host.faults = BUSY

    async with piped(host, tmp_path, era) as pipe:
        await pipe.call(2, "run_workflow", workflow=graph("medium"), on_cancel=on_cancel)
        await runs(host)
        await pipe.tell("notifications/cancelled", {"requestId": 2, "reason": "changed my mind"})
        # Answered after the notification was read: the job does not end before.
        await pipe.call(3, "get_job", prompt_id=host.running)
        await pipe.heard(3)
        await clears(host, on_cancel)
        await host.until(lambda now: bool(now.finished), seconds=20)
        await pipe.call(4, "get_job", prompt_id=host.finished[0], wait_seconds=20)
        answer = await pipe.heard(4)

    assert answer["structuredContent"]["status"] == status


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("on_cancel", ["keep", "cancel"])
async def test_a_client_that_goes_away_has_cancelled_the_calls_it_waited_for(
    host: EmbeddedHost, tmp_path: Path, era: str, on_cancel: str
) -> None:
    host.faults = BUSY

    async with asyncio.TaskGroup() as group:
        async with piped(host, tmp_path, era) as pipe:
            await pipe.call(2, "run_workflow", workflow=card(1), on_cancel=on_cancel)
            await runs(host)
            if on_cancel == "cancel":
                group.create_task(clears(host, on_cancel))
        host.faults = Faults()
    await host.until(lambda now: bool(now.finished), seconds=20)

    stopped = [request for request in sent(host) if request != "POST /prompt"]
    assert bool(stopped) is (on_cancel == "cancel")
