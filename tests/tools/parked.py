"""Calls that wait for a person, looked at from behind the server."""

from __future__ import annotations

from typing import Any

from comfy_mcp.embedded import EmbeddedHost
from comfy_mcp.server import now_ms
from comfy_mcp.store.protocol import ApprovalRow, JobRow
from tests.tools.desk import EVERYTHING, Desk
from tests.tools.person import ASKS

__all__ = ["UNKNOWN", "job_of", "parked", "ruled", "sound", "status", "submitted"]

UNKNOWN = "00000000-0000-4000-8000-000000000000"
"""A job that nobody has."""


def ruled(rule: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A person is asked about every run, and this is ruled besides."""
    tools = {**EVERYTHING["tools"], "run_workflow": {"require_approval": True, **rule}}
    return {**ASKS, "tools": tools, **more}


async def parked(desk: Desk, tool: str = "run_workflow", **arguments: Any) -> ApprovalRow:
    """The new request that a call makes."""
    _, body = await desk.refusal(tool, **arguments)
    assert body["code"] == "approval_required", body
    row = await desk.services.store.approval(body["approval_id"], now_ms())
    assert row is not None
    return row


async def status(desk: Desk, row: ApprovalRow) -> str:
    """How a request stands now."""
    found = await desk.services.store.approval_status(row.approval_id, now_ms())
    assert found is not None
    return found


async def sound(desk: Desk) -> None:
    """The audit log is whole, and has a row for each request that was made."""
    assert (await desk.services.store.verify())[1] is None
    rows = [row.record for row in await desk.services.store.tail(1_000)]
    asked = {row["approval_id"] for row in rows if row.get("action") == "requested"}
    found = await desk.services.store.approvals(now_ms(), count=1_000)
    assert {row.approval_id for row in found} == asked


def submitted(host: EmbeddedHost) -> list[dict[str, Any]]:
    """The graphs that were sent."""
    return [
        one.body["prompt"] for one in host.seen if (one.method, one.path) == ("POST", "/prompt")
    ]


async def job_of(desk: Desk, row: ApprovalRow) -> JobRow:
    """The job that a request was used for."""
    used = await desk.services.store.approval(row.approval_id, now_ms())
    assert used is not None
    assert (used.status, used.prompt_id is not None) == ("spent", True)
    job = await desk.services.store.job(used.prompt_id or "")
    assert job is not None
    return job
