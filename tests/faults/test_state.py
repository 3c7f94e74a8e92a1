"""The guard's own state, and the clock.

What cannot be written down first is not done; what is done is told, written down or not.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3

import pytest

from comfy_mcp.embedded import Faults
from comfy_mcp.server import now_ms
from comfy_mcp.store.folder import FILE
from tests.faults.disks import DISKS
from tests.faults.promise import promised
from tests.faults.stage import BUSY, Stage
from tests.faults.witness import WitnessedHost
from tests.tools.desk import EVERYTHING, card, sent

pytestmark = pytest.mark.anyio

HOUR = 3_600_000


class Clock:
    """The machine's clock, set to another time by *step_ms*."""

    step_ms = 0

    def __call__(self) -> int:
        """Milliseconds since the epoch."""
        return now_ms() + self.step_ms


@promised(
    fault="The disk is full",
    told="`audit_unavailable`, which may be tried again; get_server_status names the `state`",
    job="nothing is sent; once there is room: `completed`",
)
@pytest.mark.parametrize("kind", DISKS)
async def test_a_full_disk(stage: Stage, host: WitnessedHost, kind: str) -> None:
    disk = await DISKS[kind](stage)

    async with stage.sit(host) as desk:
        await desk.ask("get_server_status")
        async with disk(desk.services.store):
            _, body = await desk.refusal("run_workflow", workflow=card(1))
            status = await desk.ask("get_server_status")
            before = sent(host)
        job = await desk.ask("run_workflow", workflow=card(1))

    assert (body["code"], body["retryable"]) == ("audit_unavailable", True)
    assert "state" in status["degraded"]
    assert before == []
    assert job["status"] == "completed"


@promised(
    fault="The disk gets full while a job runs",
    told="that the job runs, or that the state cannot be used; with room again: `completed`",
    job="runs once; its end is written down as soon as that can be done",
)
@pytest.mark.parametrize("kind", DISKS)
async def test_a_disk_that_gets_full_while_a_job_runs(
    stage: Stage, host: WitnessedHost, kind: str
) -> None:
    disk = await DISKS[kind](stage)
    host.faults = BUSY

    async with stage.sit(host) as desk:
        begun = await desk.ask("run_workflow", workflow=card(1), wait_seconds=0)
        await host.until(lambda now: now.running is not None)
        async with disk(desk.services.store):
            host.faults = Faults()
            asked = {"prompt_id": begun["prompt_id"], "wait_seconds": 1}
            meanwhile = await desk.call("get_job", **asked)
        job = await desk.ask("get_job", prompt_id=begun["prompt_id"], wait_seconds=10)

    assert meanwhile.is_error or meanwhile.structured_content["status"] != "lost"
    assert job["status"] == "completed"
    assert sent(host) == ["POST /prompt"]


@promised(
    fault="The state folder is removed while the server runs",
    told="`audit_unavailable`; get_server_status names the `state`",
    job="nothing is sent: budgets, freezes and keys are not known any more",
)
async def test_a_state_folder_that_is_gone(stage: Stage, host: WitnessedHost) -> None:
    async with stage.sit(host) as desk:
        first = await desk.ask("run_workflow", workflow=card(1))
        shutil.rmtree(stage.state)
        _, body = await desk.refusal("run_workflow", workflow=card(2))
        status = await desk.ask("get_server_status")

    assert first["status"] == "completed"
    assert body["code"] == "audit_unavailable"
    assert "state" in status["degraded"]
    assert sent(host) == ["POST /prompt"]


@promised(
    fault="Another program holds the state's lock for ever",
    told="`audit_unavailable`, after a bounded time; then `completed`",
    job="nothing is sent meanwhile",
)
async def test_a_state_that_is_locked(stage: Stage, host: WitnessedHost) -> None:
    async with stage.sit(host) as desk:
        await desk.ask("get_server_status")
        holder = sqlite3.connect(stage.state / FILE, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        async with stage.sit(host, patience_ms=100) as impatient:
            _, body = await impatient.refusal("run_workflow", workflow=card(1))
        holder.close()
        job = await desk.ask("run_workflow", workflow=card(1))

    assert body["code"] == "audit_unavailable"
    assert job["status"] == "completed"
    assert sent(host) == ["POST /prompt"]


@promised(
    fault="The clock steps an hour forward or back while a job runs",
    told="nothing of it: `completed`",
    job="runs to its end, under a time limit, too",
)
@pytest.mark.parametrize("step", [HOUR, -HOUR], ids=["forward", "back"])
async def test_a_clock_that_steps_while_a_job_runs(
    stage: Stage, host: WitnessedHost, step: int
) -> None:
    clock = Clock()
    host.faults = BUSY
    policy = {**EVERYTHING, "gpu": {"max_seconds_per_job": 60}}

    async with stage.sit(host, policy=policy, clock=clock) as desk:
        begun = await desk.ask("run_workflow", workflow=card(1), wait_seconds=0)
        await host.until(lambda now: now.node == "1")
        clock.step_ms = step
        host.faults = Faults(node_ms=500)
        job = await desk.ask("get_job", prompt_id=begun["prompt_id"], wait_seconds=10)

    assert job["status"] == "completed"


@promised(
    fault="The clock steps an hour forward or back while a stop is under way",
    told="nothing of it: `cancelled`",
    job="stopped as it was told to",
)
@pytest.mark.parametrize("step", [HOUR, -HOUR], ids=["forward", "back"])
async def test_a_clock_that_steps_while_a_job_is_stopped(
    stage: Stage, host: WitnessedHost, step: int
) -> None:
    clock = Clock()
    host.faults = BUSY

    async with stage.sit(host, clock=clock) as desk:
        begun = await desk.ask("run_workflow", workflow=card(1), wait_seconds=0)
        await host.until(lambda now: now.node == "1")
        async with asyncio.TaskGroup() as group:
            call = desk.ask("cancel_job", prompt_id=begun["prompt_id"])
            stopping = group.create_task(call)
            await host.until(lambda now: len(sent(now)) > 1)
            clock.step_ms = step
            host.faults = Faults()
        job = await desk.ask("get_job", prompt_id=begun["prompt_id"])

    assert stopping.result()["outcome"] == "cancelled"
    assert job["status"] == "cancelled"


@promised(
    fault="The clock steps back, and a limit is full",
    told="`rate_limited`, with an exact `retry_after_s`: our time waits for the clock to catch up",
    job="nothing is sent: no limit is opened by setting the clock",
)
async def test_a_clock_that_steps_back_at_a_limit(stage: Stage, host: WitnessedHost) -> None:
    clock = Clock()
    rules = {**EVERYTHING["tools"], "run_workflow": {"rate_limit": "1/hour"}}

    async with stage.sit(host, policy={**EVERYTHING, "tools": rules}, clock=clock) as desk:
        await desk.ask("run_workflow", workflow=card(1))
        clock.step_ms = -2 * HOUR
        _, body = await desk.refusal("run_workflow", workflow=card(2))

    assert body["code"] == "rate_limited"
    assert sent(host) == ["POST /prompt"]
    assert 2 * HOUR / 1000 < body["retry_after_s"] <= 3 * HOUR / 1000
