"""ComfyUI goes away, and comes back.

It keeps queue and history in memory: what it had not finished is gone, and nobody calls that done.
"""

from __future__ import annotations

import asyncio

import pytest

from comfy_mcp.embedded import Faults
from tests.faults.promise import promised
from tests.faults.lines import relay, stranger
from tests.faults.stage import Stage
from tests.faults.witness import WitnessedHost
from tests.tools.desk import card, graph, sent

pytestmark = pytest.mark.anyio


@promised(
    fault="ComfyUI restarts while the job waits",
    told="`lost`, because ComfyUI was `restarted`; run it again",
    job="never ran",
)
async def test_a_restart_while_the_job_waits(stage: Stage, host: WitnessedHost) -> None:
    async with stage.sit(host) as desk:
        first = await desk.ask("run_workflow", workflow=graph("slow"), wait_seconds=0)
        await host.until(lambda now: now.running == first["prompt_id"])
        second = await desk.ask("run_workflow", workflow=card(2), wait_seconds=0)
        await host.restart()
        job = await desk.ask("get_job", prompt_id=second["prompt_id"], wait_seconds=10)
        await desk.ask("get_job", prompt_id=first["prompt_id"], wait_seconds=10)

    assert (job["status"], job["error"]["type"]) == ("lost", "restarted")
    assert host.starts[second["prompt_id"]] == 0


@promised(
    fault="ComfyUI restarts while the job runs",
    told="`lost`, because ComfyUI was `restarted`; run it again",
    job="began once, was not finished",
)
async def test_a_restart_while_the_job_runs(stage: Stage, host: WitnessedHost) -> None:
    async with stage.sit(host) as desk:
        begun = await desk.ask("run_workflow", workflow=graph("slow"), wait_seconds=0)
        await host.until(lambda now: now.running == begun["prompt_id"])
        await host.restart()
        job = await desk.ask("get_job", prompt_id=begun["prompt_id"], wait_seconds=10)
        again = await desk.ask("run_workflow", workflow=card(1))

    assert (job["status"], job["error"]["type"]) == ("lost", "restarted")
    assert again["status"] == "completed"


@promised(
    fault="ComfyUI dies after it said success and before it wrote its history",
    told="`lost`, because ComfyUI was `restarted`, though the file may exist",
    job="ran once; an event alone never counts as done",
)
async def test_a_restart_between_success_and_history(stage: Stage, host: WitnessedHost) -> None:
    host.faults = Faults(success_before_history_ms=60_000)

    async with stage.sit(host) as desk:
        begun = await desk.ask("run_workflow", workflow=card(1), wait_seconds=0)
        await host.until(lambda now: list((now.folder / "output").glob("card*")) != [])
        before = await desk.ask("get_job", prompt_id=begun["prompt_id"], wait_seconds=0.3)
        await host.restart()
        job = await desk.ask("get_job", prompt_id=begun["prompt_id"], wait_seconds=10)

    assert before["status"] == "in_progress"
    assert (job["status"], job["error"]["type"]) == ("lost", "restarted")


@promised(
    fault="ComfyUI is restarted while an agent waits in run_workflow",
    told="`lost`, because ComfyUI was `restarted`, as soon as it is back",
    job="began once, was not finished",
)
async def test_a_restart_while_somebody_waits(stage: Stage, host: WitnessedHost) -> None:
    async with stage.sit(host) as desk:
        async with asyncio.TaskGroup() as group:
            call = desk.ask("run_workflow", workflow=graph("slow"), wait_seconds=15)
            waiting = group.create_task(call)
            await host.until(lambda now: now.running is not None)
            await host.restart()

    job = waiting.result()
    assert (job["status"], job["error"]["type"]) == ("lost", "restarted")


@promised(
    fault="ComfyUI is away while an agent asks",
    told="`host_unreachable`, which may be tried again; then the truth: `completed`",
    job="a network that breaks for a while changes nothing",
)
async def test_a_network_that_breaks_for_a_while(stage: Stage, host: WitnessedHost) -> None:
    host.faults = Faults(node_ms=400)

    async with relay(host) as (url, cut), stage.sit(host, url=url) as desk:
        begun = await desk.ask("run_workflow", workflow=card(1), wait_seconds=0)
        async with cut():
            _, body = await desk.refusal("get_job", prompt_id=begun["prompt_id"])
        job = await desk.ask("get_job", prompt_id=begun["prompt_id"], wait_seconds=15)

    assert (body["code"], body["retryable"]) == ("host_unreachable", True)
    assert job["status"] == "completed"
    assert sent(host) == ["POST /prompt"]


@promised(
    fault="Another ComfyUI, of another version, stands at the same address",
    told="`lost` for the old job; new ones: `completed`",
    job="of the old one: never shown as another's; the new one gets its own",
)
@pytest.mark.parametrize("profile", ["0.3.40", "0.3.64", "0.8"])
async def test_another_comfyui_at_the_same_address(stage: Stage, profile: str) -> None:
    first = await stage.comfyui()
    async with stage.sit(first) as desk:
        old = await desk.ask("run_workflow", workflow=graph("slow"), wait_seconds=0)
        await first.until(lambda now: now.running is not None)
        await first.stop()
        second = await stage.comfyui(profile=profile, port=first.port)
        told = await desk.ask("get_job", prompt_id=old["prompt_id"], wait_seconds=10)
        new = await desk.ask("run_workflow", workflow=card(2))
        slow = await desk.ask("run_workflow", workflow=graph("slow"), wait_seconds=0)
        report = await desk.ask("cancel_job", prompt_id=slow["prompt_id"])

    assert (told["status"], told["error"]["type"]) == ("lost", "restarted")
    assert new["status"] == "completed"
    assert report["outcome"] == "cancelled"
    assert sent(second).count("POST /prompt") == 2


@promised(
    fault="Something else than ComfyUI stands at the same address",
    told="`not_comfyui`, for old jobs and new ones",
    job="no workflow is sent there",
)
async def test_something_else_at_the_same_address(stage: Stage, host: WitnessedHost) -> None:
    async with stage.sit(host) as desk:
        begun = await desk.ask("run_workflow", workflow=graph("slow"), wait_seconds=0)
        await host.until(lambda now: now.running is not None)
        async with host.away(), stranger(host.port) as asked:
            _, looked = await desk.refusal("get_job", prompt_id=begun["prompt_id"])
            _, ran = await desk.refusal("run_workflow", workflow=card(2))
        job = await desk.ask("get_job", prompt_id=begun["prompt_id"], wait_seconds=10)

    assert (looked["code"], ran["code"]) == ("not_comfyui", "not_comfyui")
    assert not any(method == "POST" for method in asked)
    assert job["status"] == "lost"
