"""list_jobs and clear_queue: all of a caller's jobs at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from comfy_mcp.guard.question import Effect
from comfy_mcp.jobs.job import Status
from comfy_mcp.jobs.listing import JobPage
from comfy_mcp.tools.app import App, Caller
from comfy_mcp.tools.cancelling import MARGIN_MS

if TYPE_CHECKING:
    from comfy_mcp.jobs.clear import ClearReport

__all__ = ["ClearResult", "clear_queue", "list_jobs"]

NAMED = 20
"""Jobs of each kind that are named in an answer."""

NOTHING = "None of your jobs waits; nothing was sent."

CLEAR_SECONDS = 15
"""How long taking jobs out of the queue, and looking whether they are, may take."""


class ClearResult(BaseModel):
    """What became of the caller's waiting jobs."""

    model_config = ConfigDict(frozen=True)

    cleared: Annotated[int, Field(description="Out of the queue, verified")]
    prompt_ids: Annotated[list[str], Field(description="The first of them")] = []
    started: Annotated[list[str], Field(description="Began to run meanwhile; not stopped")] = []
    message: str


async def list_jobs(
    app: App,
    caller: Caller,
    *,
    status: Annotated[Status | list[Status] | None, Field(description="Default: all")] = None,
    mine: Annotated[bool, Field(description="false: everybody's, status only")] = True,
    limit: Annotated[int, Field(ge=1, le=100)] = 20,
    cursor: Annotated[
        str | None, Field(max_length=200, description="next_cursor of the page before")
    ] = None,
) -> JobPage:
    """Your jobs: what runs, what waits in its order, then what has ended, newest first."""
    asked = [status] if isinstance(status, str) else status or []
    async with caller.admitted(app, caller.call()):
        jobs = await app.jobs()
        return await jobs.listed(
            caller.grant, statuses=frozenset(asked), mine=mine, limit=limit, cursor=cursor
        )


async def clear_queue(
    app: App,
    caller: Caller,
    scope: Literal["mine"] = "mine",  # noqa: ARG001 - read by policies; there is no other yet
) -> ClearResult:
    """Take all your own waiting jobs out of the queue; those that run go on."""
    from comfy_mcp.jobs.clear import clear  # noqa: PLC0415 - start-up stays light

    jobs = await app.jobs()
    pending = await jobs.pending_of(caller.grant)
    stop_ms = CLEAR_SECONDS * 1000 + MARGIN_MS
    call = caller.call(targets=pending, stop_ms=stop_ms)
    if not pending and app.gate.decide(call, final=True).effect is Effect.APPROVAL:
        # Nobody is asked about clearing nothing.
        return ClearResult(cleared=0, message=NOTHING)
    async with caller.admitted(app, call) as granted:
        targets = granted.call.targets
        if not targets:
            return ClearResult(cleared=0, message=NOTHING)
        if granted.stop is None:
            raise AssertionError("a stop was admitted without a permit")
        report = await clear(jobs, caller.grant, granted.stop, targets)
    return ClearResult(
        cleared=len(report.cleared),
        prompt_ids=list(report.cleared[:NAMED]),
        started=list(report.started[:NAMED]),
        message=_words(report),
    )


def _words(report: ClearReport) -> str:
    words = [f"Taken out of the queue: {len(report.cleared)} of your waiting jobs."]
    if report.started:
        words.append(f"{len(report.started)} had started: cancel_job stops one.")
    if report.gone:
        words.append(f"{len(report.gone)} had ended already.")
    if report.waiting:
        words.append(f"{len(report.waiting)} still wait, though ComfyUI was told: call again.")
    return " ".join(words)
