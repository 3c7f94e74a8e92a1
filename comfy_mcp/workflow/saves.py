"""Where a graph saves, below ComfyUI's output folder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from types import MappingProxyType

from comfy_mcp.workflow.evaluate import Evaluation, evaluate
from comfy_mcp.workflow.facts import Known, Prefix, Unknown
from comfy_mcp.workflow.graph import Graph, Node, as_link
from comfy_mcp.workflow.nodes import is_own
from comfy_mcp.workflow.nodes.files import ANYWHERE, BELOW, SAVERS, SAYS_WHERE, WRITES_ITSELF
from comfy_mcp.workflow.nodes.flow import Opaque
from comfy_mcp.workflow.nodes.literals import MAX_NAME, as_text

__all__ = ["prefixes", "with_prefix"]


def prefixes(done: Evaluation) -> tuple[tuple[Prefix, ...], list[Unknown]]:
    """Every text that says where something is saved, and what cannot be told."""
    found: list[Prefix] = []
    unknown: list[Unknown] = []
    for node in done.graph.nodes.values():
        for each in _of_node(done, node):
            if isinstance(each, Prefix):
                found.append(each)
            else:
                unknown.append(each)
    return tuple(found), unknown


def with_prefix(graph: Graph, prefix: str) -> Graph:
    """*graph*, saving only where names begin with *prefix*, as far as that can be determined.

    A name that does not begin with it gets it in front; a linked one is replaced by the text that
    the link would give. Where that cannot be foreseen, nothing is changed, and `measure` says so.
    """
    if not prefix:
        return graph
    nodes = dict(graph.nodes)
    done: Evaluation | None = None
    for node in graph.nodes.values():
        names = _written_names(node)
        if done is None and any(as_link(node.inputs.get(name)) for name in names):
            done = evaluate(graph, Known())
        changed = {
            name: text if text.startswith(prefix) else prefix + text
            for name, default in names.items()
            if (text := _text(done, node, name, default)) is not None
        }
        if any(node.inputs.get(name) != text for name, text in changed.items()):
            inputs = MappingProxyType({**node.inputs, **changed})
            nodes[node.id] = replace(node, inputs=inputs)
    return Graph(MappingProxyType(nodes))


def _written_names(node: Node) -> dict[str, str]:
    """Inputs that say where to save, with what holds if they are left out."""
    if is_own(node.class_type):
        return SAVERS.get(node.class_type, {})
    return dict.fromkeys((name for name in node.inputs if name in SAYS_WHERE), "")


def _text(done: Evaluation | None, node: Node, name: str, default: str) -> str | None:
    value = node.inputs.get(name, default)
    if as_link(value) is None:
        return as_text(value)
    text = Opaque(node.id, node.class_type) if done is None else done.view(node).text(name)
    return None if isinstance(text, Opaque) or len(text) > MAX_NAME else text


def _of_node(done: Evaluation, node: Node) -> Iterator[Prefix | Unknown]:
    if not is_own(node.class_type):
        yield from _of_stranger(done, node)
        return
    for name, default in SAVERS.get(node.class_type, {}).items():
        yield _said(done, node, name, default)
    below = BELOW.get(node.class_type)
    if below is not None:
        yield from _below(_said(done, node, below, ""))
    name, place = WRITES_ITSELF.get(node.class_type, ("", ""))
    if as_link(node.inputs.get(name)) is not None:
        yield Prefix(place, node.id, node.class_type, name)


def _said(done: Evaluation, node: Node, name: str, default: str) -> Prefix | Unknown:
    view = done.view(node)
    text = view.text(name, default)
    if isinstance(text, Opaque):
        return view.unknown(name, text.words())
    return Prefix(text, node.id, node.class_type, name)


def _below(said: Prefix | Unknown) -> Iterator[Prefix | Unknown]:
    """A name that should stay below a folder already told; told as well if it may not."""
    if isinstance(said, Unknown) or re.search(r"[/\\:]|\.\.", said.value):
        yield said


def _of_stranger(done: Evaluation, node: Node) -> Iterator[Prefix | Unknown]:
    """Whatever may say where a custom class saves; only the host knows which ones save at all."""
    answered = node.class_type in done.known.classes
    info = done.known.classes.get(node.class_type)
    if not answered:
        why = "belongs to a class of which the host has said nothing, and might save anywhere"
        yield Unknown(node.id, node.class_type, "", why)
    for name in node.inputs:
        if name in SAYS_WHERE:
            yield _said(done, node, name, "")
        elif name in ANYWHERE and (info is None or info.output_node):
            said = _said(done, node, name, "")
            if isinstance(said, Prefix) and said.value:
                yield said
    if info is not None and info.output_node:
        for name, default in info.defaults.items():
            if name in SAYS_WHERE and name not in node.inputs:
                yield Prefix(as_text(default) or "", node.id, node.class_type, name)
