"""run_workflow: the one tool that puts work on the GPU."""

from __future__ import annotations

from typing import Annotated, Any, cast

import anyio
from pydantic import Field

from comfy_mcp.jobs.job import Job
from comfy_mcp.store.protocol import NewJob
from comfy_mcp.tools.app import App, Caller
from comfy_mcp.tools.hints import with_next
from comfy_mcp.workflow import Filled, digest, fill, parse_graph

__all__ = ["Wait", "run_workflow"]

Wait = Annotated[float, Field(ge=0, le=600)]


async def run_workflow(
    app: App,
    caller: Caller,
    workflow: Annotated[
        str | dict[str, Any], Field(description="Library name, or an API-format graph")
    ],
    params: Annotated[dict[str, Any], Field(description="Parameters of a library workflow")] = {},  # noqa: B006 - pydantic copies it
    wait_seconds: Annotated[
        Wait, Field(description="Then the job is returned, finished or not")
    ] = 40,
) -> Job:
    """Run a ComfyUI workflow and wait for its outputs.

    Library: txt2img, img2img, upscale, color_card. A wait that runs out is no error: the job goes
    on; ask get_job. Look at pictures with view_output.
    """
    name = workflow if isinstance(workflow, str) else "inline"
    filled = await anyio.to_thread.run_sync(_prepare, app, workflow, params)
    jobs = await app.jobs()
    job = NewJob(
        prompt_id=app.new_prompt_id(),
        grant=caller.grant,
        host=jobs.label,
        workflow=name,
        digest=digest(filled.graph.to_json()),
    )
    async with app.gate.admit(caller.call(job=job)) as granted:
        if granted.submit is None:
            raise AssertionError("a submit was admitted without a permit")
        await jobs.submit(filled.graph, prompt_id=job.prompt_id, permit=granted.submit)
    done = await jobs.wait(job.prompt_id, caller.grant, wait_seconds, caller.tell)
    drawn = [f"{name} {filled.values[name]} was drawn by chance" for name in filled.drawn]
    return with_next(done.model_copy(update={"warnings": [*done.warnings, *drawn]}), app.gate)


def _prepare(app: App, workflow: str | dict[str, Any], params: dict[str, Any]) -> Filled:
    if isinstance(workflow, str):
        known = app.library.load(workflow)
        return fill(known.graph, known.manifest, params, draw_seed=app.draw_seed)
    graph = parse_graph(cast("object", workflow))
    return fill(graph, None, params, draw_seed=app.draw_seed)
