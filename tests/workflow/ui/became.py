"""What a file becomes, short enough to compare."""

from __future__ import annotations

from typing import Any

import pytest

from comfy_mcp.errors import WorkflowError
from comfy_mcp.workflow import parse_graph
from comfy_mcp.workflow.ui import converted
from tests.workflow.ui.nodes import SCHEMAS

__all__ = ["became", "inputs_of", "notes_of", "refused"]


def became(value: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The nodes by id; they are a sound graph."""
    nodes = converted(value, SCHEMAS).nodes
    parse_graph(nodes)
    return nodes


def inputs_of(value: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The inputs of each node, by id."""
    return {node_id: node["inputs"] for node_id, node in became(value).items()}


def notes_of(value: dict[str, Any]) -> str:
    """What is said of the conversion, in one text."""
    return " ".join(converted(value, SCHEMAS).notes)


def refused(value: Any) -> WorkflowError:
    """The error that a file is refused with: short, and with nothing a terminal would obey."""
    with pytest.raises(WorkflowError) as caught:
        converted(value, SCHEMAS)
    text = str(caught.value)
    assert all(line.isprintable() for line in text.splitlines())
    assert len(text) < 3000
    return caught.value
