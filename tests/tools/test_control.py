"""cancel_job and interrupt_execution: the right job, verified, and nobody else's."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from comfy_mcp.embedded import EmbeddedHost, Faults
from tests.tools.desk import Desk, Sit, card, graph, sent

pytestmark = pytest.mark.anyio


async def submit_by_hand(host: EmbeddedHost, workflow: dict[str, Any], prompt_id: str) -> None:
    """As a person does, past this server."""
    body = {"prompt": workflow, "prompt_id": prompt_id}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{host.url}/api/prompt", json=body) as answer,
    ):
        assert answer.status == 200


async def until_heard(desk: Desk, prompt_id: str) -> None:
    """Wait until the server has heard which node of its job runs."""
    async with asyncio.timeout(20):
        while True:
            job = await desk.ask("get_job", prompt_id=prompt_id)
            if (job.get("progress") or {}).get("node_id"):
                return


async def test_a_running_job_is_cancelled_and_the_end_verified(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=graph("slow"), wait_seconds=0)
        await host.until(lambda now: now.running == job["prompt_id"])
        report = await desk.ask("cancel_job", prompt_id=job["prompt_id"])

    assert report["outcome"] == "cancelled"
    assert report["was"] == "in_progress"
    assert report["actions"]
    assert report["job"]["status"] == "cancelled"
    assert host.running is None


async def test_a_pending_job_leaves_the_queue_and_the_running_one_goes_on(
    sit: Sit, host: EmbeddedHost
) -> None:
    host.faults = Faults(node_ms=60_000)

    async with sit() as desk:
        first = await desk.ask("run_workflow", workflow=card(1), wait_seconds=0)
        await host.until(lambda now: now.running == first["prompt_id"])
        second = await desk.ask("run_workflow", workflow=card(2), wait_seconds=0)
        report = await desk.ask("cancel_job", prompt_id=second["prompt_id"])
        host.faults = Faults()
        done = await desk.ask("get_job", prompt_id=first["prompt_id"], wait_seconds=20)

    assert (report["outcome"], report["was"]) == ("cancelled", "pending")
    assert report["job"]["status"] == "cancelled"
    assert done["status"] == "completed"


async def test_a_finished_job_is_told_to_have_finished(sit: Sit, host: EmbeddedHost) -> None:
    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=card(3))
        before = sent(host)
        report = await desk.ask("cancel_job", prompt_id=job["prompt_id"])

    assert report["outcome"] == "already_finished"
    assert report["job"]["status"] == "completed"
    assert sent(host) == before


async def test_an_unknown_job_is_not_found(sit: Sit) -> None:
    async with sit() as desk:
        report = await desk.ask(
            "cancel_job", prompt_id="00000000-0000-4000-8000-000000000000", wait_seconds=1
        )

    assert report["outcome"] == "not_found"
    assert "job" not in report


async def test_another_agents_job_is_not_touched(sit: Sit, host: EmbeddedHost) -> None:
    host.faults = Faults(node_ms=60_000)

    async with sit(grant="alice") as alice, sit(grant="bob") as bob:
        job = await alice.ask("run_workflow", workflow=card(4), wait_seconds=0)
        await host.until(lambda now: now.running == job["prompt_id"])
        before = sent(host)
        for tool in ("cancel_job", "interrupt_execution"):
            _, body = await bob.refusal(tool, prompt_id=job["prompt_id"])
            assert body["code"] == "not_owner"
        _, body = await bob.refusal("interrupt_execution")
        assert body["code"] == "not_owner"
        assert sent(host) == before
        host.faults = Faults()
        done = await alice.ask("get_job", prompt_id=job["prompt_id"], wait_seconds=20)

    assert done["status"] == "completed"


async def test_a_humans_job_is_not_touched(sit: Sit, host: EmbeddedHost) -> None:
    host.faults = Faults(node_ms=60_000)
    human = "11111111-1111-4111-8111-111111111111"

    async with sit() as desk:
        await submit_by_hand(host, card(5), human)
        await host.until(lambda now: now.running == human)
        seen = await desk.ask("get_job", prompt_id=human)
        _, body = await desk.refusal("cancel_job", prompt_id=human)
        host.faults = Faults()
        await host.until(lambda now: human in now.finished)

    assert seen["owner"] == "human"
    assert body["code"] == "not_owner"


async def test_interrupt_without_an_id_stops_ones_own_running_job(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=graph("slow"), wait_seconds=0)
        await host.until(lambda now: now.running == job["prompt_id"])
        report = await desk.ask("interrupt_execution")

    assert report["stopped"] is True
    assert report["prompt_id"] == job["prompt_id"]
    assert report["job"]["status"] == "cancelled"
    assert report["took_ms"] >= 0


async def test_interrupt_with_nothing_running_says_so_and_sends_nothing(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit() as desk:
        report = await desk.ask("interrupt_execution")

    assert report["stopped"] is False
    assert "Nothing is running" in report["message"]
    assert sent(host) == []


async def test_a_cancel_that_comfyui_loses_is_sent_again(sit: Sit, host: EmbeddedHost) -> None:
    host.faults = Faults(lost_cancel_ms=250)

    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=graph("slow"), wait_seconds=0)
        await host.until(lambda now: now.running == job["prompt_id"])
        report = await desk.ask("cancel_job", prompt_id=job["prompt_id"], wait_seconds=30)

    assert report["outcome"] == "cancelled"


async def test_a_node_that_cannot_be_stopped_is_reported_as_running(
    sit: Sit, host: EmbeddedHost
) -> None:
    host.faults = Faults(deaf_ms=60_000)

    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=card(6), wait_seconds=0)
        await host.until(lambda now: now.node is not None)
        report = await desk.ask(
            "interrupt_execution", prompt_id=job["prompt_id"], cleanup_after_ms=100
        )
        assert report["stopped"] is False
        assert report["job"]["status"] == "in_progress"
        assert "still runs" in report["message"]

        host.faults = Faults()
        later = await desk.ask("cancel_job", prompt_id=job["prompt_id"], wait_seconds=20)

    assert later["outcome"] in {"cancelled", "already_finished"}
    assert later["job"]["status"] == "cancelled"


async def test_a_job_that_does_not_stop_is_said_to_run_in_its_node(
    sit: Sit, host: EmbeddedHost
) -> None:
    host.faults = Faults(node_ms=60_000)

    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=card(7), wait_seconds=0)
        await host.until(lambda now: now.node is not None)
        await until_heard(desk, job["prompt_id"])
        report = await desk.ask("cancel_job", prompt_id=job["prompt_id"], wait_seconds=0)

    assert report["outcome"] == "still_running"
    assert "still runs in node 1" in report["message"]
    assert "loading a model" in report["message"]


@pytest.mark.parametrize("tool", ["cancel_job", "interrupt_execution"])
async def test_what_a_dead_worker_does_not_stop_is_a_matter_for_the_owner(
    sit: Sit, host: EmbeddedHost, tool: str
) -> None:
    host.faults = Faults(dead_worker=True)
    short = {"cancel_job": {"wait_seconds": 0.1}, "interrupt_execution": {"cleanup_after_ms": 100}}

    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=card(8), wait_seconds=0)
        await host.until(lambda now: now.running == job["prompt_id"])
        report = await desk.ask(tool, prompt_id=job["prompt_id"], **short[tool])

    assert "was not stopped" in report["message"]
    assert "restarting ComfyUI" in report["message"]
