"""run_workflow: the one tool that puts work on the GPU."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from comfy_mcp.errors import AnswerLost, WorkflowError
from comfy_mcp.guard.call import Granted
from comfy_mcp.jobs.job import Job
from comfy_mcp.library import Library
from comfy_mcp.store.protocol import NewJob
from comfy_mcp.tools.app import App, Caller
from comfy_mcp.tools.cancelling import NO_LEAVE, OnCancel, Underway, may_stop, stop_if_cancelled
from comfy_mcp.tools.hints import with_next
from comfy_mcp.tools.ids import PromptId
from comfy_mcp.tools.misspelt import suggesting
from comfy_mcp.tools.order import Order, ordered
from comfy_mcp.tools.run_matter import RunMatter

if TYPE_CHECKING:
    from comfy_mcp.jobs.manager import Jobs

__all__ = ["Wait", "library_in_words", "run_workflow"]

MAX_LIBRARY = 1_200
"""Characters; clients cut descriptions at 2 kB."""

MOST_NAMED = 12
MOST_PARAMETERS = 16
"""Workflows that a description names, and parameters of each."""

Wait = Annotated[float, Field(ge=0, le=600)]

Params = Annotated[
    dict[str, Any],
    Field(
        description="By name; a graph's: prompt, seed, steps... or NODE_ID.input."
        ' seed: "random" draws one. Files: names, or uris of your outputs'
    ),
]

Key = Annotated[
    str,
    Field(
        pattern=r"^[!-~]{1,128}$",
        description="Your own word for this run: a repeated call gets its job, not a second",
    ),
]

AGAIN = (
    "This is the job of an earlier call with the same idempotency_key: nothing was submitted now."
)
UNANSWERED = (
    "ComfyUI has not answered the submit yet. It was sent once and is not sent again: ask get_job."
)
SAFE = "The same call with the same idempotency_key may be repeated: it never runs twice."


PATIENCE = 2.0
"""Seconds for the answer to a submit; after that the job is looked for while the answer is out."""


async def run_workflow(
    app: App,
    caller: Caller,
    *,
    workflow: Annotated[
        str | dict[str, Any] | None,
        Field(description="Name, or graph (API or editor format)"),
    ] = None,
    from_prompt_id: Annotated[
        PromptId | None, Field(description="Instead: repeat your job, params changed")
    ] = None,
    params: Params = {},  # noqa: B006 - pydantic copies it
    wait_seconds: Annotated[
        Wait, Field(description="Keep it below your own time-out (often 60 s); the job goes on")
    ] = 40,
    front: Annotated[bool, Field(description="Before all that wait")] = False,
    idempotency_key: Key | None = None,
    on_cancel: Annotated[
        OnCancel, Field(description="What becomes of the job if you cancel this call")
    ] = "keep",
    approval_id: Annotated[  # noqa: ARG001 - what it stands for is in the other arguments by now
        str | None,
        Field(
            pattern=r"^apr_[0-9a-f]{16}$",
            description="Alone: run what a person approved under this id",
        ),
    ] = None,
) -> Job:
    """Run a ComfyUI workflow and wait for its outputs.

    A wait that runs out is no error: the job goes on, and `next` says how to follow it.
    """
    began = asyncio.get_running_loop().time()
    jobs = await app.jobs()
    key = idempotency_key or ""
    order = await ordered(
        app, caller, workflow, params, front=front, key=key, from_prompt_id=from_prompt_id
    )
    matter = RunMatter(app, caller, jobs, order)
    call = await matter.judged()
    job = order.job(jobs.label)
    warnings = [] if on_cancel == "keep" or may_stop(app, caller) else [NO_LEAVE]
    async with suggesting(jobs):
        with stop_if_cancelled(app, caller, on_cancel, job) as underway:
            async with app.gate.admit(call, matter) as granted:
                warnings += await _submitted(app, jobs, matter.order, granted, underway)
            prompt_id = underway.prompt_id or job.prompt_id
            # A client that times out has read at least this, and can ask get_job.
            await caller.say(0.0, f"submitted as {prompt_id}")
            left = max(0.0, wait_seconds - (asyncio.get_running_loop().time() - began))
            waiting = jobs.wait(prompt_id, caller.grant, left, caller.tell)
            done = await _unless_refused(waiting, underway.submitting, job)
            if done.status in {"pending", "in_progress"} and not _answered(underway.submitting):
                warnings.append(UNANSWERED)
    warned = done.model_copy(update={"warnings": [*done.warnings, *warnings]})
    return with_next(warned, app, caller)


async def _submitted(
    app: App, jobs: Jobs, order: Order, granted: Granted, underway: Underway
) -> list[str]:
    """Queue the job, or find the one that an earlier call queued; returns what to warn of."""
    if granted.repeated is not None:
        underway.prompt_id = granted.repeated.prompt_id
        return [AGAIN]
    job = granted.call.job
    if granted.submit is None or job is None:
        raise AssertionError("a submit was admitted without a permit")
    underway.prompt_id = job.prompt_id
    underway.submitting = app.keep(
        jobs.submit(
            order.filled.graph,
            prompt_id=job.prompt_id,
            grant=job.grant,
            permit=granted.submit,
            front=order.front,
            drawn=order.told(),
        )
    )
    await asyncio.wait([underway.submitting], timeout=PATIENCE)
    if underway.submitting.done():
        _raise_if_failed(underway.submitting, job)
    return []


async def _unless_refused(
    waiting: Coroutine[Any, Any, Job], submitting: asyncio.Task[Any] | None, job: NewJob
) -> Job:
    """The job as it is after *waiting*; a submit that fails late ends the wait with its error."""
    if submitting is None or submitting.done():
        return await waiting
    looking = asyncio.ensure_future(waiting)
    try:
        await asyncio.wait([looking, submitting], return_when=asyncio.FIRST_COMPLETED)
        if submitting.done():
            _raise_if_failed(submitting, job)
        return await looking
    finally:
        looking.cancel()


def _answered(submitting: asyncio.Task[Any] | None) -> bool:
    return submitting is None or submitting.done()


def _raise_if_failed(submitting: asyncio.Task[Any], job: NewJob) -> None:
    try:
        submitting.result()
    except AnswerLost as error:
        if not job.key:
            raise
        raise AnswerLost(f"{error} {SAFE}", prompt_id=error.prompt_id) from error


def library_in_words(library: Library) -> str:
    """The library as a model reads it: names with parameters, those that must be given first.

    Of many workflows only the first; list_workflows has all, also those that it does not name.
    Reads files: call it on a thread. A workflow that cannot be read is named without parameters;
    running it says why.
    """
    try:
        names = library.names()
    except WorkflowError as error:
        return f"The library cannot be read: {error}"
    lines: list[str] = []
    room = MAX_LIBRARY
    for name in names[:MOST_NAMED]:
        line = _line(library, name)
        room -= len(line) + 1
        if room < 0:
            break
        lines.append(line)
    left = len(names) - len(lines)
    rest = [f"... and {left} more: list_workflows"] if left else []
    return "\n".join(["Library (* must be given):", *lines, *rest])


def _line(library: Library, name: str) -> str:
    try:
        manifest = library.load(name).manifest
    except WorkflowError:
        return name
    required = [f"{one.name}*" for one in manifest.parameters if one.required]
    others = [one.name for one in manifest.parameters if not one.required]
    given = [*required, *others]
    more = ", ..." if len(given) > MOST_PARAMETERS else ""
    return f"{name}({', '.join(given[:MOST_PARAMETERS])}{more})"
