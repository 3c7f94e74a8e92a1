"""cancel_job and interrupt_execution: stop one job, look whether it stopped, say so truthfully."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from comfy_mcp.errors import JobNotFound
from comfy_mcp.guard.question import Effect
from comfy_mcp.jobs.job import Job
from comfy_mcp.tools.app import App, Caller
from comfy_mcp.tools.cancelling import MARGIN_MS, stopped
from comfy_mcp.tools.ids import PromptId

__all__ = ["CancelResult", "InterruptResult", "cancel_job", "interrupt_execution"]

DEAD = (
    "The job was not stopped: ComfyUI's worker has died, so it neither works nor stops. Only its"
    " owner can help, by restarting ComfyUI: tell them."
)

Told = Annotated[
    Job | None,
    WithJsonSchema({"anyOf": [{"type": "object"}, {"type": "null"}]}),
    Field(description="As get_job tells it"),
]
"""A whole job without its schema: that stands with get_job already."""


class CancelResult(BaseModel):
    """What became of a cancel."""

    model_config = ConfigDict(frozen=True)

    outcome: Literal["cancelled", "already_finished", "still_running", "not_found"]
    was: Annotated[str, Field(description="Status before")]
    actions: Annotated[list[str], Field(description="Requests sent")]
    message: str
    job: Told = None
    counts: Annotated[
        dict[str, int] | None, Field(description="Of a sweep: runs by status now")
    ] = None


class InterruptResult(BaseModel):
    """What became of an interrupt and its cleanup."""

    model_config = ConfigDict(frozen=True)

    stopped: Annotated[bool, Field(description="It runs no more (verified)")]
    prompt_id: str | None = None
    was: str
    took_ms: int
    actions: list[str]
    still_running_in: Annotated[str | None, Field(description="Node")] = None
    message: str
    job: Told = None


async def cancel_job(
    app: App,
    caller: Caller,
    prompt_id: PromptId,
    wait_seconds: Annotated[
        float, Field(ge=0, le=600, description="Verify and repeat so long")
    ] = 15,
) -> CancelResult:
    """Cancel one of your jobs or sweeps, pending or running, and verify that it stopped."""
    from comfy_mcp.tools.sweep_stop import stopped_sweep, sweep_of  # noqa: PLC0415 - start-up stays light

    sweep = await sweep_of(app, caller, prompt_id)
    if sweep is not None:
        counts, outcome, message = await stopped_sweep(app, caller, sweep, wait_seconds)
        return CancelResult(
            outcome=outcome, was="sweep", actions=[], message=message, counts=counts
        )
    report = await stopped(app, caller, prompt_id, wait_seconds)
    job = await _job(app, caller, prompt_id)
    return CancelResult(
        outcome=report.outcome,
        was=report.was,
        actions=list(report.actions),
        message=await _words(app, report.outcome, job),
        job=job,
    )


async def interrupt_execution(
    app: App,
    caller: Caller,
    prompt_id: Annotated[
        PromptId | None, Field(description="Default: the running job, if it is yours")
    ] = None,
    cleanup_after_ms: Annotated[
        int, Field(ge=0, le=600_000, description="Poll, repeat and clean up so long")
    ] = 8000,
) -> InterruptResult:
    """Stop your running job (never another's), then poll until it has left the queue."""
    from comfy_mcp.jobs.stop import stop  # noqa: PLC0415 - start-up stays light

    jobs = await app.jobs()
    target = prompt_id or await jobs.host.running()
    owner = await jobs.owner(target, caller.grant) if target else None
    seconds = cleanup_after_ms / 1000
    call = caller.call(
        target=target, owner=owner, whatever_runs=prompt_id is None, stop_ms=_ms(seconds)
    )
    if target is None and app.gate.decide(call, final=True).effect is Effect.APPROVAL:
        # Nobody is asked about stopping nothing.
        return _nothing_runs()
    async with caller.admitted(app, call) as granted:
        if target is None or granted.stop is None:
            return _nothing_runs()
        report = await stop(jobs, target, granted.stop, seconds=seconds)
    job = await _job(app, caller, target)
    running = report.outcome == "still_running"
    return InterruptResult(
        stopped=report.outcome in {"cancelled", "already_finished"},
        prompt_id=target,
        was=report.was,
        took_ms=report.took_ms,
        actions=list(report.actions),
        still_running_in=job.progress.node_id if running and job and job.progress else None,
        message=await _words(app, report.outcome, job),
        job=job,
    )


def _nothing_runs() -> InterruptResult:
    return InterruptResult(
        stopped=False,
        prompt_id=None,
        was="not_found",
        took_ms=0,
        actions=[],
        message="Nothing is running, so nothing was sent.",
    )


async def _job(app: App, caller: Caller, prompt_id: str) -> Job | None:
    jobs = await app.jobs()
    try:
        return await jobs.get(prompt_id, caller.grant)
    except JobNotFound:
        return None


def _ms(seconds: float) -> int:
    return int(seconds * 1000) + MARGIN_MS


async def _words(app: App, outcome: str, job: Job | None) -> str:
    """One sentence about what happened, and what to do."""
    if outcome == "cancelled":
        return "The job was stopped, and that was verified."
    if outcome == "already_finished":
        return f"The job had ended before it could be stopped: {job.status if job else 'gone'}."
    if outcome == "not_found":
        return "ComfyUI has no such job in its queue or history; nothing was stopped."
    if await _dead(app):
        return DEAD
    node = (
        f" in node {job.progress.node_id}" if job and job.progress and job.progress.node_id else ""
    )
    return (
        f"The job still runs{node}: it was told to stop, but ComfyUI obeys only between nodes or"
        " steps, and loading a model can take minutes. Ask again later."
    )


async def _dead(app: App) -> bool:
    """Whether ComfyUI is known to work on nothing any more; asked only about what did not stop."""
    return (await (await app.jobs()).host.worker()).value == "dead"
