"""The server as a process: what a client starts, speaks to over stdio, and kills."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.types import ToolListChangedNotification

from comfy_mcp.embedded import EmbeddedHost, Faults
from comfy_mcp.store.sqlite import SqliteStore
from tests.tools.desk import EVERYTHING, card, graph, sent

pytestmark = pytest.mark.anyio


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[EmbeddedHost]:
    async with EmbeddedHost(folder=tmp_path / "comfyui") as running:
        yield running


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Little more than what MCP clients pass on."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "COMFY_MCP_STATE": str(tmp_path / "state"),
        "COMFY_MCP_POLICY": str(write(tmp_path, EVERYTHING)),
    }


def write(folder: Path, policy: dict[str, Any]) -> Path:
    file = folder / "policy.json"
    file.write_text(json.dumps(policy))
    return file


def started(environ: dict[str, str], url: str, *options: str) -> StdioServerParameters:
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "comfy_mcp", "serve", *options],
        env={**environ, "COMFYUI_HOST": url},
        cwd="/",
    )


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("protocol", ["auto", "legacy"])
async def test_a_job_runs_over_stdio_in_every_mix_of_protocols(
    host: EmbeddedHost, environ: dict[str, str], mode: str, protocol: str
) -> None:
    parameters = started(environ, host.url, "--protocol", protocol)

    async with asyncio.timeout(30), Client(parameters, mode=mode) as client:
        result = await client.call_tool("run_workflow", {"workflow": card(1)})

    assert result.structured_content["status"] == "completed"


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("small", "completed"),
        ("batch", "completed"),
        ("medium", "completed"),
        ("fails_at_execution", "failed"),
    ],
)
async def test_a_workflow_ends_over_stdio_as_it_should(
    host: EmbeddedHost, environ: dict[str, str], name: str, status: str
) -> None:
    async with asyncio.timeout(30), Client(started(environ, host.url)) as client:
        result = await client.call_tool("run_workflow", {"workflow": graph(name)})

    assert result.structured_content["status"] == status


async def test_the_embedded_host_needs_nothing_but_its_name(environ: dict[str, str]) -> None:
    async with asyncio.timeout(30), Client(started(environ, "embedded")) as client:
        result = await client.call_tool("run_workflow", {"workflow": "color_card"})

    assert result.structured_content["status"] == "completed"


async def test_four_processes_with_one_state_let_exactly_twenty_through(
    host: EmbeddedHost, environ: dict[str, str], tmp_path: Path
) -> None:
    limit = {"counter": "runs", "window": "hour", "max": 20, "scope": "global"}
    tools = {**EVERYTHING["tools"], "run_workflow": {"limits": [limit]}}
    write(tmp_path, {**EVERYTHING, "tools": tools})
    seen: Counter[str] = Counter()

    async def one(number: int) -> None:
        grant = {**environ, "COMFY_MCP_GRANT": f"agent-{number}"}
        async with Client(started(grant, host.url)) as client:
            for turn in range(8):
                arguments = {"workflow": card(number * 100 + turn), "wait_seconds": 0}
                result = await client.call_tool("run_workflow", arguments)
                refused = json.loads(result.content[1].text)["code"] if result.is_error else "ran"
                seen[refused] += 1

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(one(number))

    assert seen == {"ran": 20, "rate_limited": 12}
    assert sum(request.path == "/prompt" for request in host.seen) == 20
    store = SqliteStore(tmp_path / "state")
    _, fault = await store.verify()
    await store.close()
    assert fault is None


async def test_a_job_goes_on_when_its_server_is_killed_and_the_next_one_knows_it(
    host: EmbeddedHost, environ: dict[str, str]
) -> None:
    async with asyncio.timeout(30), Client(started(environ, host.url)) as client:
        arguments = {"workflow": graph("medium"), "wait_seconds": 0}
        job = (await client.call_tool("run_workflow", arguments)).structured_content

    async with asyncio.timeout(30), Client(started(environ, host.url)) as client:
        arguments = {"prompt_id": job["prompt_id"], "wait_seconds": 20}
        after = (await client.call_tool("get_job", arguments)).structured_content

    assert after["status"] == "completed"
    assert len(after["outputs"]) == 3


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_an_edit_of_the_policy_is_told_over_stdio(
    host: EmbeddedHost, environ: dict[str, str], tmp_path: Path, mode: str
) -> None:
    heard = asyncio.Event()

    async def hear(message: Any) -> None:
        if isinstance(message, ToolListChangedNotification):
            heard.set()

    parameters = started(environ, host.url)
    async with (
        asyncio.timeout(30),
        Client(parameters, mode=mode, message_handler=hear) as client,
        AsyncExitStack() as stack,
    ):
        before = [tool.name for tool in (await client.list_tools()).tools]
        assert client.server_capabilities.tools is not None
        assert client.server_capabilities.tools.list_changed is True
        news = None
        if mode == "auto":
            news = await stack.enter_async_context(client.listen(tools_list_changed=True))
        tools = {name: rule for name, rule in EVERYTHING["tools"].items() if name != "cancel_job"}

        write(tmp_path, {**EVERYTHING, "tools": tools})
        await (anext(aiter(news)) if news else heard.wait())
        after = [tool.name for tool in (await client.list_tools()).tools]

    assert set(before) - set(after) == {"cancel_job"}


async def test_what_became_of_edits_is_said_on_stderr(
    environ: dict[str, str], tmp_path: Path
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "comfy_mcp",
        env=environ,
        cwd="/",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )

    async def said(words: str) -> str:
        while words not in (line := (await process.stderr.readline()).decode()):
            assert line
        return line

    async with asyncio.timeout(30):
        await said("policy in force")
        write(tmp_path, {**EVERYTHING, "tols": {}})
        assert "last good policy" in await said("cannot be used")
        await said("/tols")
        write(tmp_path, {"version": "1", "default": "deny", "tools": {"run_workflow": {}}})
        await said("can be used again")
        await said("policy read again")
        await said("get_job")
        process.stdin.close()
        await process.communicate()


async def test_jobs_of_a_server_that_is_gone_are_taken_over_by_the_next(
    host: EmbeddedHost, environ: dict[str, str], tmp_path: Path
) -> None:
    write(tmp_path, {**EVERYTHING, "gpu": {"max_seconds_per_job": 1}})
    host.faults = Faults(node_ms=60_000)
    async with asyncio.timeout(30), Client(started(environ, host.url)) as client:
        arguments = {"workflow": card(1), "wait_seconds": 0}
        job = (await client.call_tool("run_workflow", arguments)).structured_content

    async with asyncio.timeout(30), Client(started(environ, host.url)):
        # It has run too long by now: the next one stops it, as the first one would have, uncalled.
        await host.until(lambda _: sent(host)[-1] != "POST /prompt", seconds=20)

    store = SqliteStore(tmp_path / "state")
    records = [row.record for row in await store.tail(100)]
    await store.close()
    orders = [record for record in records if record.get("transport") == "watchdog"]
    assert [order["prompt_id"] for order in orders] == [job["prompt_id"]]


async def test_a_faulty_policy_stops_the_start_with_every_fault(
    environ: dict[str, str], tmp_path: Path
) -> None:
    write(tmp_path, {"version": "1", "tols": {}, "tools": {"run_workflow": {"rate_limt": "1/day"}}})
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "comfy_mcp",
        env=environ,
        cwd="/",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        out, err = await process.communicate()

    assert process.returncode == 2
    assert out == b""
    assert b"/tols" in err
    assert b"rate_limit" in err


def test_nothing_heavy_is_imported_before_a_tool_needs_it() -> None:
    heavy = ("aiohttp", "PIL", "websockets", "tenacity", "av", "rich")
    code = f"import sys, comfy_mcp.server; print([m for m in {heavy!r} if m in sys.modules])"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - our own interpreter

    assert done.stdout.strip() == "[]"
