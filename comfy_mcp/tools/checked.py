"""A graph judged by what the ComfyUI behind this server has: node classes, models, files."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection
from typing import TYPE_CHECKING

import anyio

from comfy_mcp.errors import HostError
from comfy_mcp.tools.app import App
from comfy_mcp.workflow import Asked, Graph

if TYPE_CHECKING:
    from comfy_mcp.jobs.manager import Jobs
    from comfy_mcp.workflow.checking import Checked
    from comfy_mcp.workflow.schema import NodeSchema

__all__ = ["checked", "near_names"]


async def checked(
    app: App, jobs: Jobs, graph: Graph, schemas: dict[str, NodeSchema] | None = None
) -> Checked:
    """What ComfyUI would say of *graph*; *schemas* are those of its classes, if known already.

    Raises:
        HostError: ComfyUI does not tell about its nodes.
    """
    from comfy_mcp.workflow.checking import check  # noqa: PLC0415 - start-up stays light
    from comfy_mcp.workflow.checking_own import unsure_files  # noqa: PLC0415 - start-up stays light

    names = frozenset(node.class_type for node in graph.nodes.values())
    if schemas is None:
        schemas = await jobs.host.schemas(names)
    unsure = unsure_files(graph, schemas)
    missing = names - schemas.keys()
    files, opaque, known = await asyncio.gather(
        jobs.host.present(unsure), _opaque(jobs, missing), near_names(jobs, missing)
    )
    # What could not be looked up is taken to be there: nothing is called missing on suspicion.
    there = {name: files.get(name, True) for name in unsure}
    async with app.preparing:
        return await anyio.to_thread.run_sync(
            lambda: check(graph, schemas, files=there, opaque=opaque, known=known)
        )


async def _opaque(jobs: Jobs, missing: Collection[str]) -> frozenset[str]:
    """Those of *missing* that ComfyUI would replace by others, or of which it says nothing."""
    if not missing:
        return frozenset()
    found = await jobs.host.known(Asked(classes=frozenset(missing)))
    return frozenset(name for name in missing if name not in found.classes)


async def near_names(jobs: Jobs, missing: Collection[str]) -> tuple[str, ...]:
    """Names of classes to suggest instead of *missing* ones; none where none is missing."""
    with contextlib.suppress(HostError):
        return tuple(await jobs.host.nodes()) if missing else ()
    return ()
