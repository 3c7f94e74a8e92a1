"""Files of jobs that a graph reads: ComfyUI reads them for anybody who knows their names."""

from __future__ import annotations

from collections.abc import Iterator

from comfy_mcp.workflow.evaluate import Evaluation
from comfy_mcp.workflow.facts import JobFile, Unknown
from comfy_mcp.workflow.graph import Node, as_link
from comfy_mcp.workflow.leaves import objects, texts
from comfy_mcp.workflow.nodes import is_own
from comfy_mcp.workflow.nodes.files import (
    FILES,
    FROM_OUTPUTS,
    SHOWS,
    Marked,
    is_file_name,
    leaves,
    marked,
    split,
)
from comfy_mcp.workflow.nodes.flow import Constant, Opaque
from comfy_mcp.workflow.nodes.view import View

__all__ = ["job_files"]

_NOBODYS = Marked("output", "", "")


def job_files(done: Evaluation) -> tuple[tuple[JobFile, ...], list[Unknown]]:
    """Files in the output and temp folders that are named anywhere, and what cannot be told."""
    found: dict[JobFile, None] = {}
    unknown: list[Unknown] = []
    for node in done.graph.nodes.values():
        for name, each in _of_node(done, node):
            if isinstance(each, Unknown):
                unknown.append(each)
            else:
                made = (each.folder, each.subfolder, each.filename)
                found[JobFile(*made, node.id, node.class_type, name)] = None
    return tuple(found), unknown


def _of_node(done: Evaluation, node: Node) -> Iterator[tuple[str, Marked | Unknown]]:
    for name, _key, text in texts(node.inputs):
        if "]" in text[-40:] and (mark := marked(text)) is not None:
            yield name, mark
    yield from _told(node)
    if is_own(node.class_type):
        shown = SHOWS.get(node.class_type)
        if shown is not None and shown in node.inputs:
            yield from _shown(done, node, shown)
        for name in FILES.get(node.class_type, ()):
            if name in node.inputs:
                yield from _read(done, node, name)
    else:
        yield from _perhaps_read(done, node)


def _told(node: Node) -> Iterator[tuple[str, Marked]]:
    """Objects that read like a file of the host: a node may hand one on as its own output."""
    for name, each in objects(node.inputs):
        filename = each.get("filename")
        if isinstance(filename, str) and each.get("type") != "input":
            folder = "temp" if each.get("type") == "temp" else "output"
            below = each.get("subfolder")
            path = f"{below}/{filename}" if isinstance(below, str) and below else filename
            yield name, Marked(folder, *split(path))


def _shown(done: Evaluation, node: Node, name: str) -> Iterator[tuple[str, Marked | Unknown]]:
    """A file that becomes an output of this job, whoever made it."""
    view = done.view(node)
    text = view.text(name)
    if not isinstance(text, Opaque):
        yield name, marked(text) or Marked("output", *split(text))
    elif _is_text(view, name):
        yield name, view.unknown(name, text.words())


def _read(done: Evaluation, node: Node, name: str) -> Iterator[tuple[str, Marked | Unknown]]:
    """What a class of ComfyUI's own reads there."""
    view = done.view(node)
    text = view.text(name)
    if isinstance(text, Opaque):
        yield name, view.unknown(name, text.words())
        return
    mark = marked(text)
    if mark is not None:
        if as_link(node.inputs[name]) is not None:
            yield name, mark
    elif leaves(text):
        # Before 0.28 such a name could leave the input folder.
        yield name, _NOBODYS
    elif FROM_OUTPUTS.get(node.class_type) == name and not text.endswith("[input]"):
        subfolder, filename = split(text)
        is_file = node.class_type == "LoadImageOutput"
        yield name, Marked("output", subfolder, filename) if is_file else _NOBODYS


def _perhaps_read(done: Evaluation, node: Node) -> Iterator[tuple[str, Marked | Unknown]]:
    """What a custom class is given over links: it might read it as a file."""
    view = done.view(node)
    for name in view.links:
        value = view.value(name)
        if isinstance(value, Constant):
            mark = marked(value.value) if isinstance(value.value, str) else None
            if mark is not None:
                yield name, mark
        elif value is not None and is_file_name(name) and _is_text(view, name):
            yield name, view.unknown(name, value.words())


def _is_text(view: View, name: str) -> bool:
    flow = view.flows.get(name)
    return flow is not None and isinstance(flow.value, Opaque) and flow.picture is None
