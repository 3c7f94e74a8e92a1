"""What people are told of a graph: numbers and names, without anything in it that is free text."""

from __future__ import annotations

from collections import Counter
from typing import Any

from comfy_mcp.workflow.facts import Facts
from comfy_mcp.workflow.graph import Graph

__all__ = ["described"]

_MOST = 2_000
"""Names of one kind; a workflow with more is no longer read by anybody."""

_NUMBERS = ("steps", "total_steps", "width", "height", "megapixels", "batch", "frames")


def described(graph: Graph, facts: Facts) -> dict[str, Any]:
    """The value of ``facts["graph"]`` of a request, as JSON values."""
    return {
        "nodes": facts.nodes,
        "classes": dict(
            Counter(node.class_type for node in graph.nodes.values()).most_common(_MOST)
        ),
        "models": {
            folder: sorted({model.name for model in used})[:_MOST]
            for folder, used in facts.models.items()
        },
        **{name: getattr(facts, name) for name in _NUMBERS},
        "undetermined": sorted(facts.undetermined),
        "api_nodes": sorted(facts.api_nodes)[:_MOST],
        "unknown_classes": sorted(facts.unknown_classes)[:_MOST],
    }
