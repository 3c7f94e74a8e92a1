"""ComfyUI's worker, and stopping what it does.

A stop is sent again until the job is seen to be gone; a job that cannot be stopped is said to run.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from comfy_mcp.embedded import BadAnswer, Faults
from tests.faults.promise import promised
from tests.faults.stage import BOUND, BUSY, Stage, by_hand
from tests.faults.witness import WitnessedHost
from tests.tools.desk import card, graph, sent

pytestmark = pytest.mark.anyio

DEAF = Faults(deaf_ms=60_000)
"""The running node ends when the weather clears."""

SILENCES = 8
"""After so many looks at the log, a second or more apart in all, a silent job is said to be so."""


def logs(host: WitnessedHost) -> int:
    """How often somebody asked for the log."""
    return sum(seen.path == "/internal/logs/raw" for seen in host.seen)


def cancels(host: WitnessedHost) -> int:
    """How often a job was to be cancelled."""
    return sum(path.endswith("/cancel") for path in sent(host))


@promised(
    fault="The worker thread dies: ComfyUI accepts jobs and runs none",
    told="the job with the error `worker_dead`; its owner has to restart ComfyUI",
    job="stays `in_progress` until the restart, then `lost`",
)
async def test_a_dead_worker(stage: Stage, host: WitnessedHost) -> None:
    host.faults = Faults(dead_worker=True)

    async with stage.sit(host) as desk:
        job = await desk.ask("run_workflow", workflow=card(1), wait_seconds=15)
        host.faults = Faults()
        await host.restart()
        after = await desk.ask("get_job", prompt_id=job["prompt_id"], wait_seconds=10)

    assert (job["status"], job["error"]["type"]) == ("in_progress", "worker_dead")
    assert "restart" in job["error"]["hint"].lower()
    assert after["status"] == "lost"


@promised(
    fault="More jobs for a ComfyUI whose worker is known to be dead",
    told="`worker_dead`; after the restart: `completed`",
    job="nothing is sent, nothing waits in vain",
)
async def test_a_job_for_a_dead_worker(stage: Stage, host: WitnessedHost) -> None:
    host.faults = Faults(dead_worker=True)

    async with stage.sit(host) as desk:
        held = await desk.ask("run_workflow", workflow=card(1), wait_seconds=15)
        _, body = await desk.refusal("run_workflow", workflow=card(2))
        before = sent(host)
        host.faults = Faults()
        await host.restart()
        await desk.ask("get_job", prompt_id=held["prompt_id"], wait_seconds=10)
        job = await desk.ask("run_workflow", workflow=card(3))

    assert body["code"] == "worker_dead"
    assert before == ["POST /prompt"]
    assert job["status"] == "completed"


@promised(
    fault="Cancelling a job that a dead worker holds",
    told="`still_running`: the worker has died, only a restart of ComfyUI helps",
    job="not told to be stopped; `lost` after the restart",
)
async def test_a_cancel_for_a_dead_worker(stage: Stage, host: WitnessedHost) -> None:
    host.faults = Faults(dead_worker=True)

    async with stage.sit(host) as desk:
        begun = await desk.ask("run_workflow", workflow=card(1), wait_seconds=0)
        report = await desk.ask("cancel_job", prompt_id=begun["prompt_id"], wait_seconds=0.5)
        host.faults = Faults()
        await host.restart()
        job = await desk.ask("get_job", prompt_id=begun["prompt_id"], wait_seconds=10)

    assert report["outcome"] == "still_running"
    assert "worker has died" in report["message"]
    assert job["status"] == "lost"


@promised(
    fault="A node that is deaf for long, as while a model loads",
    told="`in_progress`; the worker is told to be `alive`; at last `completed`",
    job="runs on; never taken for dead",
)
async def test_a_deaf_node_is_no_dead_worker(stage: Stage, host: WitnessedHost) -> None:
    host.faults = DEAF

    async with stage.sit(host) as desk:
        begun = await desk.ask("run_workflow", workflow=card(1), wait_seconds=1)
        status = await desk.ask("get_server_status")
        host.faults = Faults()
        job = await desk.ask("get_job", prompt_id=begun["prompt_id"], wait_seconds=10)

    assert begun["status"] == "in_progress"
    assert "error" not in begun
    assert status["worker"] == "alive"
    assert job["status"] == "completed"


@promised(
    fault="Cancelling a job in a deaf node",
    told="`still_running`, and why; `cancelled` when asked again later",
    job="stopped at the end of that node",
)
async def test_a_cancel_that_a_node_does_not_hear(stage: Stage, host: WitnessedHost) -> None:
    host.faults = DEAF

    async with stage.sit(host) as desk:
        begun = await desk.ask("run_workflow", workflow=card(1), wait_seconds=0)
        await host.until(lambda now: now.node == "1")
        first = await desk.ask("cancel_job", prompt_id=begun["prompt_id"], wait_seconds=0.3)
        before = cancels(host)
        async with asyncio.TaskGroup() as group:
            again = group.create_task(desk.ask("cancel_job", prompt_id=begun["prompt_id"]))
            await host.until(lambda _: cancels(host) > before)
            host.faults = Faults()
        second = again.result()

    assert first["outcome"] == "still_running"
    assert "only between nodes" in first["message"]
    assert second["outcome"] == "cancelled"


@promised(
    fault="ComfyUI accepts a cancel and forgets it (the job was just starting)",
    told="`cancelled`, once that is seen",
    job="told again until it has stopped",
)
async def test_a_cancel_that_comfyui_loses(stage: Stage, host: WitnessedHost) -> None:
    host.faults = Faults(lost_cancel_ms=60_000)

    async with stage.sit(host) as desk:
        begun = await desk.ask("run_workflow", workflow=graph("slow"), wait_seconds=0)
        await host.until(lambda now: now.running is not None)
        stopping = asyncio.create_task(desk.ask("cancel_job", prompt_id=begun["prompt_id"]))
        await host.until(lambda _: cancels(host) == 1)
        # The job begins, and that cancel is forgotten.
        host.faults = Faults(node_ms=60_000)
        await host.until(lambda _: cancels(host) > 1)
        host.faults = Faults(node_ms=300)
        report = await stopping

    assert report["outcome"] == "cancelled"
    assert report["job"]["status"] == "cancelled"


@promised(
    fault="The answer to a cancel is lost",
    told="`cancelled`, once that is seen, or an error that may be tried again",
    job="stopped; nobody else's is hit",
)
@pytest.mark.parametrize("what", ["reset", "502", "truncated"])
async def test_a_cancel_whose_answer_is_lost(stage: Stage, host: WitnessedHost, what: str) -> None:
    bad = BadAnswer(what, "POST", "/jobs/*/cancel", after=True, times=1)

    async with stage.sit(host) as desk:
        begun = await desk.ask("run_workflow", workflow=graph("slow"), wait_seconds=0)
        await host.until(lambda now: now.running is not None)
        host.faults = Faults(http=(bad,))
        other = (await by_hand(host, {"prompt": card(9)}))["prompt_id"]
        first = await desk.call("cancel_job", prompt_id=begun["prompt_id"])
        job = await desk.ask("get_job", prompt_id=begun["prompt_id"], wait_seconds=10)
        await host.until(lambda now: other in now.finished)

    assert first.is_error or first.structured_content["outcome"] == "cancelled"
    assert job["status"] == "cancelled"
    assert host.ends[other] == "success"


@promised(
    fault="A cancel comes just as the job ends, and another job is next",
    told="`cancelled` or `already_finished`, whichever is true",
    job="the next one, a person's, is never hit",
)
@pytest.mark.parametrize("profile", ["0.3.64", "0.33"])
async def test_a_cancel_that_comes_as_the_job_ends(stage: Stage, profile: str) -> None:
    host = await stage.comfyui(profile=profile)

    async with stage.sit(host) as desk:
        for color in range(4):
            host.faults = BUSY
            mine = await desk.ask("run_workflow", workflow=card(color), wait_seconds=0)
            theirs = (await by_hand(host, {"prompt": card(100 + color)}))["prompt_id"]
            host.faults = Faults(node_ms=60)
            await host.until(lambda now: now.node == "2")
            report = await desk.ask("cancel_job", prompt_id=mine["prompt_id"])
            await host.until(lambda now, theirs=theirs: theirs in now.finished)
            truth = {"interrupted": "cancelled", "success": "already_finished"}
            assert report["outcome"] == truth[host.ends[mine["prompt_id"]]]
            assert host.ends[theirs] == "success"


@promised(
    fault="A ComfyUI before 0.3.57, and somebody's job waits behind the one to be cancelled",
    told="`host_rejected`: it can only interrupt whatever runs, so nothing was sent",
    job="runs on; the other one is never hit",
)
async def test_a_comfyui_that_can_only_interrupt_whatever_runs(stage: Stage) -> None:
    host = await stage.comfyui(profile="0.3.40")
    host.faults = BUSY

    async with stage.sit(host) as desk:
        begun = await desk.ask("run_workflow", workflow=card(1), wait_seconds=0)
        await host.until(lambda now: now.running is not None)
        await by_hand(host, {"prompt": card(9)})
        _, body = await desk.refusal("cancel_job", prompt_id=begun["prompt_id"])
        host.faults = Faults()
        job = await desk.ask("get_job", prompt_id=begun["prompt_id"], wait_seconds=15)
        await host.until(lambda now: now.running is None and not now.pending)

    assert (body["code"], body["type"]) == ("host_rejected", "global_interrupt_only")
    assert not any("interrupt" in path for path in sent(host))
    assert job["status"] == "completed"
    assert set(host.ends.values()) == {"success"}


@promised(
    fault="Several cancels of one job at once",
    told="`cancelled` or `already_finished`, each of them",
    job="stopped once",
)
async def test_several_cancels_at_once(stage: Stage, host: WitnessedHost) -> None:
    async with stage.sit(host) as desk:
        begun = await desk.ask("run_workflow", workflow=graph("slow"), wait_seconds=0)
        await host.until(lambda now: now.running is not None)
        asked = {"prompt_id": begun["prompt_id"]}
        reports = await asyncio.gather(*(desk.ask("cancel_job", **asked) for _ in range(4)))
        job = await desk.ask("get_job", **asked)

    assert {report["outcome"] for report in reports} <= {"cancelled", "already_finished"}
    assert job["status"] == "cancelled"


@promised(
    fault="ComfyUI is restarted while a cancel waits for its effect",
    told="`not_found`: nothing was stopped by us; the job is `lost`",
    job="did not go on; not told as our cancel",
)
async def test_a_restart_while_a_cancel_is_under_way(stage: Stage, host: WitnessedHost) -> None:
    host.faults = DEAF

    async with stage.sit(host) as desk:
        begun = await desk.ask("run_workflow", workflow=card(1), wait_seconds=0)
        await host.until(lambda now: now.node == "1")
        async with asyncio.TaskGroup() as group:
            call = desk.ask("cancel_job", prompt_id=begun["prompt_id"])
            cancelling = group.create_task(call)
            await host.until(lambda _: cancels(host) > 0)
            await host.restart()
        job = await desk.ask("get_job", prompt_id=begun["prompt_id"])

    assert cancelling.result()["outcome"] == "not_found"
    assert job["status"] == "lost"


@promised(
    fault="The worker dies over somebody else's job while ours waits",
    told="`pending`, with the error `worker_dead`; a cancel works: `cancelled`",
    job="never ran; taken out of the queue when asked",
)
async def test_a_worker_that_dies_over_anothers_job(stage: Stage, host: WitnessedHost) -> None:
    host.faults = Faults(dead_worker=True)
    await by_hand(host, {"prompt": card(9)})

    async with stage.sit(host) as desk:
        job = await desk.ask("run_workflow", workflow=card(1), wait_seconds=15)
        report = await desk.ask("cancel_job", prompt_id=job["prompt_id"])

    assert (job["status"], job["error"]["type"]) == ("pending", "worker_dead")
    assert report["outcome"] == "cancelled"
    assert report["job"]["status"] == "cancelled"


@promised(
    fault="The worker is dead, and a proxy hides ComfyUI's log",
    told="`in_progress`, with the warning that nothing was heard of the job for long",
    job="not called dead, since nobody can know; `lost` after a restart",
)
async def test_a_dead_worker_whose_log_is_hidden(stage: Stage, host: WitnessedHost) -> None:
    hidden = (BadAnswer("404", "GET", "/internal/*"),)
    host.faults = Faults(dead_worker=True, http=hidden)

    async with stage.sit(host, pace=replace(stage.pace, live=0.05)) as desk:
        begun = await desk.ask("run_workflow", workflow=card(1), wait_seconds=0)
        await host.until(lambda _: logs(host) > SILENCES, BOUND)
        job = await desk.ask("get_job", prompt_id=begun["prompt_id"])
        host.faults = Faults()
        await host.restart()
        after = await desk.ask("get_job", prompt_id=begun["prompt_id"], wait_seconds=10)

    assert job["status"] == "in_progress"
    assert any("No sign of life" in warning for warning in job["warnings"])
    assert after["status"] == "lost"


@promised(
    fault="clear_queue, and its order does not get through, or its answer does not come back",
    told="how many jobs were taken out, once that is seen; or an error, and to try again",
    job="those that waited are `cancelled` or run to `completed`, as they are told",
)
@pytest.mark.parametrize("after", [False, True], ids=["not-done", "done"])
@pytest.mark.parametrize("what", ["reset", "502"])
async def test_an_order_to_clear_the_queue_that_is_lost(
    stage: Stage, host: WitnessedHost, what: str, after: bool
) -> None:
    host.faults = Faults(node_ms=60_000)

    async with stage.sit(host) as desk:
        jobs = [
            await desk.ask("run_workflow", workflow=card(color), wait_seconds=0)
            for color in range(3)
        ]
        bad = BadAnswer(what, "POST", "/queue", after=after, times=1)
        host.faults = Faults(node_ms=60_000, http=(bad,))
        report = await desk.call("clear_queue")
        host.faults = Faults()
        told = [
            await desk.ask("get_job", prompt_id=job["prompt_id"], wait_seconds=10) for job in jobs
        ]

    assert report.is_error or report.structured_content["cleared"] == 2
    assert {job["status"] for job in told} <= {"completed", "cancelled"}


@promised(
    fault="The worker is dead, and nothing in ComfyUI's log says so",
    told="`in_progress`, with the warning that nothing was heard of the job for long",
    job="not called dead, since nobody can know; `lost` after a restart",
)
async def test_a_dead_worker_that_left_no_sign(stage: Stage, host: WitnessedHost) -> None:
    host.faults = Faults(dead_worker=True)

    calm = replace(stage.pace, silence=60)
    async with stage.sit(host, pace=calm) as desk:
        begun = await desk.ask("run_workflow", workflow=card(1), wait_seconds=0)
    host.log.clear()
    async with stage.sit(host, pace=replace(stage.pace, live=0.05)) as desk:
        await desk.ask("get_job", prompt_id=begun["prompt_id"])
        await host.until(lambda _: logs(host) > SILENCES, BOUND)
        job = await desk.ask("get_job", prompt_id=begun["prompt_id"])
        host.faults = Faults()
        await host.restart()
        after = await desk.ask("get_job", prompt_id=begun["prompt_id"], wait_seconds=10)

    assert job["status"] == "in_progress"
    assert any("No sign of life" in warning for warning in job["warnings"])
    assert after["status"] == "lost"
