"""ComfyUI goes away, and comes back.

It keeps queue and history in memory: what it had not finished is gone, and nobody calls that done.
"""

from __future__ import annotations

import asyncio

import anyio
import pytest

from comfy_mcp.embedded import BadAnswer, Faults
from tests.faults.lines import relay, stranger
from tests.faults.promise import promised
from tests.faults.stage import BOUND, BUSY, FORGETFUL, BoundedDesk, Stage
from tests.faults.witness import WitnessedHost
from tests.tools.desk import card, graph, sent

pytestmark = pytest.mark.anyio


async def waited_for(desk: BoundedDesk, host: WitnessedHost) -> None:
    """Until ComfyUI's answer to the submit is there, and the call waits for the running job."""
    jobs = await desk.services.jobs()
    async with asyncio.timeout(BOUND):
        while not ((watch := jobs._followers.known(host.running or "")) and watch.waiting):
            await anyio.lowlevel.checkpoint()


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
    async with stage.sit(host) as desk, asyncio.TaskGroup() as group:
        call = desk.ask("run_workflow", workflow=graph("slow"), wait_seconds=15)
        waiting = group.create_task(call)
        await host.until(lambda now: now.running is not None)
        await waited_for(desk, host)
        await host.restart()
        job = await waiting

    assert (job["status"], job["error"]["type"]) == ("lost", "restarted")


@promised(
    fault="ComfyUI is away while an agent asks",
    told="the job as it was last known, and that nobody answers; then `completed`",
    job="untouched: a network that breaks for a while changes nothing",
)
async def test_a_network_that_breaks_for_a_while(stage: Stage, host: WitnessedHost) -> None:
    host.faults = BUSY

    async with relay(host) as (url, cut), stage.sit(host, url=url) as desk:
        begun = await desk.ask("run_workflow", workflow=card(1), wait_seconds=0)
        async with cut():
            meanwhile = await desk.ask("get_job", prompt_id=begun["prompt_id"])
        host.faults = Faults()
        job = await desk.ask("get_job", prompt_id=begun["prompt_id"], wait_seconds=15)

    assert meanwhile["status"] in {"pending", "in_progress"}
    assert any("No ComfyUI" in warning for warning in meanwhile["warnings"])
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
    told="old jobs as they were last known, with a warning; for new ones `not_comfyui`",
    job="no workflow is sent there",
)
async def test_something_else_at_the_same_address(stage: Stage, host: WitnessedHost) -> None:
    async with stage.sit(host) as desk:
        begun = await desk.ask("run_workflow", workflow=graph("slow"), wait_seconds=0)
        await host.until(lambda now: now.running is not None)
        async with host.away(), stranger(host.port) as asked:
            meanwhile = await desk.ask("get_job", prompt_id=begun["prompt_id"])
            _, ran = await desk.refusal("run_workflow", workflow=card(2))
        job = await desk.ask("get_job", prompt_id=begun["prompt_id"], wait_seconds=10)

    assert meanwhile["status"] in {"pending", "in_progress"}
    assert any("not ComfyUI" in warning for warning in meanwhile["warnings"])
    assert ran["code"] == "not_comfyui"
    assert not any(method == "POST" for method in asked)
    assert job["status"] == "lost"


@promised(
    fault="ComfyUI dies while a submit is under way, before or after it took the job",
    told="`answer_lost`; then `lost`, because it is `untold` whether it ran",
    job="not sent again; did not get far",
)
@pytest.mark.parametrize("after", [False, True], ids=["not-taken", "taken"])
async def test_a_restart_while_a_submit_is_under_way(
    stage: Stage, host: WitnessedHost, after: bool
) -> None:
    host.faults = Faults(
        http=(BadAnswer("mute", "POST", "/prompt", after=after, times=1),), node_ms=60_000
    )

    async with stage.sit(host, pace=FORGETFUL) as desk, asyncio.TaskGroup() as group:
        waiting = group.create_task(desk.refusal("run_workflow", workflow=card(1)))
        await host.until(lambda now: sent(now) != [] and after == (now.running is not None))
        await host.restart()
        host.faults = Faults()
        _, body = await waiting
        job = await desk.ask("get_job", prompt_id=body["prompt_id"], wait_seconds=10)

    assert body["code"] == "answer_lost"
    assert (job["status"], job["error"]["type"]) == ("lost", "untold")
    assert sent(host) == ["POST /prompt"]


@promised(
    fault="A server is pointed at another ComfyUI while its old one still has a job",
    told="the job as it was last known, with a warning; a cancel: `host_rejected`",
    job="nobody touches it; the server that works with its ComfyUI tells of it: `completed`",
)
async def test_a_server_that_is_pointed_elsewhere(stage: Stage) -> None:
    here, there = await stage.comfyui(), await stage.comfyui()
    here.faults = BUSY

    async with stage.sit(here) as desk, stage.sit(there) as moved:
        begun = await desk.ask("run_workflow", workflow=card(1), wait_seconds=0)
        asked = {"prompt_id": begun["prompt_id"]}
        seen = await moved.ask("get_job", **asked)
        _, body = await moved.refusal("cancel_job", **asked)
        here.faults = Faults()
        job = await desk.ask("get_job", wait_seconds=10, **asked)

    assert seen["status"] in {"pending", "in_progress"}
    assert any("another ComfyUI" in warning for warning in seen["warnings"])
    assert body["code"] == "host_rejected"
    assert job["status"] == "completed"
    assert sent(there) == []
