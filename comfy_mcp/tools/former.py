"""A former run of the caller's own, as something that can be run again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio

from comfy_mcp.errors import ComfyMCPError, HostError, WorkflowError
from comfy_mcp.tools.app import App, Caller
from comfy_mcp.tools.source import Source
from comfy_mcp.workflow import parse_graph, parse_manifest
from comfy_mcp.workflow.origin import INLINE, base_digest

if TYPE_CHECKING:
    from comfy_mcp.jobs.manager import Jobs

__all__ = ["former"]

CHANGED = (
    "{name} has changed since: this repeats the graph of then, and is judged as an inline graph."
)


async def former(app: App, caller: Caller, jobs: Jobs, prompt_id: str) -> Source:
    """The run of *caller* that is to be repeated: the graph exactly as it was sent.

    It has the name of its workflow only if that still means the same, and is inline else. With
    a name, the values of its parameters come with it, so that rules see all of them.

    Raises:
        WorkflowError: there is none of that id, or nobody knows its graph any more.
        HostError: ComfyUI has to be asked, and does not answer.
        StateError: the journal cannot be read.
    """
    row = await jobs.store.job(prompt_id)
    if row is None or row.grant != caller.grant:
        raise WorkflowError(
            f"You have run no job {prompt_id}; list_jobs has yours. Somebody else's cannot be"
            " repeated."
        )
    origin = await jobs.origin(prompt_id, caller.grant)
    if origin is not None and origin.get("graph"):
        async with app.preparing:
            found = await anyio.to_thread.run_sync(_from_origin, prompt_id, origin)
        return await _under_its_name(app, caller, jobs, found, origin)
    told = await jobs.host.graph(prompt_id) if row.host == jobs.label else None
    if told is None:
        raise WorkflowError(
            f"Neither this server nor ComfyUI remembers the graph of job {prompt_id}: run its"
            " workflow anew."
        )
    async with app.preparing:
        graph = await anyio.to_thread.run_sync(parse_graph, told)
    return Source(INLINE, graph, whole=False, again=prompt_id)


def _from_origin(prompt_id: str, origin: Mapping[str, Any]) -> Source:
    written = origin.get("manifest")
    return Source(
        INLINE,
        parse_graph(origin["graph"]),
        None if written is None else parse_manifest(written),
        whole=False,
        again=prompt_id,
    )


async def _under_its_name(
    app: App, caller: Caller, jobs: Jobs, found: Source, origin: Mapping[str, Any]
) -> Source:
    """*found* under the name that rules may trust, if there is one.

    A name stands for what the operator has put under it *now*: an older graph, or one in which
    a person has changed more than parameters, is not that.
    """
    name = str(origin.get("workflow") or INLINE)
    if name == INLINE or origin.get("by_hand"):
        return found
    try:
        now = await app.shelf.load(name, jobs.host, grant=caller.grant)
        digest = await anyio.to_thread.run_sync(base_digest, now.graph, now.manifest)
    except HostError:
        raise
    except ComfyMCPError:
        return replace(found, notes=(CHANGED.format(name=name),))
    if digest != origin.get("base"):
        return replace(found, notes=(CHANGED.format(name=name),))
    values = dict(origin.get("values") or {})
    whole = now.manifest is not None
    manifest = now.manifest if whole else found.manifest
    return replace(found, name=name, manifest=manifest, whole=whole, values=values, base=digest)
