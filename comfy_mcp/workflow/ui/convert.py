"""From the editor's format to the API's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeGuard

from comfy_mcp.errors import WorkflowError
from comfy_mcp.workflow.schema import Schemas

__all__ = ["Converted", "classes_of", "converted", "is_ui"]


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
        if isinstance(node, dict) and isinstance(node.get("type"), str)
    )


def converted(value: dict[str, Any], schemas: Schemas) -> Converted:
    """*value* in API format.

    Raises:
        WorkflowError: it cannot be read, or needs nodes that *schemas* does not have.
    """
    del value, schemas
    raise WorkflowError("Workflows of the editor cannot be converted yet: export the API format.")
