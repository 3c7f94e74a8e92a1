"""The ``next`` of a job: what the caller can do now, naming only tools that it may call."""

from __future__ import annotations

from comfy_mcp.jobs.job import Job
from comfy_mcp.tools.app import App, Caller

__all__ = ["with_next"]

RESTART = "Tell the user: the owner of ComfyUI has to restart it; nothing runs until then."

AGAIN = "To have it after all: run_workflow again, with another idempotency_key if you gave one."


def with_next(job: Job, app: App, caller: Caller) -> Job:
    """*job* with a hint, if there is something to do."""
    text = _next(job, app, caller)
    return job if text is None else job.model_copy(update={"next": text})


def _next(job: Job, app: App, caller: Caller) -> str | None:
    """The first that fits of what a caller can do about a job of its own."""
    if job.owner != "mine":
        return None

    def may(tool: str) -> bool:
        return app.gate.listed(caller.identity, tool)

    if job.error is not None and job.error.type == "worker_dead":
        return RESTART
    if job.status in {"pending", "in_progress"} and may("get_job"):
        return f'Not finished: get_job("{job.prompt_id}", wait_seconds=40)'
    if job.status == "lost" and may("run_workflow"):
        return AGAIN
    pictures = [output for output in job.outputs if output.kind == "image"]
    if job.status == "completed" and pictures and may("view_output"):
        return f'See it: view_output("{pictures[0].uri}")'
    return None
