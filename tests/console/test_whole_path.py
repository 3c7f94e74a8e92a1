"""The whole path: an agent asks, its operator decides on the page, the agent goes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from comfy_mcp.console.app import started
from comfy_mcp.embedded import EmbeddedHost
from comfy_mcp.server import build
from comfy_mcp.settings import Address, Settings
from tests.console.caller import Caller, Terminal, signed_in
from tests.tools.desk import EVERYTHING, card, sent

pytestmark = pytest.mark.anyio


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[EmbeddedHost]:
    """A ComfyUI."""
    async with EmbeddedHost(folder=tmp_path / "comfyui") as running:
        yield running


@pytest.fixture
def settings(host: EmbeddedHost, tmp_path: Path) -> Settings:
    """A policy that wants a person for every run."""
    file = tmp_path / "policy.json"
    tools = {**EVERYTHING["tools"], "run_workflow": {"require_approval": True}}
    file.write_text(json.dumps({**EVERYTHING, "tools": tools}))
    return Settings(Address(host.url), (file,), tmp_path / "state")


@pytest.fixture
async def agent(settings: Settings) -> AsyncIterator[Client]:
    """An agent at a server of its own."""
    server, _ = build(settings)
    async with Client(server) as client:
        yield client


@pytest.fixture
async def operator(settings: Settings, terminal: Terminal) -> AsyncIterator[Caller]:
    """Somebody who looks on."""
    async with started(settings, terminal, port=0) as running:
        yield await signed_in(running, terminal)


def waiting(told: dict[str, Any]) -> list[dict[str, Any]]:
    """The requests that nobody has decided."""
    return [one for one in told["approvals"] if one["status"] == "pending"]


async def test_a_call_that_waits_goes_on_when_somebody_says_yes_on_the_page(
    host: EmbeddedHost, agent: Client, operator: Caller
) -> None:
    async with operator.events() as stream:
        arguments = {"workflow": card(1), "wait_seconds": 20}
        call = asyncio.create_task(agent.call_tool("run_workflow", arguments))
        told = await stream.until("the request", waiting)
        request = waiting(told)[0]
        assert request["facts"]["graph"]["classes"] == {"EmptyImage": 1, "SaveImage": 1}
        assert sent(host) == []

        said = await operator.post(f"/api/approvals/{request['approval_id']}/approve")
        result = await call
        told = await stream.until(
            "its end", lambda told: told["jobs"] and told["jobs"][0]["outputs"]
        )

    assert said.status == 200
    assert not result.is_error, result.content
    assert told["jobs"][0]["status"] == "completed"
    assert told["approvals"][0]["status"] == "spent"
    assert told["approvals"][0]["prompt_id"] == told["jobs"][0]["prompt_id"]
    assert sent(host) == ["POST /prompt"]


async def test_a_call_that_waits_is_refused_when_somebody_says_no_on_the_page(
    host: EmbeddedHost, agent: Client, operator: Caller
) -> None:
    async with operator.events() as stream:
        arguments = {"workflow": card(1), "wait_seconds": 20}
        call = asyncio.create_task(agent.call_tool("run_workflow", arguments))
        request = waiting(await stream.until("the request", waiting))[0]

        await operator.post(f"/api/approvals/{request['approval_id']}/deny", {"reason": "No."})
        result = await call

    assert result.is_error
    assert sent(host) == []


async def test_a_call_with_what_the_person_changed_is_what_runs(
    host: EmbeddedHost, agent: Client, operator: Caller
) -> None:
    async with operator.events() as stream:
        arguments = {"workflow": card(1), "wait_seconds": 20}
        call = asyncio.create_task(agent.call_tool("run_workflow", arguments))
        request = waiting(await stream.until("the request", waiting))[0]

        path = f"/api/approvals/{request['approval_id']}/approve"
        said = await operator.post(path, {"changes": {"1.color": 255}})
        result = await call

    assert said.status == 200, said.values
    assert not result.is_error, result.content
    posted = next(seen.body for seen in host.seen if seen.path == "/prompt" and seen.body)
    assert posted["prompt"]["1"]["inputs"]["color"] == 255


async def test_a_freeze_on_the_page_stops_the_agent_s_next_call(
    agent: Client, operator: Caller
) -> None:
    await agent.call_tool("get_policy_status", {})
    await agent.call_tool("list_jobs", {})

    said = await operator.post("/api/freeze", {"grant": "*", "reason": "Stop."})
    result = await agent.call_tool("list_jobs", {})

    assert said.status == 200, said.values
    assert result.is_error
    assert "Stop." in result.content[0].text
