"""From a JSON value to a sound `Graph`, or to words on what is wrong with it and how to mend it."""

from __future__ import annotations

import graphlib
from collections.abc import Iterator
from types import MappingProxyType
from typing import cast

from comfy_mcp.errors import WorkflowError
from comfy_mcp.workflow.checks import Budget, kind_of, node_flaws
from comfy_mcp.workflow.digest import canonical
from comfy_mcp.workflow.flaws import Flaw, refuse, shown
from comfy_mcp.workflow.graph import Graph, Node
from comfy_mcp.workflow.values import frozen

__all__ = ["MAX_BYTES", "MAX_NODES", "parse_graph"]

MAX_NODES = 5000
MAX_BYTES = 4 * 1024 * 1024
_MOST_IN_CYCLE = 10

_TOO_BIG = (
    f"The workflow is bigger than {MAX_BYTES // 1024**2} MiB as JSON. Upload pictures and other"
    " data as files and name the files in it."
)


def parse_graph(value: object) -> Graph:
    """Check an API-format workflow and keep what ComfyUI reads of it.

    Keys of a node other than "class_type", "inputs" and "_meta" are left out: ComfyUI's own exports
    have none, and nothing is to be sent that was not looked at.

    Raises:
        WorkflowError: it cannot be sent; names node, input and fix of up to five flaws.
    """
    nodes = _nodes(value)
    refuse(_flaws(nodes))
    graph = Graph(MappingProxyType({key: _node(key, raw) for key, raw in nodes.items()}))
    refuse(_cycle(graph))
    if len(canonical(graph.to_json())) > MAX_BYTES:
        raise WorkflowError(_TOO_BIG)
    return graph


def _nodes(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise WorkflowError(
            f"A workflow is an object of nodes, not {kind_of(value)}. Send"
            ' {"1": {"class_type": ..., "inputs": {...}}, ...} itself, not a text of it.'
        )
    nodes = cast("dict[str, object]", value)
    if not nodes:
        raise WorkflowError("The workflow is empty. Add nodes, one of which saves an output.")
    if isinstance(nodes.get("nodes"), list):
        raise WorkflowError(
            "This is a workflow in the format of ComfyUI's editor; the API format is needed here."
            " Save it with Workflow > Export (API) and send that."
        )
    for key in ("prompt", "graph", "workflow"):
        if _holds_nodes(nodes.get(key)):
            raise WorkflowError(
                f'The nodes are wrapped in "{key}". Send only the object that stands under "{key}".'
            )
    if len(nodes) > MAX_NODES:
        raise WorkflowError(
            f"The workflow has {len(nodes)} nodes, more than the {MAX_NODES} allowed. Split it."
        )
    return nodes


def _holds_nodes(inner: object) -> bool:
    return isinstance(inner, dict) and "class_type" not in inner and "inputs" not in inner


def _flaws(nodes: dict[str, object]) -> Iterator[Flaw]:
    budget = Budget(MAX_BYTES, _TOO_BIG)
    for node_id, raw in nodes.items():
        yield from node_flaws(node_id, raw, nodes, budget)


def _node(node_id: str, raw: object) -> Node:
    fields = cast("dict[str, object]", raw)
    return Node(
        id=node_id,
        class_type=cast("str", fields["class_type"]),
        inputs=cast("dict[str, object]", frozen(fields["inputs"])),
        meta=cast("dict[str, object] | None", frozen(fields.get("_meta"))),
    )


def _cycle(graph: Graph) -> Iterator[Flaw]:
    order: graphlib.TopologicalSorter[str] = graphlib.TopologicalSorter()
    for edge in graph.links():
        order.add(edge.node_id, edge.source.node_id)
    try:
        order.prepare()
    except graphlib.CycleError as exc:
        ring = cast("list[str]", exc.args[1])
        names = [f"{shown(key)} ({shown(graph.nodes[key].class_type)})" for key in ring]
        if len(names) > _MOST_IN_CYCLE:
            names = [*names[: _MOST_IN_CYCLE - 2], "...", names[-1]]
        yield Flaw(
            f"These nodes feed each other in a circle: {' -> '.join(names)}. Cut one of the links.",
            ring[0],
        )
