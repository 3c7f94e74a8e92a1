"""Requests to people as their agent sees them: look, wait, list, take back, and ask. None decides.

A caller sees its own requests only; another's is as unknown as one that is not there.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from comfy_mcp.errors import ApprovalNotFound, WorkflowError
from comfy_mcp.guard.requests import Asked
from comfy_mcp.quoting import bounded, plain
from comfy_mcp.store.asked import APPROVED, PENDING, QUESTION
from comfy_mcp.store.protocol import ApprovalRow
from comfy_mcp.tools.app import App, Caller
from comfy_mcp.tools.asked_words import what
from comfy_mcp.tools.hints import approval_next
from comfy_mcp.tools.run import Wait
from comfy_mcp.workflow.digest import canonical

__all__ = [
    "Approval",
    "ApprovalPage",
    "Requested",
    "cancel_approval",
    "get_approval",
    "list_approvals",
    "request_approval",
]

MOST_ACTION = 200
"""Characters."""

MOST_CONTEXT = 4_096
"""Bytes of JSON."""

MOST_DEPTH = 8
"""Lists and objects in one another."""

MOST_REASON = 500
MOST_VALUE = 200
"""Characters of what a person wrote or changed."""

Status = Literal["pending", "approved", "denied", "cancelled", "spent", "expired"]

ApprovalId = Annotated[str, Field(pattern=r"^apr_[0-9a-f]{16}$")]


class _Shown(BaseModel):
    model_config = ConfigDict(frozen=True)


class ListedApproval(_Shown):
    """One request to a person in a line."""

    approval_id: str
    status: Status
    tool: str
    what: str
    expires_in_s: float | None = None


class Requested(ListedApproval):
    """A request as it stands now."""

    next: str | None = None


class Approval(ListedApproval):
    """A request to a person, and what became of it."""

    kind: Literal["call", "question"]
    reason: Annotated[str | None, Field(description="The person's words")] = None
    changes: Annotated[
        dict[str, Any] | None, Field(description="By the person: [before, after]")
    ] = None
    context: Annotated[dict[str, Any] | None, Field(description="Of a question, as approved")] = (
        None
    )
    prompt_id: Annotated[str | None, Field(description="The job it was used for")] = None
    next: str | None = None


class ApprovalPage(_Shown):
    """Some requests, newest first."""

    approvals: list[ListedApproval]
    next_cursor: Annotated[str | None, Field(description="More: ask again with it")] = None


def _small(context: dict[str, Any]) -> dict[str, Any]:
    """*context*, if a person can be expected to read it."""
    layer: list[object] = [context]
    for _ in range(MOST_DEPTH):
        layer = [inner for one in layer for inner in _inside(one)]
    if layer:
        raise ValueError(f"it is nested more than {MOST_DEPTH} deep")
    try:
        size = len(canonical(context))
    except WorkflowError as error:
        raise ValueError(str(error)) from error
    if size > MOST_CONTEXT:
        raise ValueError(f"it has {size} bytes of JSON; at most {MOST_CONTEXT} fit")
    return context


def _inside(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(cast("dict[str, object]", value).values())
    return cast("list[object]", value) if isinstance(value, list) else []


def _readable(action: str) -> str:
    """*action*, if there is anything in it that a person can see."""
    if not plain(action):
        raise ValueError("there is nothing in it that a person could read")
    try:
        canonical(action)
    except WorkflowError as error:
        raise ValueError(str(error)) from error
    return action


async def get_approval(
    app: App,
    caller: Caller,
    approval_id: ApprovalId,
    wait_seconds: Annotated[Wait, Field(description="Wait so long for an answer")] = 0,
) -> Approval:
    """What a person said to one of your requests: status, reason, changes, and what to do next."""

    async def say(words: str) -> None:
        await caller.say(0.0, words)

    async with caller.admitted(app, caller.call()):
        found = await app.gate.requests.find(caller.grant, approval_id, wait_seconds, say)
        row = _known(found, approval_id)
    answered = row.kind == QUESTION and row.status == APPROVED
    return Approval(
        **_line(row, app),
        kind="question" if row.kind == QUESTION else "call",
        reason=_reason(row),
        changes=bounded(row.changes, MOST_VALUE) or None,
        context=dict(row.payload["context"]) if answered else None,
        prompt_id=row.prompt_id,
        next=approval_next(row, app, caller),
    )


async def list_approvals(
    app: App,
    caller: Caller,
    *,
    status: Annotated[Status | None, Field(description="Default: all")] = None,
    limit: Annotated[int, Field(ge=1, le=100)] = 20,
    cursor: Annotated[
        str | None,
        Field(pattern=r"^[0-9]{1,18}$", description="next_cursor of the page before"),
    ] = None,
) -> ApprovalPage:
    """Your requests to people, newest first."""
    statuses = None if status is None else frozenset({str(status)})
    before = None if cursor is None else int(cursor)
    async with caller.admitted(app, caller.call()):
        requests = app.gate.requests
        rows = await requests.page(caller.grant, statuses, before, limit + 1)
    listed = [ListedApproval(**_line(row, app)) for row in rows[:limit]]
    more = str(rows[limit - 1].seq) if len(rows) > limit else None
    return ApprovalPage(approvals=listed, next_cursor=more)


async def request_approval(
    app: App,
    caller: Caller,
    *,
    action: Annotated[
        str,
        Field(min_length=1, max_length=MOST_ACTION, description="What you want to do, in words"),
        AfterValidator(_readable),
    ],
    context: Annotated[
        dict[str, Any],
        Field(description="What to know about it; the person may change values"),
        AfterValidator(_small),
    ] = {},  # noqa: B006 - pydantic copies it
    urgency: Literal["low", "medium", "high"] = "medium",
    expires_in: Annotated[int, Field(ge=60, le=86_400, description="Seconds")] = 3600,
) -> Requested:
    """Ask a person about something of your own, and go on; get_approval has the answer.

    A yes lets no tool call through: calls that need one ask by themselves.
    """
    asked = Asked(action, context, urgency, expires_in * 1000)
    async with caller.admitted(app, caller.call()) as granted:
        row = await app.gate.requests.ask(granted.call, asked, granted.decision_id)
    return Requested(**_line(row, app), next=approval_next(row, app, caller))


async def cancel_approval(app: App, caller: Caller, approval_id: ApprovalId) -> Requested:
    """Take back a request of yours that nobody has decided, or that was approved and not used."""
    async with caller.admitted(app, caller.call()):
        requests = app.gate.requests
        row = _known(
            await requests.take_back(caller.grant, approval_id, caller.client), approval_id
        )
    return Requested(**_line(row, app), next=approval_next(row, app, caller))


def _known(row: ApprovalRow | None, approval_id: str) -> ApprovalRow:
    if row is None:
        raise ApprovalNotFound(f"You have no request {approval_id}; list_approvals has yours.")
    return row


def _line(row: ApprovalRow, app: App) -> dict[str, Any]:
    """What every answer says of a request; how long it can still be decided, or used."""
    left_ms = max(0, row.expires_ms - app.gate.requests.now_ms())
    return {
        "approval_id": row.approval_id,
        "status": row.status,
        "tool": row.tool,
        "what": what(row),
        "expires_in_s": left_ms / 1000 if row.status in {PENDING, APPROVED} else None,
    }


def _reason(row: ApprovalRow) -> str | None:
    """The person's words; the guard's own word for a request that it ended is not one of them."""
    if row.by.get("channel") == "guard":
        return "The policy was edited, which ended this request."
    return plain(row.reason, MOST_REASON) or None
