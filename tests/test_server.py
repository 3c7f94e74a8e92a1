"""The server as a process: what a client starts, speaks to over stdio, and kills."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from comfy_mcp.embedded import EmbeddedHost
from comfy_mcp.store.sqlite import SqliteStore
from tests.tools.desk import EVERYTHING, card, graph

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
