"""The ``next`` of a job: what the caller can do now, naming only tools that it may call."""

from __future__ import annotations

from comfy_mcp.jobs.job import Job
from comfy_mcp.tools.app import App, Caller

__all__ = ["with_next"]


def with_next(job: Job, app: App, caller: Caller) -> Job:
    """*job* with a hint, if there is something to do."""
    text = _next(job, app, caller)
    return job if text is None else job.model_copy(update={"next": text})


def _next(job: Job, app: App, caller: Caller) -> str | None:
    if job.owner != "mine":
        return None
    if job.status in {"pending", "in_progress"} and app.gate.listed(caller.identity, "get_job"):
        return f'Not finished: get_job("{job.prompt_id}", wait_seconds=40)'
    pictures = [output for output in job.outputs if output.kind == "image"]
    if job.status == "completed" and pictures and app.gate.listed(caller.identity, "view_output"):
        return f'See it: view_output("{pictures[0].uri}")'
    return None
