"""The person at the other end: decides as terminal and page do, past the server."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from comfy_mcp.oversight.approvals import decide
from comfy_mcp.server import now_ms
from comfy_mcp.store.protocol import ApprovalRow
from tests.tools.desk import EVERYTHING, Desk

__all__ = ["ASKS", "Clock", "asking", "no", "only", "until_asked", "until_waiting", "yes"]

BY = {"channel": "terminal", "user": "ada", "assurance": "operator"}


def asking(tool: str = "run_workflow", **approvals: Any) -> dict[str, Any]:
    """Everything is allowed, *tool* by a person only; nobody waits unless *approvals* say so."""
    tools = {**EVERYTHING["tools"], tool: {"require_approval": True}}
    return {**EVERYTHING, "tools": tools, "approvals": {"wait_s": 0, **approvals}}


ASKS = asking()


@dataclass
class Clock:
    """Stands still but for what tests add to it."""

    began_ms: int = field(default_factory=now_ms)
    skipped_ms: int = 0

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return self.began_ms + self.skipped_ms


async def yes(desk: Desk, approval_id: str, reason: str = "", **changes: Any) -> ApprovalRow:
    """Approve a request, maybe with other values."""
    return await _said(desk, approval_id, approve=True, reason=reason, changes=changes)


async def no(desk: Desk, approval_id: str, reason: str = "") -> ApprovalRow:
    """Deny a request."""
    return await _said(desk, approval_id, approve=False, reason=reason, changes={})


async def until_asked(desk: Desk) -> ApprovalRow:
    """The newest request that waits for a person, once there is one."""
    async with asyncio.timeout(20):
        while True:
            if rows := await desk.services.store.approvals(
                now_ms(), statuses=frozenset({"pending"}), count=1
            ):
                return rows[0]
            await asyncio.sleep(0.01)


async def until_waiting(desk: Desk) -> ApprovalRow:
    """The request that a call waits for by now: it has said so."""
    row = await until_asked(desk)
    async with asyncio.timeout(20):
        while True:
            if any(row.approval_id in words for _, words in desk.progress):
                return row
            await asyncio.sleep(0.01)


async def only(desk: Desk) -> ApprovalRow:
    """The one request that there is."""
    (row,) = await desk.services.store.approvals(now_ms(), count=10)
    return row


async def _said(desk: Desk, approval_id: str, **said: Any) -> ApprovalRow:
    at_ms = now_ms()
    store = desk.services.store
    decided = await decide(store, approval_id, by=BY, now_ms=at_ms, judge=None, **said)
    assert decided.ok, decided.message
    assert decided.row is not None
    return decided.row
