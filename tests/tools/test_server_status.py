"""get_server_status: never an error because something is broken; it says what, and what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from comfy_mcp import __version__
from comfy_mcp.embedded import EmbeddedHost, Faults
from comfy_mcp.store.protocol import Freeze
from tests.tools.desk import Sit, card, sent

pytestmark = pytest.mark.anyio

NOWHERE = "http://127.0.0.1:9"


async def test_it_says_what_comfyui_is_and_how_it_stands(sit: Sit, host: EmbeddedHost) -> None:
    async with sit() as desk:
        await desk.ask("run_workflow", workflow=card(1))
        status = await desk.ask("get_server_status")

    assert status["host"] == host.url
    assert status["reachable"] is True
    assert status["worker"] == "alive"
    assert status["queue"] == {"running": 0, "pending": 0}
    assert "atomic_cancel" in status["capabilities"]
    assert status["devices"]
    assert status["events"] == "websocket"
    assert status["server_version"] == __version__
    assert status["degraded"] == {}
    assert len(json.dumps(status)) < 1_500
    assert sent(host) == ["POST /prompt"]


async def test_the_queue_counts_everybodys_jobs(sit: Sit, host: EmbeddedHost) -> None:
    host.faults = Faults(node_ms=60_000)

    async with sit() as desk:
        for color in range(3):
            await desk.ask("run_workflow", workflow=card(color), wait_seconds=0)
        await host.until(lambda now: now.running is not None)
        status = await desk.ask("get_server_status")

    assert status["queue"] == {"running": 1, "pending": 2}


async def test_a_comfyui_that_is_down_is_told_and_is_no_error(sit: Sit) -> None:
    async with sit(url=NOWHERE) as desk:
        status = await desk.ask("get_server_status")

    assert status["reachable"] is False
    assert status["worker"] == "unknown"
    assert NOWHERE in status["degraded"]["host_unreachable"]
    assert "queue" not in status


async def test_a_dead_worker_is_told_with_who_can_help(sit: Sit, host: EmbeddedHost) -> None:
    host.faults = Faults(dead_worker=True)

    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=card(2), wait_seconds=0)
        await host.until(lambda now: now.running == job["prompt_id"])
        status = await desk.ask("get_server_status")

    assert status["reachable"] is True
    assert status["worker"] == "dead"
    assert "restart" in status["degraded"]["worker_dead"]


async def test_a_policy_file_that_cannot_be_used_is_told(sit: Sit, tmp_path: Path) -> None:
    async with sit() as desk:
        before = await desk.ask("get_server_status")
        (tmp_path / "policy-local.json").write_text("{ this is no policy")
        status = await desk.ask("get_server_status")

    assert "owner" in status["degraded"]["policy_file"]
    assert status["policy_revision"] == before["policy_revision"]


async def test_a_state_that_cannot_be_written_is_told(sit: Sit, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where a folder has to be")

    async with sit() as desk:
        status = await desk.ask("get_server_status")

    assert status["reachable"] is True
    assert str(tmp_path) not in status["degraded"]["state"]


async def test_a_freeze_that_spares_reads_is_told(sit: Sit) -> None:
    async with sit() as desk:
        order = Freeze(grant="*", reason="Lunch.", keep_reads=True)
        await desk.services.store.freeze(1, order, {"kind": "freeze"})
        status = await desk.ask("get_server_status")

    assert set(status["degraded"]) == {"frozen"}


async def test_no_credential_argument_or_path_of_the_host_is_told(sit: Sit, tmp_path: Path) -> None:
    async with sit() as desk:
        text = json.dumps(await desk.ask("get_server_status"))

    for secret in ("argv", "main.py", str(tmp_path), "headers", "python"):
        assert secret not in text
