"""Our own process is killed (`kill -9`), and others beside it.

What is to be done is written down before it is done, so that the next process knows where to look.
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from comfy_mcp.embedded import BadAnswer, Faults
from tests.faults.promise import promised
from tests.faults.server_process import command
from tests.faults.stage import BUSY, FORGETFUL, HELD, Stage, lengthy
from tests.faults.witness import WitnessedHost
from tests.tools.desk import card, sent

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parent.parent.parent
KEY = "the-one"

CHILD = 60.0
"""Seconds in which a process has started and done its part, on a machine that does much else."""


@asynccontextmanager
async def process(
    stage: Stage, host: WitnessedHost, call: str, *, point: str = "", **arguments: Any
) -> AsyncGenerator[asyncio.subprocess.Process]:
    """A server process that makes one call of a tool; killed at the end if it is still there."""
    words = command(
        url=host.url,
        state=str(stage.state),
        grant="local",
        point=point,
        call=call,
        arguments=arguments,
    )
    child = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE, cwd=ROOT)
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        # Read to its end, so that its pipe is closed.
        await child.communicate()


async def killed_at(
    stage: Stage, host: WitnessedHost, point: str, call: str = "run_workflow", **arguments: Any
) -> None:
    """Have a process make a call and die at *point*."""
    async with process(stage, host, call, point=point, **arguments) as child, bound():
        assert await child.wait() == -signal.SIGKILL


def bound() -> asyncio.Timeout:
    """As long as anything may take."""
    return asyncio.timeout(CHILD)


async def the_job(desk: Any) -> dict[str, Any]:
    """What an agent that starts anew finds out about the one job there is."""
    page = await desk.ask("list_jobs")
    (listed,) = page["jobs"]
    return await desk.ask("get_job", prompt_id=listed["prompt_id"], wait_seconds=10)


@promised(
    fault="Killed after the call was admitted, before anything was sent",
    told="`lost`, `untold` whether it ran; the same idempotency_key gives the same answer",
    job="never ran; nobody can know that any more",
)
async def test_killed_before_anything_was_sent(stage: Stage, host: WitnessedHost) -> None:
    await killed_at(stage, host, "admitted", workflow=card(1), idempotency_key=KEY)

    async with stage.sit(host, pace=FORGETFUL) as desk:
        job = await the_job(desk)
        again = await desk.ask("run_workflow", workflow=card(1), idempotency_key=KEY)

    assert (job["status"], job["error"]["type"]) == ("lost", "untold")
    assert (again["prompt_id"], again["status"]) == (job["prompt_id"], "lost")
    assert sent(host) == []


@promised(
    fault="Killed while the submit is under way, and ComfyUI has it",
    told="`completed`, by the next process",
    job="runs once; also if the call is repeated with its idempotency_key",
)
async def test_killed_while_the_submit_is_under_way(stage: Stage, host: WitnessedHost) -> None:
    late = BadAnswer("slow", "POST", "/prompt", after=True, times=1, delay_ms=60_000)
    host.faults = Faults(http=(late,), node_ms=100)

    asked = {"workflow": card(1), "idempotency_key": KEY}
    async with process(stage, host, "run_workflow", **asked) as child, bound():
        await host.until(lambda now: now.running is not None, CHILD)
        child.kill()
        await child.wait()
    async with stage.sit(host) as desk:
        again = await desk.ask("run_workflow", **asked)
        job = await the_job(desk)

    assert job["status"] == "completed"
    assert again["prompt_id"] == job["prompt_id"]
    assert sent(host) == ["POST /prompt"]


@promised(
    fault="Killed after ComfyUI's answer, before that was noted",
    told="`completed`, by the next process",
    job="runs once",
)
async def test_killed_before_the_answer_was_noted(stage: Stage, host: WitnessedHost) -> None:
    await killed_at(stage, host, "answered", workflow=card(1), idempotency_key=KEY)

    async with stage.sit(host) as desk:
        job = await the_job(desk)

    assert job["status"] == "completed"
    assert sent(host) == ["POST /prompt"]


@promised(
    fault="The same with a ComfyUI before 0.3.45, which gives jobs ids of its own",
    told="`completed`, by the next process, under our id",
    job="runs once; found by the mark that we left on it",
)
async def test_killed_before_a_strange_id_was_noted(stage: Stage) -> None:
    host = await stage.comfyui(profile="0.3.40")
    await killed_at(stage, host, "answered", workflow=card(1), idempotency_key=KEY)

    async with stage.sit(host) as desk:
        job = await the_job(desk)

    assert job["status"] == "completed"
    assert sent(host) == ["POST /prompt"]


@promised(
    fault="Killed after that was noted",
    told="`completed`, by the next process",
    job="runs once",
)
async def test_killed_after_the_answer_was_noted(stage: Stage, host: WitnessedHost) -> None:
    await killed_at(stage, host, "noted", workflow=card(1), idempotency_key=KEY)

    async with stage.sit(host) as desk:
        job = await the_job(desk)

    assert job["status"] == "completed"
    assert sent(host) == ["POST /prompt"]


@promised(
    fault="Killed while the agent waits for a running job",
    told="`completed`, by the next process, which follows it without being asked",
    job="runs on, once",
)
async def test_killed_while_somebody_waits(stage: Stage, host: WitnessedHost) -> None:
    host.faults = Faults(node_ms=300)

    async with process(stage, host, "run_workflow", workflow=card(1)) as child, bound():
        await host.until(lambda now: now.node == "2", CHILD)
        child.kill()
        await child.wait()
    async with stage.sit(host) as desk:
        (row,) = await stage.settled()
        job = await the_job(desk)

    assert row.status == job["status"] == "completed"
    assert sent(host) == ["POST /prompt"]


@promised(
    fault="Killed when the job has ended, before that was noted",
    told="`completed`, by the next process, with its outputs",
    job="ran once",
)
async def test_killed_before_the_end_was_noted(stage: Stage, host: WitnessedHost) -> None:
    await killed_at(stage, host, "ended", workflow=card(1))

    async with stage.sit(host) as desk:
        job = await the_job(desk)

    assert job["status"] == "completed"
    assert len(job["outputs"]) == 1
    assert sent(host) == ["POST /prompt"]


@promised(
    fault="Killed after a cancel was written down, before it was sent",
    told="`completed`: the job was not stopped",
    job="runs on, once",
)
async def test_killed_before_a_cancel_was_sent(stage: Stage, host: WitnessedHost) -> None:
    host.faults = BUSY

    async with stage.sit(host) as desk:
        first = await desk.ask("run_workflow", workflow=card(1), wait_seconds=0)
        second = await desk.ask("run_workflow", workflow=card(2), wait_seconds=0)
        asked = {"prompt_id": second["prompt_id"]}
        await killed_at(stage, host, "stopping", "cancel_job", **asked)
        host.faults = Faults()
        job = await desk.ask("get_job", wait_seconds=10, **asked)
        await desk.ask("get_job", prompt_id=first["prompt_id"], wait_seconds=10)

    assert job["status"] == "completed"
    assert not any("cancel" in path for path in sent(host))


@promised(
    fault="Killed after a cancel was sent, before its effect was seen",
    told="`cancelled`, by the next process",
    job="stopped",
)
async def test_killed_while_cancelling(stage: Stage, host: WitnessedHost) -> None:
    host.faults = HELD

    async with stage.sit(host) as desk:
        begun = await desk.ask("run_workflow", workflow=lengthy(), wait_seconds=0)
        await host.until(lambda now: now.running is not None)
    asked = {"prompt_id": begun["prompt_id"]}
    await killed_at(stage, host, "ordered", "cancel_job", **asked)
    host.faults = Faults()
    async with stage.sit(host) as desk:
        job = await the_job(desk)

    assert job["status"] == "cancelled"


@promised(
    fault="Two server processes on one state: one waits for a job, the other cancels it",
    told="`cancelled`, both of them",
    job="stopped; told in the same words by both",
)
async def test_two_processes_on_one_state(stage: Stage, host: WitnessedHost) -> None:
    host.faults = HELD
    asked = {"workflow": lengthy(), "wait_seconds": 15}

    async with process(stage, host, "run_workflow", **asked) as child, stage.sit(host) as desk:
        await host.until(lambda now: now.running is not None, CHILD)
        report = await desk.ask("cancel_job", prompt_id=host.running)
        async with bound():
            out, _ = await child.communicate()
        job = await the_job(desk)

    assert report["outcome"] == "cancelled"
    assert json.loads(out)["status"] == job["status"] == "cancelled"


@promised(
    fault="Two server processes are given the same idempotency_key at the same time",
    told="one job, `completed`, both of them",
    job="runs once",
)
async def test_two_processes_with_one_key(stage: Stage, host: WitnessedHost) -> None:
    asked = {"workflow": card(1), "idempotency_key": KEY}

    async with process(stage, host, "run_workflow", **asked) as child, stage.sit(host) as desk:
        here = await desk.ask("run_workflow", **asked)
        async with bound():
            out, _ = await child.communicate()
    there = json.loads(out)

    assert there["prompt_id"] == here["prompt_id"]
    assert there["status"] == here["status"] == "completed"
    assert sent(host) == ["POST /prompt"]


@promised(
    fault="Our process and ComfyUI are both killed while a job runs",
    told="`lost`, by the next process",
    job="began once, was not finished",
)
async def test_both_killed(stage: Stage, host: WitnessedHost) -> None:
    host.faults = Faults(node_ms=60_000)

    async with process(stage, host, "run_workflow", workflow=card(1)) as child, bound():
        await host.until(lambda now: now.node == "1", CHILD)
        child.kill()
        await child.wait()
    await host.restart()
    host.faults = Faults()
    # It may have been killed before it had noted ComfyUI's answer.
    async with stage.sit(host, pace=FORGETFUL) as desk:
        job = await the_job(desk)

    assert job["status"] == "lost"
    assert sent(host) == ["POST /prompt"]


@promised(
    fault="Killed before a cancel was sent, and ComfyUI restarts before anybody looks",
    told="`lost`, by the next process",
    job="ended unseen; not told to be cancelled, since nobody stopped it",
)
async def test_killed_before_a_cancel_was_sent_and_nobody_looked(
    stage: Stage, host: WitnessedHost
) -> None:
    host.faults = BUSY

    async with stage.sit(host) as desk:
        first = await desk.ask("run_workflow", workflow=card(1), wait_seconds=0)
        second = await desk.ask("run_workflow", workflow=card(2), wait_seconds=0)
    await killed_at(stage, host, "stopping", "cancel_job", prompt_id=second["prompt_id"])
    host.faults = Faults()
    await host.until(lambda now: second["prompt_id"] in now.finished, CHILD)
    await host.restart()
    async with stage.sit(host) as desk:
        job = await desk.ask("get_job", prompt_id=second["prompt_id"], wait_seconds=10)
        await desk.ask("get_job", prompt_id=first["prompt_id"], wait_seconds=10)

    assert job["status"] == "lost"
