"""From what a file has to a workflow that can be filled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from comfy_mcp.errors import WorkflowError
from comfy_mcp.library import Draft, with_parameters
from comfy_mcp.workflow import Graph, Manifest, check_targets, parse_graph, shown

if TYPE_CHECKING:
    from collections.abc import Collection

    from comfy_mcp.host.client import ComfyHost
    from comfy_mcp.workflow.schema import Schemas

__all__ = ["Found", "classes_in", "found_in", "made"]


UNDRAWN = "Nothing is drawn: "
"""How the conversion's note on seeds begins."""


@dataclass(frozen=True, slots=True)
class Found:
    """A workflow ready to be filled.

    *name* is what policies, journal and audit know it by: a plain name is the operator's or a
    shipped one; what an agent saved is ``saved/NAME``, what ComfyUI keeps ``host/NAME`` and
    ``template/NAME``, so that no agent can put a graph of its own behind a name that a policy
    trusts. *notes* are sentences for the agent, about a conversion for example.
    """

    name: str
    graph: Graph
    manifest: Manifest | None
    notes: tuple[str, ...] = ()


async def found_in(name: str, draft: Draft, host: ComfyHost) -> Found:
    """*draft* as the workflow *name*; *host* is asked only where its word on nodes is needed.

    Raises:
        WorkflowError: it cannot be converted, or its manifest does not fit.
        HostError: ComfyUI has to tell about its nodes, and does not answer.
    """
    classes = await anyio.to_thread.run_sync(classes_in, draft)
    schemas = await host.schemas(classes) if classes else None
    known: Collection[str] | None = None
    if schemas is not None and draft.editor is not None and classes - schemas.keys():
        # For near names of what is lacking; most often those are muted nodes, and nothing is.
        known = (await host.nodes()).keys()
    return await anyio.to_thread.run_sync(made, name, draft, schemas, known)


def classes_in(draft: Draft) -> frozenset[str]:
    """The node classes that ComfyUI has to tell about before *draft* can be run.

    Raises:
        WorkflowError: it is not what the editor saves.
    """
    if draft.editor is not None:
        from comfy_mcp.workflow.ui import classes_of  # noqa: PLC0415 - start-up stays light

        return classes_of(draft.editor)
    if draft.told or draft.graph is None:
        return frozenset()
    return frozenset(node.class_type for node in draft.graph.nodes.values())


def made(
    name: str, draft: Draft, schemas: Schemas | None, known: Collection[str] | None = None
) -> Found:
    """*draft* as the workflow *name*, with what *schemas* tell; *known*: classes of the host.

    Raises:
        WorkflowError: it cannot be converted, or its manifest does not fit.
    """
    try:
        return _made(name, draft, schemas, known)
    except WorkflowError as exc:
        raise WorkflowError(
            f"{shown(name)}: {exc}", node_id=exc.node_id, input_name=exc.input_name
        ) from exc


def _made(name: str, draft: Draft, schemas: Schemas | None, known: Collection[str] | None) -> Found:
    graph = draft.graph
    notes: tuple[str, ...] = ()
    if draft.editor is not None:
        from comfy_mcp.workflow.ui import converted  # noqa: PLC0415 - start-up stays light

        done = converted(draft.editor, schemas or {}, known)
        graph, notes = parse_graph(done.nodes), done.notes
    if graph is None:
        raise AssertionError("a draft without nodes")
    manifest = draft.manifest
    if not draft.told:
        manifest = with_parameters(manifest, graph, schemas)
    check_targets(manifest, graph)
    if any(one.type == "seed" and one.default is None for one in manifest.parameters):
        # It is drawn here, as the editor would do.
        notes = tuple(note for note in notes if not note.startswith(UNDRAWN))
    return Found(name, graph, manifest, notes)
