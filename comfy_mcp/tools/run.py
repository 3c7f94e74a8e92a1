"""run_workflow: the one tool that puts work on the GPU."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, cast

import anyio
from pydantic import Field

from comfy_mcp.errors import WorkflowError
from comfy_mcp.guard.question import Prefix
from comfy_mcp.jobs.job import Job
from comfy_mcp.library import Library
from comfy_mcp.store.protocol import NewJob
from comfy_mcp.tools.app import App, Caller
from comfy_mcp.tools.hints import with_next
from comfy_mcp.tools.measuring import measured
from comfy_mcp.workflow import Filled, fill, parse_graph

__all__ = ["Wait", "library_in_words", "run_workflow"]

MAX_LIBRARY = 1_500
"""Characters; clients cut descriptions at 2 kB."""

Wait = Annotated[float, Field(ge=0, le=600)]


async def run_workflow(
    app: App,
    caller: Caller,
    *,
    workflow: Annotated[
        str | dict[str, Any], Field(description="Library name, or an API-format graph")
    ],
    params: Annotated[dict[str, Any], Field(description="Parameters of a library workflow")] = {},  # noqa: B006 - pydantic copies it
    wait_seconds: Annotated[
        Wait, Field(description="Keep it below your own time-out (often 60 s); the job goes on")
    ] = 40,
    front: Annotated[bool, Field(description="Before all that wait")] = False,
) -> Job:
    """Run a ComfyUI workflow and wait for its outputs.

    A wait that runs out is no error: the job goes on; ask get_job. Look at pictures with
    view_output.
    """
    name = workflow if isinstance(workflow, str) else "inline"
    prefix = app.gate.prefix(caller.call())
    async with app.preparing:
        filled = await anyio.to_thread.run_sync(_prepare, app, workflow, params, prefix)
    jobs = await app.jobs()
    ready = await measured(app, caller, jobs, filled.graph, front=front)
    job = NewJob(
        prompt_id=app.new_prompt_id(),
        grant=caller.grant,
        host=jobs.label,
        workflow=name,
        digest=ready.digest,
        shape=ready.shape,
    )
    async with app.gate.admit(caller.call(run=ready.run, job=job)) as granted:
        if granted.submit is None:
            raise AssertionError("a submit was admitted without a permit")
        await jobs.submit(
            filled.graph,
            prompt_id=job.prompt_id,
            grant=caller.grant,
            permit=granted.submit,
            front=front,
        )
    # A client that times out has read at least this, and can ask get_job.
    await caller.say(0.0, f"submitted as {job.prompt_id}")
    done = await jobs.wait(job.prompt_id, caller.grant, wait_seconds, caller.tell)
    drawn = [f"{name} {filled.values[name]} was drawn by chance" for name in filled.drawn]
    warned = done.model_copy(update={"warnings": [*done.warnings, *drawn]})
    return with_next(warned, app, caller)


def library_in_words(library: Library) -> str:
    """The library as a model reads it: names with parameters, those that must be given first.

    Reads files: call it on a thread. A workflow that cannot be read is named without parameters;
    running it says why.
    """
    try:
        lines = [_line(library, name) for name in library.names()]
    except WorkflowError as error:
        return f"The library cannot be read: {error}"
    text = "\n".join(["Library (* must be given):", *lines])
    return text if len(text) <= MAX_LIBRARY else text[:MAX_LIBRARY].rpartition("\n")[0] + "\n..."


def _line(library: Library, name: str) -> str:
    try:
        manifest = library.load(name).manifest
    except WorkflowError:
        return name
    given = [f"{one.name}*" if one.required else one.name for one in manifest.parameters]
    return f"{name}({', '.join(given)})"


def _prepare(
    app: App, workflow: str | dict[str, Any], params: dict[str, Any], prefix: Prefix | None
) -> Filled:
    filled = _filled(app, workflow, params)
    if prefix is None:
        return filled
    from comfy_mcp.workflow.saves import with_prefix  # noqa: PLC0415 - start-up stays light

    return replace(filled, graph=with_prefix(filled.graph, prefix.text))


def _filled(app: App, workflow: str | dict[str, Any], params: dict[str, Any]) -> Filled:
    if isinstance(workflow, str):
        known = app.library.load(workflow)
        return fill(known.graph, known.manifest, params, draw_seed=app.draw_seed)
    graph = parse_graph(cast("object", workflow))
    return fill(graph, None, params, draw_seed=app.draw_seed)
