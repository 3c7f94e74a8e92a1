"""Files of other jobs in a workflow: ComfyUI reads them for anybody who knows their names."""

from __future__ import annotations

import re

from comfy_mcp.errors import WorkflowError
from comfy_mcp.workflow.graph import Graph

__all__ = ["refuse_files_of_jobs"]

_MADE_BY_A_JOB = re.compile(r"\[(?:output|temp)\]\s*\Z")
"""ComfyUI's own mark behind a file name: read it from there instead of the input folder."""

_READS_OUTPUTS = frozenset({"LoadImageOutput"})
"""Classes whose plain file names mean the output folder."""


def refuse_files_of_jobs(graph: Graph) -> None:
    """Let nothing through that reads what a job made: it may be another agent's, or a person's.

    Raises:
        WorkflowError: names the node and the input.
    """
    for node in graph.nodes.values():
        if node.class_type in _READS_OUTPUTS:
            raise _refusal(node.id, node.class_type, "image")
        for name, value in node.inputs.items():
            if isinstance(value, str) and _MADE_BY_A_JOB.search(value):
                raise _refusal(node.id, node.class_type, name)


def _refusal(node_id: str, class_type: str, name: str) -> WorkflowError:
    return WorkflowError(
        f"Node {node_id} ({class_type}), input {name}: it names a file that a job made, which may"
        " be somebody else's. Only files in ComfyUI's input folder can be used.",
        node_id=node_id,
        input_name=name,
    )
