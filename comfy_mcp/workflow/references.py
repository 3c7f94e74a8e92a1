"""Outputs of former jobs as inputs: ``comfy://jobs/<prompt_id>/outputs/<n>`` where a file is named.

What such a reference stands for is told by whoever knows the job; here it is found and replaced.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from comfy_mcp.workflow.graph import Graph

__all__ = ["annotated", "is_reference", "references_in", "with_files"]

_BEGIN = "comfy://"


def is_reference(value: object) -> bool:
    """Whether *value* is nothing but a reference, sound or not: no file and no prompt is one."""
    return isinstance(value, str) and value.startswith(_BEGIN) and not any(map(str.isspace, value))


def references_in(graph: Graph | None, params: Mapping[str, object]) -> frozenset[str]:
    """All references among the values of *params* and in the inputs of *graph*."""
    return frozenset(each for each in _values(graph, params) if isinstance(each, str))


def _values(graph: Graph | None, params: Mapping[str, object]) -> Iterator[object]:
    inputs: Iterable[Mapping[str, object]]
    inputs = () if graph is None else (node.inputs for node in graph.nodes.values())
    for values in (params, *inputs):
        yield from filter(is_reference, values.values())


def with_files(graph: Graph, files: Mapping[str, str]) -> Graph:
    """*graph* with the names of *files* in place of the references that are their keys."""
    if not files:
        return graph
    nodes = dict(graph.nodes)
    for node in graph.nodes.values():
        found = {
            name: files[value]
            for name, value in node.inputs.items()
            if isinstance(value, str) and value in files
        }
        if found:
            nodes[node.id] = replace(node, inputs=MappingProxyType({**node.inputs, **found}))
    return Graph(MappingProxyType(nodes))


def annotated(folder: str, subfolder: str, filename: str) -> str:
    """The name by which ComfyUI's nodes read a file: ``sub/x.png [output]``, ``x.png [temp]``.

    *folder* is output, temp or input. Source: ``folder_paths.annotated_filepath`` of ComfyUI.
    """
    path = f"{subfolder}/{filename}" if subfolder else filename
    return path if folder == "input" else f"{path} [{folder}]"
