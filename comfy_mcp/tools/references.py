"""What a reference to a former output stands for: the file's name, as ComfyUI's nodes read it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from comfy_mcp.errors import OutputError, WorkflowError
from comfy_mcp.guard.question import Effect
from comfy_mcp.outputs import parse_uri
from comfy_mcp.quoting import plain
from comfy_mcp.tools.app import App, Caller
from comfy_mcp.workflow.references import annotated

if TYPE_CHECKING:
    from comfy_mcp.jobs.manager import Jobs

__all__ = ["MOST", "files_of"]

MOST = 100
"""References in one run."""

LOOK = "view_output"
"""Whose output a caller may look at, that one it may use."""


async def files_of(
    app: App, caller: Caller, jobs: Jobs, references: Collection[str]
) -> dict[str, str]:
    """Each of *references* with the annotated name of its file.

    Raises:
        WorkflowError: one is no reference, not the caller's, not finished, or no file.
        StateError: the journal cannot be read.
    """
    if len(references) > MOST:
        raise WorkflowError(f"A run can use {MOST} outputs of former jobs, not {len(references)}.")
    return {one: await _file(app, caller, jobs, one) for one in sorted(references)}


async def _file(app: App, caller: Caller, jobs: Jobs, reference: str) -> str:
    try:
        prompt_id, number = parse_uri(reference)
    except OutputError as error:
        raise WorkflowError(f"{plain(reference, 120)}: {error}") from None
    row = await jobs.store.job(prompt_id)
    if row is None or not _may_use(app, caller, reference, mine=row.grant == caller.grant):
        # One sentence for both: whether there is such a job of another's is nobody's business.
        raise WorkflowError(
            f"{reference} is not an output of a job of yours, so it cannot be an input. list_jobs"
            " has your jobs; the file of anybody else has to be uploaded."
        )
    if row.host != jobs.label:
        raise WorkflowError(
            f"{reference} was made on another ComfyUI: export it there, and upload it here."
        )
    # A look, since nobody may have written its end down yet.
    job = await jobs.get(prompt_id, row.grant)
    if job.status in {"pending", "in_progress"}:
        raise WorkflowError(
            f"{reference} is not there yet: its job is {job.status}. Wait with get_job, then run"
            " this again."
        )
    files = await jobs.files(prompt_id)
    if number >= len(files):
        have = f"0 to {len(files) - 1}" if files else "none"
        raise WorkflowError(
            f"{reference} does not exist: its job ({job.status}) has the outputs: {have}."
        )
    file = files[number]
    if file.text is not None or not file.filename:
        raise WorkflowError(
            f"{reference} is a text and no file: give the text itself, from get_job or view_output."
        )
    return annotated(file.type, file.subfolder, file.filename)


def _may_use(app: App, caller: Caller, reference: str, *, mine: bool) -> bool:
    if mine:
        return True
    call = replace(caller.call(), tool=LOOK, args={"uri": reference}, owner="other agent")
    return app.gate.decide(call, final=True).effect is Effect.ALLOW
