"""Jobs of all agents on the page, beside real servers and a ComfyUI; nothing is ever touched."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from comfy_mcp.cli.demo import CHECKPOINT
from comfy_mcp.console.app import started
from comfy_mcp.embedded import EmbeddedHost, Faults
from comfy_mcp.server import build
from comfy_mcp.settings import Address, Settings
from comfy_mcp.store.protocol import Admission, NewJob
from comfy_mcp.store.sqlite import SqliteStore
from tests.cli.states import decision
from tests.console.caller import Caller, Terminal, signed_in
from tests.oversight.asked import NOW
from tests.tools.desk import EVERYTHING, card, graph, sent

pytestmark = pytest.mark.anyio

Agent = Callable[[str], AbstractAsyncContextManager[Client]]


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[EmbeddedHost]:
    """A ComfyUI."""
    async with EmbeddedHost(folder=tmp_path / "comfyui") as running:
        yield running


@pytest.fixture
def settings(host: EmbeddedHost, tmp_path: Path) -> Settings:
    """A policy that allows everything, and two jobs at a time."""
    file = tmp_path / "policy.json"
    limit = {"counter": "runs", "window": "hour", "max": 20}
    run = {"limits": [limit], "gpu": {"max_in_flight": 5}}
    file.write_text(
        json.dumps({**EVERYTHING, "tools": {**EVERYTHING["tools"], "run_workflow": run}})
    )
    return Settings(Address(host.url), (file,), tmp_path / "state")


@pytest.fixture
async def console(settings: Settings, terminal: Terminal) -> AsyncIterator[Caller]:
    """Somebody who is signed in to a console by the clock of this machine."""
    async with started(settings, terminal, port=0) as running:
        yield await signed_in(running, terminal)


@pytest.fixture
def agent(settings: Settings) -> Agent:
    """Opens a server of its own for a caller, and a client at it."""

    @asynccontextmanager
    async def opened(grant: str) -> AsyncGenerator[Client]:
        server, _ = build(replace(settings, grant=grant))
        async with Client(server) as client:
            yield client

    return opened


async def run(client: Client, workflow: dict[str, Any], wait: float = 0) -> str:
    """Start a job; its id."""
    said = await client.call_tool("run_workflow", {"workflow": workflow, "wait_seconds": wait})
    assert said.structured_content is not None, said.content
    return str(said.structured_content["prompt_id"])


def job(told: dict[str, Any], prompt_id: str) -> dict[str, Any]:
    """One job of a snapshot; empty if it is not there."""
    return next((one for one in told["jobs"] if one["prompt_id"] == prompt_id), {})


async def test_a_job_is_seen_to_wait_run_and_end_with_its_picture(
    host: EmbeddedHost, console: Caller, agent: Agent
) -> None:
    host.faults = Faults(node_ms=60_000)
    async with agent("alice") as alice, agent("bob") as bob, console.events() as stream:
        first, second = await run(alice, card(1)), await run(bob, card(2))

        told = await stream.until(
            "one runs and one waits",
            lambda told: (
                (job(told, first).get("status"), job(told, second).get("position"))
                == ("in_progress", 1)
            ),
        )
        assert [one["prompt_id"] for one in told["jobs"]] == [first, second]
        assert [one["grant"] for one in told["jobs"]] == ["alice", "bob"]
        assert told["comfyui"] == {
            "reachable": True,
            "version": "0.33.0",
            "queue": {"running": 1, "pending": 1},
            "words": "",
        }
        host.faults = Faults()
        told = await stream.until(
            "both are over",
            lambda told: [one["status"] for one in told["jobs"]] == ["completed", "completed"],
        )

    done = job(told, first)
    assert done["outputs"] == [{"number": 0, "kind": "image", "filename": "card_00001_.png"}]
    assert (done["error"], done["progress"], done["position"]) == (None, None, None)
    assert isinstance(done["created_at"], int)
    assert isinstance(done["seconds"], float)
    assert (await console.get(f"/api/jobs/{first}/outputs/0")).status == 200
    assert told["grants"] == ["alice", "bob", "local"]
    held = {one["holder"]: (one["used"], one["max"]) for one in told["limits"]}
    assert (held["alice"], held["bob"]) == ((1, 20), (1, 20))
    assert {one["grant"]: one["max"] for one in told["slots"]}["alice"] == 5


async def test_how_far_a_job_is_is_told_by_the_server_that_submitted_it(
    host: EmbeddedHost, console: Caller, agent: Agent
) -> None:
    host.faults = Faults(step_ms=200)
    params = {"prompt": "x", "checkpoint": CHECKPOINT, "steps": 100}
    async with agent("alice") as alice, console.events() as stream:
        arguments = {"workflow": "txt2img", "params": params, "wait_seconds": 0}
        known = await alice.call_tool("run_workflow", arguments)
        assert known.structured_content is not None
        prompt_id = str(known.structured_content["prompt_id"])
        told = await stream.until(
            "its progress", lambda told: job(told, prompt_id).get("progress") is not None
        )
        await alice.call_tool("cancel_job", {"prompt_id": prompt_id})

    progress = job(told, prompt_id)["progress"]
    assert set(progress) == {"percent", "node_id", "value", "max", "estimated"}
    assert progress["estimated"] is False
    assert 0 < progress["percent"] < 100
    assert progress["max"] == 100


async def test_a_failed_job_says_why(console: Caller, agent: Agent) -> None:
    async with agent("alice") as alice, console.events() as stream:
        prompt_id = await run(alice, graph("fails_at_execution"), wait=20)
        told = await stream.until("its end", lambda told: job(told, prompt_id).get("error"))

    assert job(told, prompt_id)["status"] == "failed"


async def test_the_end_of_a_job_whose_server_has_gone_is_seen_and_not_written(
    host: EmbeddedHost, console: Caller, agent: Agent, settings: Settings
) -> None:
    host.faults = Faults(node_ms=60_000)
    async with console.events() as stream:
        async with agent("alice") as alice:
            prompt_id = await run(alice, card(3))
        host.faults = Faults()
        await host.until(lambda one: prompt_id in one.finished)
        told = await stream.until(
            "its end", lambda told: job(told, prompt_id).get("status") == "completed"
        )

    assert [one["kind"] for one in job(told, prompt_id)["outputs"]] == ["image"]
    store = SqliteStore(settings.state)
    row = await store.job(prompt_id)
    await store.close()
    assert row is not None
    assert row.status in {"pending", "in_progress"}  # as the server left it


async def test_a_job_that_comfyui_lost_is_not_said_to_be_over(
    host: EmbeddedHost, console: Caller, agent: Agent
) -> None:
    host.faults = Faults(node_ms=60_000)
    async with console.events() as stream:
        async with agent("alice") as alice:
            prompt_id = await run(alice, card(4))
        await host.restart()
        told = await stream.until("the words", lambda told: job(told, prompt_id).get("error"))

    assert job(told, prompt_id)["error"].startswith("ComfyUI has this job no more.")
    assert job(told, prompt_id)["status"] in {"pending", "in_progress"}


async def test_a_comfyui_that_goes_away_and_comes_back_is_followed(
    host: EmbeddedHost, console: Caller
) -> None:
    async with console.events() as stream:
        await stream.until("it is there", lambda told: told["comfyui"]["reachable"])
        async with host.away():
            told = await stream.until("it is away", lambda told: not told["comfyui"]["reachable"])
            assert told["comfyui"]["queue"] is None
            assert host.url in told["comfyui"]["words"]
        await stream.until("it is back", lambda told: told["comfyui"]["reachable"])


async def test_nothing_is_contacted_before_somebody_looks(
    host: EmbeddedHost, console: Caller
) -> None:
    await console.get("/api/session")
    await console.get("/api/audit")

    assert host.seen == []


async def test_a_console_never_submits_stops_or_changes_anything(
    host: EmbeddedHost, console: Caller, settings: Settings
) -> None:
    host.faults = Faults(node_ms=100)
    store = SqliteStore(settings.state)
    label = Address(host.url).label
    # It has run for far too long by its policy; a server would stop it.
    late = NewJob("job-1", "alice", label, "txt2img", "digest", cap_ms=1, cap_rule="/gpu")
    await store.admit(Admission("dec_1", NOW, decision(), grant="alice", job=late))
    await store.move_job("job-1", "in_progress", NOW)
    before = await store.head()

    async with console.events() as stream:
        await stream.until("the job", lambda told: job(told, "job-1").get("error"))
        await asyncio.gather(
            console.get("/api/audit"),
            console.get("/api/jobs/job-1/outputs/0"),
            console.get("/"),
        )

    assert sent(host) == []
    assert host.clients == ()
    assert await store.head() == before
    row = await store.job("job-1")
    assert row is not None
    assert (row.status, row.result) == ("in_progress", {})
    await store.close()


async def test_jobs_of_another_comfyui_are_not_mixed_in(
    console: Caller, settings: Settings
) -> None:
    store = SqliteStore(settings.state)
    other = NewJob("job-1", "alice", "http://elsewhere:8188", "txt2img", "digest")
    await store.admit(Admission("dec_1", NOW, decision(), grant="alice", job=other))

    async with console.events() as stream:
        told = await stream.state()

    assert told["jobs"] == []
    await store.close()
