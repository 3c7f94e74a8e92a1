"""From the editor's format to the API's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeGuard

from comfy_mcp.errors import WorkflowError
from comfy_mcp.workflow.schema import InputSpec, NodeSchema, Schemas

__all__ = ["Converted", "classes_of", "converted", "is_ui"]

_NOT_RUN = frozenset({"Note", "MarkdownNote", "Reroute", "PrimitiveNode"})


@dataclass(frozen=True, slots=True)
class Converted:
    """The nodes of an API-format graph, and what is to be said of the conversion."""

    nodes: dict[str, dict[str, Any]]
    notes: tuple[str, ...] = ()


def is_ui(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether *value* is a workflow as the editor saves it: lists of nodes and of links."""
    return isinstance(value, dict) and isinstance(value.get("nodes"), list)


def classes_of(value: dict[str, Any]) -> frozenset[str]:
    """The node classes that the host has to tell about before *value* can be converted."""
    return frozenset(
        node["type"]
        for node in value["nodes"]
        if isinstance(node, dict)
        and isinstance(node.get("type"), str)
        and node["type"] not in _NOT_RUN
    )


def converted(value: dict[str, Any], schemas: Schemas) -> Converted:
    """*value* in API format.

    Raises:
        WorkflowError: it cannot be read, or needs nodes that *schemas* does not have.
    """
    missing = sorted(name for name in classes_of(value) if name not in schemas)
    if missing:
        raise WorkflowError(f"ComfyUI has no such nodes: {', '.join(missing[:20])}. Install them.")
    links = {
        link[0]: [str(link[1]), link[2]]
        for link in value.get("links", [])
        if isinstance(link, list) and len(link) > 2  # noqa: PLR2004 - id, node, slot
    }
    nodes = {
        str(node["id"]): _node(node, schemas[node["type"]], links)
        for node in value["nodes"]
        if node["type"] not in _NOT_RUN and node.get("mode", 0) not in {2, 4}
    }
    return Converted(nodes)


def _node(node: dict[str, Any], schema: NodeSchema, links: dict[Any, Any]) -> dict[str, Any]:
    inputs = dict(_widgets(node, schema))
    for slot in node.get("inputs") or []:
        if slot.get("link") in links:
            inputs[slot["name"]] = links[slot["link"]]
    title = node.get("title") or schema.display_name
    return {"class_type": schema.class_type, "inputs": inputs, "_meta": {"title": title}}


def _widgets(node: dict[str, Any], schema: NodeSchema) -> Iterator[tuple[str, Any]]:
    values: Any = node.get("widgets_values") or []
    if isinstance(values, dict):
        yield from ((name, held) for name, held in values.items() if isinstance(name, str))
        return
    given = iter(values)
    held: dict[str, Any] = {}
    for spec in schema.active(held):
        if spec.holds_value:
            held[spec.name] = next(given, spec.options.get("default"))
            yield spec.name, held[spec.name]
            if _is_drawn(spec):
                next(given, None)


def _is_drawn(spec: InputSpec) -> bool:
    bare = spec.kind == "INT" and spec.name in {"seed", "noise_seed"}
    return bool(spec.options.get("control_after_generate", bare))
