"""A workflow as ComfyUI's POST /prompt takes it: nodes, inputs, and the links between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from comfy_mcp.workflow.values import thawed

__all__ = ["Edge", "Graph", "Link", "Node", "as_link"]

_LISTS = (list, tuple)


@dataclass(frozen=True, slots=True)
class Link:
    """Output *slot* (from 0) of the node *node_id*."""

    node_id: str
    slot: int


@dataclass(frozen=True, slots=True)
class Edge:
    """Input *input_name* of the node *node_id* takes its value from *source*."""

    node_id: str
    input_name: str
    source: Link


def as_link(value: object) -> Link | None:
    """*value* of an input as a link, or None if it is a literal."""
    if not isinstance(value, _LISTS):
        return None
    items = cast("list[object]", value)
    if len(items) != 2:  # noqa: PLR2004 - a pair
        return None
    node_id, slot = items
    if isinstance(node_id, str) and isinstance(slot, int) and not isinstance(slot, bool):
        return Link(node_id, slot)
    return None


@dataclass(frozen=True, slots=True)
class Node:
    """One node. Lists in *inputs* and *meta* are tuples, objects are read-only mappings."""

    id: str
    class_type: str
    inputs: Mapping[str, object]
    meta: Mapping[str, object] | None = None

    @property
    def title(self) -> str:
        """The name a person gave the node, or an empty text."""
        title = (self.meta or {}).get("title")
        return title if isinstance(title, str) else ""

    def to_json(self) -> dict[str, object]:
        """The node as it is sent: a fresh copy."""
        sent = {"class_type": self.class_type, "inputs": thawed(self.inputs)}
        return sent if self.meta is None else {**sent, "_meta": thawed(self.meta)}


@dataclass(frozen=True, slots=True)
class Graph:
    """A sound workflow; `parse_graph` makes it and answers for what is in it."""

    nodes: Mapping[str, Node]

    def to_json(self) -> dict[str, dict[str, object]]:
        """Exactly what is sent as "prompt": a fresh copy, in the order it came in."""
        return {node_id: node.to_json() for node_id, node in self.nodes.items()}

    def links(self) -> tuple[Edge, ...]:
        """Every link of every node."""
        return tuple(
            Edge(node.id, name, link)
            for node in self.nodes.values()
            for name, value in node.inputs.items()
            if (link := as_link(value)) is not None
        )
