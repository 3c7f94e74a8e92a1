"""What the caller can do now about a job or a request, naming only tools that it may call."""

from __future__ import annotations

from comfy_mcp.jobs.job import Job
from comfy_mcp.store.asked import (
    APPROVED,
    CANCELLED,
    CLIENT,
    DENIED,
    EXPIRED,
    PENDING,
    QUESTION,
    SPENT,
)
from comfy_mcp.store.protocol import ApprovalRow
from comfy_mcp.tools.app import App, Caller

__all__ = ["approval_next", "with_next"]

RESTART = "Tell the user: the owner of ComfyUI has to restart it; nothing runs until then."

AGAIN = (
    'To have it after all: run_workflow again, with from_prompt_id="{}" and another idempotency_key'
    " if you gave one."
)

WAIT_SECONDS = 40
"""Below what many clients wait for an answer."""


def with_next(job: Job, app: App, caller: Caller) -> Job:
    """*job* with a hint, if there is something to do."""
    text = _next(job, app, caller)
    return job if text is None else job.model_copy(update={"next": text})


def approval_next(row: ApprovalRow, app: App, caller: Caller) -> str | None:
    """What the caller can do about a request of its own."""

    def may(tool: str) -> bool:
        return app.gate.listed(caller.identity, tool)

    if row.status == PENDING:
        told = f"Tell the user to run: {app.gate.requests.command(row.approval_id)}"
        wait = f'get_approval("{row.approval_id}", wait_seconds={WAIT_SECONDS}) has the answer. '
        return wait + told if may("get_approval") else told
    if row.status == DENIED:
        who = "your client did not confirm it" if row.by.get("assurance") == CLIENT else "it is no"
        return f"Tell the user: {who}. Do not ask for the same again."
    if row.status == SPENT and row.prompt_id and may("get_job"):
        return f'A yes holds once. Its job: get_job("{row.prompt_id}")'
    if row.kind == QUESTION and row.status == APPROVED and row.changes:
        return "The answer is yes, to what context says now: a person changed it."
    if not may(row.tool):
        return None
    return _ASKED[row.kind == QUESTION].get(row.status, "").format(_call(row)) or None


def _call(row: ApprovalRow) -> str:
    if row.tool == "run_workflow":
        return f'run_workflow(approval_id="{row.approval_id}")'
    return f"repeat your {row.tool} call exactly"


_ASKED = {
    False: {
        APPROVED: "Now {}",
        EXPIRED: "To have it after all: make the call again, which asks anew.",
        CANCELLED: "To have it after all: make the call again, which asks anew.",
        SPENT: "A yes holds once: make the call again, which asks anew.",
    },
    True: {
        APPROVED: "The answer is yes.",
        EXPIRED: "Nobody answered in time: that is no yes. Ask again if it still matters.",
        CANCELLED: "It was taken back: that is no yes.",
    },
}
"""By whether it is a question of the agent's own, and by status."""


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
        return AGAIN.format(job.prompt_id)
    pictures = [output for output in job.outputs if output.kind == "image"]
    if job.status == "completed" and pictures and may("view_output"):
        return f'See it: view_output("{pictures[0].uri}")'
    return None
