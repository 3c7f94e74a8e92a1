"""A client that stops waiting: the call ends at once, the job goes on or is stopped, as it said."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import anyio
import pytest

from comfy_mcp.embedded import BadAnswer, EmbeddedHost, Faults
from comfy_mcp.store.protocol import NewJob
from comfy_mcp.tools.app import Caller
from comfy_mcp.tools.cancelling import stop_if_cancelled
from tests.tools.desk import EVERYTHING, Desk, Sit, card, graph, sent

pytestmark = pytest.mark.anyio


async def cancelled_call(
    desk: Desk, when: Any, tool: str = "run_workflow", **arguments: Any
) -> None:
    """Call *tool*, and stop waiting as soon as *when* has come true."""
    async with anyio.create_task_group() as group:

        async def call() -> None:
            await desk.call(tool, **arguments)
            raise AssertionError("the call was answered")

        group.start_soon(call)
        await when()
        group.cancel_scope.cancel()


async def rows(desk: Desk, **wanted: str) -> list[dict[str, Any]]:
    """Audit rows that say *wanted*, oldest first."""
    found = [dict(row.record) for row in await desk.services.store.tail(100)]
    return [row for row in found if wanted.items() <= row.items()]


async def until_row(desk: Desk, **wanted: str) -> dict[str, Any]:
    """The first audit row that says *wanted*, once it is there."""
    async with asyncio.timeout(20):
        while True:
            if found := await rows(desk, **wanted):
                return found[0]
            await asyncio.sleep(0.01)


async def test_a_cancelled_call_lets_its_job_go_on_and_get_job_finds_it(
    sit: Sit, host: EmbeddedHost
) -> None:
    host.faults = Faults(node_ms=60_000)

    async with sit() as desk:

        async def runs() -> None:
            await host.until(lambda now: now.running is not None)

        await cancelled_call(desk, runs, workflow=card(1))
        host.faults = Faults()
        (prompt_id,) = [row["prompt_id"] for row in await rows(desk, kind="decision")]
        job = await desk.ask("get_job", prompt_id=prompt_id, wait_seconds=20)

    assert job["status"] == "completed"
    assert sent(host) == ["POST /prompt"]


async def test_a_cancelled_call_that_said_so_stops_its_running_job(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit() as desk:

        async def runs() -> None:
            await host.until(lambda now: now.running is not None)

        await cancelled_call(desk, runs, workflow=graph("slow"), on_cancel="cancel")
        await host.until(lambda now: now.running is None)
        decision = await until_row(desk, kind="decision", tool="cancel_job")
        await until_row(desk, kind="outcome", tool="cancel_job", outcome="ok")
        job = await desk.ask("get_job", prompt_id=decision["prompt_id"])

    assert job["status"] == "cancelled"


@pytest.mark.parametrize(
    "faults",
    [
        Faults(answer_delay_ms=500),
        Faults(http=(BadAnswer("slow", "POST", "/prompt", times=1, delay_ms=500),)),
    ],
    ids=["taken-already", "not-taken-yet"],
)
async def test_a_cancel_that_comes_while_the_submit_is_under_way_stops_the_job_all_the_same(
    sit: Sit, host: EmbeddedHost, faults: Faults
) -> None:
    host.faults = faults

    async with sit() as desk:

        async def is_sent() -> None:
            await host.until(lambda _: sent(host) == ["POST /prompt"])

        await cancelled_call(desk, is_sent, workflow=graph("slow"), on_cancel="cancel")
        decision = await until_row(desk, kind="decision", tool="cancel_job")
        await until_row(desk, kind="outcome", tool="cancel_job", outcome="ok")
        job = await desk.ask("get_job", prompt_id=decision["prompt_id"], wait_seconds=20)

    assert job["status"] == "cancelled"
    assert sent(host).count("POST /prompt") == 1


async def test_who_may_not_cancel_jobs_is_told_so_and_its_job_goes_on(
    sit: Sit, host: EmbeddedHost
) -> None:
    rules = {**EVERYTHING["tools"], "cancel_job": {"action": "deny"}}

    async with sit({**EVERYTHING, "tools": rules}) as desk:
        told = await desk.ask("run_workflow", workflow=card(4), on_cancel="cancel")
        host.faults = Faults(node_ms=60_000)

        async def runs() -> None:
            await host.until(lambda now: now.running is not None)

        await cancelled_call(desk, runs, workflow=card(5), on_cancel="cancel")
        refused = await until_row(desk, kind="decision", tool="cancel_job")
        host.faults = Faults()
        job = await desk.ask("get_job", prompt_id=refused["prompt_id"], wait_seconds=20)

    assert any("does not let you stop" in warning for warning in told["warnings"])
    assert refused["decision"] == "deny"
    assert job["status"] == "completed"
    assert set(sent(host)) == {"POST /prompt"}


@pytest.mark.parametrize("on_cancel", ["keep", "cancel"])
async def test_a_call_that_is_answered_stops_nothing(
    sit: Sit, host: EmbeddedHost, on_cancel: str
) -> None:
    host.faults = Faults(node_ms=300)

    async with sit() as desk:
        job = await desk.ask(
            "run_workflow", workflow=card(6), wait_seconds=0.05, on_cancel=on_cancel
        )
        done = await desk.ask("get_job", prompt_id=job["prompt_id"], wait_seconds=20)

    assert done["status"] == "completed"
    assert done["warnings"] == []


async def test_a_cancelled_repeated_call_stops_the_job_it_waited_for(
    sit: Sit, host: EmbeddedHost
) -> None:
    asked = {"workflow": graph("slow"), "idempotency_key": "twice"}

    async with sit() as desk:
        first = await desk.ask("run_workflow", wait_seconds=0, **asked)

        async def waits() -> None:
            await host.until(lambda now: now.running is not None)
            await until_row(desk, kind="decision", tool="run_workflow", code="repeated")

        await cancelled_call(desk, waits, on_cancel="cancel", **asked)
        await until_row(desk, kind="outcome", tool="cancel_job", outcome="ok")
        job = await desk.ask("get_job", prompt_id=first["prompt_id"], wait_seconds=20)

    assert job["status"] == "cancelled"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, "cancelled"),
        ({"key": "other"}, "completed"),
        ({"key": ""}, "completed"),
        ({"request": "sha256:of-another-workflow"}, "completed"),
        ({"grant": "somebody"}, "completed"),
    ],
    ids=["the-same", "another-key", "no-key", "another-request", "another-grant"],
)
async def test_a_repeated_call_that_is_cancelled_before_it_is_told_of_its_job_stops_that_job(
    sit: Sit, host: EmbeddedHost, change: dict[str, str], status: str
) -> None:
    host.faults = Faults(node_ms=60_000)

    async with sit() as desk:
        # While another one runs it waits, and whatever stops it has done so at once.
        await desk.ask("run_workflow", workflow=card(5), wait_seconds=0)
        asked = {"workflow": card(6), "wait_seconds": 0, "idempotency_key": "twice"}
        prompt_id = (await desk.ask("run_workflow", **asked))["prompt_id"]
        store = (await desk.services.jobs()).store
        row = await store.job(prompt_id)
        assert row is not None
        made = NewJob(
            prompt_id=desk.services.new_prompt_id(),
            grant=row.grant,
            host=row.host,
            workflow=row.workflow,
            digest=row.digest,
            shape=row.shape,
            key="twice",
            request=row.request,
        )
        caller = Caller("run_workflow", "local", "local")
        with (
            pytest.raises(asyncio.CancelledError),
            stop_if_cancelled(desk.services, caller, "cancel", replace(made, **change)),
        ):
            raise asyncio.CancelledError
        await asyncio.wait(desk.services._kept)
        host.faults = Faults()
        job = await desk.ask("get_job", prompt_id=prompt_id, wait_seconds=20)

    assert job["status"] == status


async def test_other_calls_of_the_client_go_on_when_one_is_cancelled(
    sit: Sit, host: EmbeddedHost
) -> None:
    host.faults = Faults(node_ms=60_000)

    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=card(7), wait_seconds=0)
        arguments = {"prompt_id": job["prompt_id"], "wait_seconds": 20}
        other = asyncio.create_task(desk.ask("get_job", **arguments))

        async def waits() -> None:
            await until_row(desk, kind="decision", tool="get_job")

        await cancelled_call(desk, waits, "get_job", **arguments)
        host.faults = Faults()
        done = await other
        await until_row(desk, kind="outcome", tool="get_job", outcome="cancelled_by_client")

    assert done["status"] == "completed"
