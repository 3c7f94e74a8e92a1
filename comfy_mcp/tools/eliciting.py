"""The client is asked for its user, where the policy is content with that: the weaker channel.

A client can answer by program, so such a yes is written down as the client's word. It goes through
the SDK's `Resolve` and `Elicit`: since 2026-07-28 a question is an answer to the call, which the
client repeats with what its user said; before that it is a request of its own, while the call
waits. What the client brings back is sealed by a key of this very process. On stdio the client
ends with the process, so nobody has to share that key.

A call is tried before its question, to see whether there is one: what needs none has happened then,
and its result is handed out. All that is no clear yes is none.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, TypeVar

import anyio
from mcp.server.mcpserver import (
    AcceptedElicitation,
    CancelledElicitation,
    Context,
    Elicit,
    ElicitationResult,
)
from mcp.server.mcpserver.exceptions import ToolError
from mcp.shared.exceptions import MCPError
from mcp.types import CallToolResult
from pydantic import BaseModel, BeforeValidator, Field

from comfy_mcp.errors import StateError
from comfy_mcp.guard.asking import AskClient
from comfy_mcp.store.protocol import ApprovalRow
from comfy_mcp.tools.app import App, Caller
from comfy_mcp.tools.asked_words import question
from comfy_mcp.tools.failure import failure

__all__ = ["ASK_SECONDS", "Confirm", "ask", "heard", "within"]

log = logging.getLogger(__name__)

Result = TypeVar("Result")

Attempt = Callable[[Caller], Awaitable[CallToolResult]]
"""Does what a call asks for, refusals included, as the caller it is given."""

ASK_SECONDS = 300.0
"""How long a client may take to answer for its user."""


def _only_true(value: object) -> bool:
    """True is yes; a word or a number that reads like it is not."""
    return value is True


class Confirm(BaseModel):
    """Your answer."""

    approve: Annotated[
        bool, BeforeValidator(_only_true), Field(description="Yes, let the agent do this once")
    ] = False


@dataclass(slots=True)
class _Asking:
    """How far one call is: the question that is out, or what it came to without one."""

    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    seconds: float = ASK_SECONDS
    over: bool = False
    row: ApprovalRow | None = None
    done: CallToolResult | None = None


_asking: ContextVar[_Asking | None] = ContextVar("asking", default=None)


async def within(seconds: float, call: Callable[[], Awaitable[Result]]) -> Result:
    """*call*; and once more, without a question, if the client gave no answer in *seconds*.

    The same if its answer is an error or makes no sense.
    """
    asking = _Asking(seconds=seconds)
    token = _asking.set(asking)
    try:
        try:
            with asking.scope:
                return await call()
            why = "no answer in time"
        except (ToolError, MCPError) as error:
            if asking.row is None:
                raise
            why = str(error)
        about = asking.row.approval_id if asking.row else "a call"
        log.info("The client could not be asked about %s: %.200s", about, why)
        asking.over, asking.row = True, None
        return await call()
    finally:
        _asking.reset(token)


async def ask(
    app: App, ctx: Context[Any, Any], caller: Caller, attempt: Attempt
) -> Confirm | Elicit[Confirm]:
    """The question to the client, if there is one; else the call may be done already."""
    asking = _asking.get()
    if asking is None or asking.over or not app.gate.requests.of_clients or not _can(ctx):
        return Confirm()
    try:
        asking.done = await attempt(replace(caller, asks_client=True))
    except AskClient as asks:
        asking.row = asks.row
        asking.scope.deadline = anyio.current_time() + asking.seconds
        return Elicit(question(asks.row), Confirm)
    return Confirm()


async def heard(
    app: App, caller: Caller, answer: ElicitationResult[Confirm], attempt: Attempt
) -> CallToolResult:
    """What the call comes to, now that the client has been asked if it had to be.

    Whoever cancels the question has not answered it: then it waits for the operator.
    """
    asking = _asking.get()
    if asking is None:
        return await attempt(caller)
    asking.scope.deadline = math.inf
    if asking.done is not None:
        return asking.done
    row, asking.row = asking.row, None
    if row is not None or asking.over:
        # The client may have taken its time: what was edited meanwhile counts.
        await app.gate.refresh()
    if row is not None and not isinstance(answer, CancelledElicitation):
        yes = isinstance(answer, AcceptedElicitation) and answer.data.approve is True
        try:
            await app.gate.requests.answered(row, approve=yes, client=caller.client)
        except StateError as error:
            return failure(error)
    return await attempt(caller)


def _can(ctx: Context[Any, Any]) -> bool:
    """Whether the client can ask its user by a form."""
    known = ctx.client_capabilities
    able = None if known is None else known.elicitation
    return able is not None and (able.form is not None or able.url is None)
