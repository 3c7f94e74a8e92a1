"""Many at once, and clients that go away.

Every client of an MCP host starts a server process of its own; all of them share one state.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

import anyio
import pytest

from comfy_mcp.embedded import Faults
from comfy_mcp.host.transport import Timeouts
from comfy_mcp.jobs.pace import Pace
from tests.faults.promise import promised
from tests.faults.stage import BUSY, Stage
from tests.faults.witness import WitnessedHost
from tests.tools.desk import Desk, card, sent

pytestmark = pytest.mark.anyio

MANY = 64

CALM = Timeouts(connect=10, answer=10, submit=10, known=10)
"""A crowd on a small machine is slow; that is not the fault here."""


@promised(
    fault="64 clients at once, each with a server of its own; every fourth cancels",
    told="`completed`, or `cancelled` to those who did",
    job="each is run once or not at all, each is told to its own client only",
)
async def test_many_clients_at_once(stage: Stage, host: WitnessedHost) -> None:
    async def run(desk: Desk, number: int) -> str:
        """One client's whole visit."""
        begun = await desk.ask("run_workflow", workflow=card(number), wait_seconds=0)
        asked = {"prompt_id": begun["prompt_id"]}
        if number % 4 == 0:
            report = await desk.ask("cancel_job", **asked)
            assert report["outcome"] in {"cancelled", "already_finished"}
        job = await desk.ask("get_job", wait_seconds=60, **asked)
        assert job["prompt_id"] == begun["prompt_id"]
        return job["status"]

    async with AsyncExitStack() as stack:
        desks = [
            await stack.enter_async_context(
                stage.sit(
                    host,
                    grant=f"agent-{number}",
                    pace=Pace(),
                    timeouts=CALM,
                    look_seconds=1,
                    bound=90,
                )
            )
            for number in range(MANY)
        ]
        told = await asyncio.gather(*(run(desk, number) for number, desk in enumerate(desks)))
        pages = await asyncio.gather(*(desk.ask("list_jobs") for desk in desks))
        counted = Counter(row.status for row in await stage.rows())

    assert set(told) <= {"completed", "cancelled"}
    assert Counter(told) == counted
    assert counted.total() == MANY
    assert counted["cancelled"] <= MANY // 4
    assert [len(page["jobs"]) for page in pages] == [1] * MANY
    assert sent(host).count("POST /prompt") == MANY


@promised(
    fault="One client submits 32 jobs at once",
    told="`completed`, 32 times, under 32 ids",
    job="each runs once",
)
async def test_many_jobs_of_one_client(stage: Stage, host: WitnessedHost) -> None:
    async with stage.sit(host, timeouts=CALM) as desk:
        calls = (desk.ask("run_workflow", workflow=card(number)) for number in range(32))
        jobs = await asyncio.gather(*calls)

    assert [job["status"] for job in jobs] == ["completed"] * 32
    assert len({job["prompt_id"] for job in jobs}) == 32
    assert len({job["outputs"][0]["filename"] for job in jobs}) == 32
    assert sent(host).count("POST /prompt") == 32


@promised(
    fault="The client stops waiting for run_workflow",
    told="nothing; asked later: `completed`",
    job="runs on, once (`cancelled` if the call said `on_cancel`)",
)
@pytest.mark.parametrize("on_cancel", ["keep", "cancel"])
async def test_a_client_that_stops_waiting(
    stage: Stage, host: WitnessedHost, on_cancel: str
) -> None:
    host.faults = BUSY

    async with stage.sit(host) as desk:
        async with anyio.create_task_group() as group:

            async def call() -> None:
                await desk.call("run_workflow", workflow=card(1), on_cancel=on_cancel)

            group.start_soon(call)
            await host.until(lambda now: now.node == "1")
            group.cancel_scope.cancel()
        (row,) = await stage.rows()
        if on_cancel == "cancel":
            await host.until(lambda now: len(sent(now)) > 1)
        host.faults = Faults()
        await host.until(lambda now: now.running is None)
        job = await desk.ask("get_job", prompt_id=row.prompt_id, wait_seconds=10)

    assert job["status"] == {"keep": "completed", "cancel": "cancelled"}[on_cancel]
    assert sent(host).count("POST /prompt") == 1


@promised(
    fault="The client goes away in the middle of everything, and its server with it",
    told="nothing; a new client is told the truth: `completed`",
    job="runs on, once",
)
async def test_a_client_that_goes_away(stage: Stage, host: WitnessedHost) -> None:
    host.faults = Faults(node_ms=300)

    with anyio.CancelScope() as gone:
        async with stage.sit(host) as desk:
            await desk.ask("run_workflow", workflow=card(1), wait_seconds=0)
            await host.until(lambda now: now.running is not None)
            gone.cancel()
            await desk.ask("get_server_status")
    async with stage.sit(host) as desk:
        (listed,) = (await desk.ask("list_jobs"))["jobs"]
        job = await desk.ask("get_job", prompt_id=listed["prompt_id"], wait_seconds=10)

    assert job["status"] == "completed"
    assert sent(host) == ["POST /prompt"]


@promised(
    fault="clear_queue, while one's jobs wait among others', and one of them starts",
    told="which were taken out, and which had `started`",
    job="those that waited: `cancelled`; others' run",
)
async def test_a_queue_that_is_cleared_while_it_moves(stage: Stage, host: WitnessedHost) -> None:
    host.faults = BUSY

    async with stage.sit(host, grant="a") as one, stage.sit(host, grant="b") as other:
        desks = [one, other] * 4
        asked = [
            (desk, await desk.ask("run_workflow", workflow=card(number), wait_seconds=0))
            for number, desk in enumerate(desks)
        ]
        # From now on it moves: the last one that waits has long to go.
        host.faults = Faults(node_ms=400)
        report = await one.ask("clear_queue")
        host.faults = Faults()
        jobs = [
            (desk, await desk.ask("get_job", prompt_id=job["prompt_id"], wait_seconds=15))
            for desk, job in asked
        ]

    cleared = set(report["prompt_ids"])
    mine = {job["prompt_id"]: job["status"] for desk, job in jobs if desk is one}
    theirs = {job["status"] for desk, job in jobs if desk is other}
    assert cleared
    assert {prompt_id for prompt_id, status in mine.items() if status == "cancelled"} == cleared
    assert set(mine.values()) <= {"completed", "cancelled"}
    assert theirs == {"completed"}
    assert not cleared & set(report.get("started", []))
