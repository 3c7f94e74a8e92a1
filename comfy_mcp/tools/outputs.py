"""list_outputs and get_provenance: what came of all jobs, and how."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import anyio
from pydantic import Field

from comfy_mcp.errors import ComfyMCPError, HostError, OutputError
from comfy_mcp.jobs.outputs_listing import OutputPage, Sought, listed_outputs
from comfy_mcp.jobs.record import gpu_ms
from comfy_mcp.outputs import MAX_BYTES, Kind, parse_uri
from comfy_mcp.outputs.provenance import Provenance, Source, of_graph, of_origin, with_graph
from comfy_mcp.outputs.remembered import remembered_graph
from comfy_mcp.tools.app import App, Caller
from comfy_mcp.tools.ids import PromptId
from comfy_mcp.tools.viewing import Found, find

if TYPE_CHECKING:
    from comfy_mcp.jobs.manager import Jobs
    from comfy_mcp.store.protocol import JobRow

__all__ = ["get_provenance", "list_outputs"]

UNKNOWN = "Neither this server's journal nor ComfyUI nor the file itself remembers how."


async def list_outputs(
    app: App,
    caller: Caller,
    *,
    kind: Kind | None = None,
    workflow: Annotated[str | None, Field(max_length=200)] = None,
    query: Annotated[str, Field(max_length=200, description="Part of file name or text")] = "",
    prompt_id: PromptId | None = None,
    limit: Annotated[int, Field(ge=1, le=50)] = 20,
    cursor: Annotated[str | None, Field(max_length=100)] = None,
) -> OutputPage:
    """Outputs of your jobs, newest first; look at them with view_output."""
    sought = Sought(kind, workflow, query, prompt_id)
    async with caller.admitted(app, caller.call()):
        jobs = await app.jobs()
        return await listed_outputs(jobs, caller.grant, sought, limit=limit, cursor=cursor)


async def get_provenance(
    app: App,
    caller: Caller,
    *,
    uri: Annotated[str, Field(max_length=200)],
    include_graph: bool = False,
    cursor: Annotated[int, Field(ge=0, description="Of a long graph: next_cursor")] = 0,
) -> Provenance:
    """How an output of yours was made: workflow, parameters, seeds, models, host, times; graph."""
    prompt_id, number = parse_uri(uri)
    jobs = await app.jobs()
    owner = await jobs.owner(prompt_id, caller.grant)
    async with caller.admitted(app, caller.call(target=prompt_id, owner=owner)):
        row = await jobs.store.job(prompt_id)
        if row is None or row.grant != caller.grant:
            raise OutputError(f"Job {prompt_id} is not yours: how it was made is not told.")
        found = await find(app, caller, prompt_id, number)
        known, graph = await _told(jobs, found, row)
    if include_graph:
        return await anyio.to_thread.run_sync(with_graph, known, graph, cursor)
    return known


async def _told(jobs: Jobs, found: Found, row: JobRow) -> tuple[Provenance, object]:
    """What is known, from who knows best, and the graph."""
    ran = gpu_ms(row.result)
    known = Provenance(
        uri=found.output.uri,
        filename=found.output.filename,
        node_id=found.output.node_id,
        prompt_id=row.prompt_id,
        workflow=row.workflow,
        submitted=_utc(row.created_ms),
        ended=_utc(row.changed_ms),
        running_s=None if ran is None else round(ran / 1000, 3),
    )
    origin = await jobs.origin(row.prompt_id, row.grant)
    if origin is not None:
        return await anyio.to_thread.run_sync(of_origin, known, origin), origin.get("graph")
    source, graph, note = await _elsewhere(jobs, found, row.prompt_id)
    told = known.model_copy(update={"source": source, "note": note})
    return await anyio.to_thread.run_sync(of_graph, told, graph), graph


async def _elsewhere(
    jobs: Jobs, found: Found, prompt_id: str
) -> tuple[Source | None, object, str | None]:
    """The graph of a job whose origin was not kept: ComfyUI may know it, or the file itself."""
    with suppress(HostError):
        graph = await jobs.host.graph(prompt_id)
        if graph is not None:
            return "comfyui", graph, None
    note = UNKNOWN
    if found.file.text is None:
        try:
            data = await jobs.host.view(found.file, limit=MAX_BYTES)
            graph = await anyio.to_thread.run_sync(remembered_graph, data)
        except ComfyMCPError as error:
            graph, note = None, f"{UNKNOWN} {error}"
        if graph is not None:
            return "file", graph, None
    return None, None, note


def _utc(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
