"""A yes to a tool that stops or reads: for the jobs that were shown, and once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.shared.exceptions import MCPError

from comfy_mcp.embedded import EmbeddedHost, Faults
from comfy_mcp.server import now_ms
from comfy_mcp.tools.table import TOOLS
from tests.tools.desk import EVERYTHING, Sit, card, graph, sent
from tests.tools.every import ARGUMENTS, NOBODY
from tests.tools.parked import parked, sound, status
from tests.tools.person import asking, yes

pytestmark = pytest.mark.anyio

EVERY = {**EVERYTHING, "all_tools": {"require_approval": True}, "approvals": {"wait_s": 0}}


async def test_an_interrupt_of_whatever_runs_is_for_the_job_that_ran_then(
    sit: Sit, host: EmbeddedHost
) -> None:
    host.faults = Faults(node_ms=60_000)

    async with sit(asking("interrupt_execution")) as desk:
        first = await desk.ask("run_workflow", workflow=card(1), wait_seconds=0)
        await host.until(lambda now: now.running == first["prompt_id"])
        row = await parked(desk, "interrupt_execution")
        assert [one["prompt_id"] for one in row.facts["targets"]] == [first["prompt_id"]]
        await yes(desk, row.approval_id)
        host.faults = Faults()
        await desk.ask("get_job", prompt_id=first["prompt_id"], wait_seconds=20)
        host.faults = Faults(node_ms=60_000)
        second = await desk.ask("run_workflow", workflow=card(2), wait_seconds=0)
        await host.until(lambda now: now.running == second["prompt_id"])
        before = sent(host)

        other = await parked(desk, "interrupt_execution")

        assert other.facts["targets"][0]["prompt_id"] == second["prompt_id"]
        assert sent(host) == before
        assert await status(desk, row) == "approved"
        host.faults = Faults()
        await desk.ask("get_job", prompt_id=second["prompt_id"], wait_seconds=20)


async def test_nobody_is_asked_about_stopping_nothing(sit: Sit, host: EmbeddedHost) -> None:
    async with sit(EVERY) as desk:
        stopped = await desk.ask("interrupt_execution")
        cleared = await desk.ask("clear_queue")
        assert await desk.services.store.approvals(now_ms(), count=9) == ()

    assert (stopped["was"], cleared["cleared"]) == ("not_found", 0)
    assert sent(host) == []


async def test_a_stop_by_its_other_name_spends_the_same_yes_once(sit: Sit) -> None:
    async with sit(asking("cancel_job")) as desk:
        job = await desk.ask("run_workflow", workflow=graph("slow"), wait_seconds=0)
        row = await parked(desk, "cancel_job", prompt_id=job["prompt_id"], wait_seconds=1)
        await yes(desk, row.approval_id)
        report = await desk.ask("comfy_cancel_generation", prompt_id=job["prompt_id"])
        assert report["outcome"] in {"cancelled", "already_finished"}
        assert await status(desk, row) == "spent"
        again = await parked(desk, "comfy_cancel_generation", prompt_id=job["prompt_id"])
        assert again.approval_id != row.approval_id


async def test_a_yes_to_clearing_leaves_jobs_that_came_later_alone(
    sit: Sit, host: EmbeddedHost
) -> None:
    host.faults = Faults(node_ms=60_000)

    async with sit(asking("clear_queue")) as desk:
        jobs = [
            (await desk.ask("run_workflow", workflow=card(color), wait_seconds=0))["prompt_id"]
            for color in range(3)
        ]
        await host.until(lambda now: now.running == jobs[0])
        row = await parked(desk, "clear_queue")
        assert row.payload["targets"] == jobs[1:]
        await yes(desk, row.approval_id)
        later = await desk.ask("run_workflow", workflow=card(9), wait_seconds=0)
        report = await desk.ask("clear_queue")
        waits = await desk.ask("get_job", prompt_id=later["prompt_id"])
        host.faults = Faults()

    assert sorted(report["prompt_ids"]) == sorted(jobs[1:])
    assert waits["status"] == "pending"


async def test_on_cancel_stops_nothing_that_a_person_decides_and_asks_nobody(
    sit: Sit, host: EmbeddedHost, caplog: pytest.LogCaptureFixture
) -> None:
    host.faults = Faults(node_ms=60_000)

    async with sit(asking("cancel_job")) as desk:
        async with anyio.create_task_group() as group:

            async def call() -> None:
                await desk.call("run_workflow", workflow=card(1), on_cancel="cancel")

            group.start_soon(call)
            await host.until(lambda now: now.running is not None)
            group.cancel_scope.cancel()
        with anyio.fail_after(20):
            while "a person decides stops" not in caplog.text:  # noqa: ASYNC110 - a log tells nobody
                await anyio.sleep(0.01)
        assert await desk.services.store.approvals(now_ms(), count=1) == ()
        assert host.running is not None
        assert sent(host) == ["POST /prompt"]
        host.faults = Faults()


async def test_a_resource_is_read_with_a_yes_to_reading_it_only(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit(asking("view_output")) as desk:
        job = await desk.ask("run_workflow", workflow=card(1))
        uri = job["outputs"][0]["uri"]
        viewed = await parked(desk, "view_output", uri=uri)
        await yes(desk, viewed.approval_id)
        with pytest.raises(MCPError) as caught:
            await desk.client.read_resource(uri)
        told = caught.value.error.data["comfy-mcp-guard/denial"]
        assert told["code"] == "approval_required"
        assert told["approval_id"] != viewed.approval_id
        assert not [one for one in host.seen if one.path == "/view"]

        await yes(desk, told["approval_id"])
        read = await desk.client.read_resource(uri)
        assert len(read.contents) == 1
        with pytest.raises(MCPError):
            await desk.client.read_resource(uri)
        assert not (await desk.call("view_output", uri=uri)).is_error
        await desk.refusal("view_output", uri=uri)
        await sound(desk)


QUICK: dict[str, dict[str, Any]] = {
    "cancel_job": {"wait_seconds": 0},
    "interrupt_execution": {"prompt_id": NOBODY, "cleanup_after_ms": 0},
}


@pytest.mark.parametrize("tool", [tool.name for tool in TOOLS])
async def test_no_tool_does_anything_without_a_yes_of_its_own_and_with_it_once(
    sit: Sit, host: EmbeddedHost, tmp_path: Path, tool: str
) -> None:
    arguments = {**ARGUMENTS[tool], **QUICK.get(tool, {})}
    opened = {"export_roots": (tmp_path,)}

    async with sit() as desk:
        host.faults = Faults(node_ms=60_000)
        jobs = [await desk.ask("run_workflow", workflow=card(n), wait_seconds=0) for n in (7, 8)]
        await host.until(lambda now: now.running == jobs[0]["prompt_id"])
    before = sent(host)

    async with sit(EVERY, more=opened) as desk:
        row = await parked(desk, tool, **arguments)
        assert row.tool == tool
        for _ in range(2):
            _, body = await desk.refusal(tool, **arguments)
            assert (body["code"], body["approval_id"]) == ("approval_pending", row.approval_id)
        assert sent(host) == before
        assert [one.path for one in host.seen if one.path == "/view"] == []
        await yes(desk, row.approval_id)
        host.faults = Faults()

        result = await desk.call(tool, **arguments)
        body = json.loads(result.content[-1].text) if result.is_error else {}
        # It was let through, to whatever became of it.
        assert not str(body.get("code", "")).startswith("approval_") or (
            body["code"] == "approval_not_found"
        )
        assert await status(desk, row) == "spent"
        if tool != "clear_queue":  # By now there is nothing to clear.
            assert (await parked(desk, tool, **arguments)).approval_id != row.approval_id
        await sound(desk)
