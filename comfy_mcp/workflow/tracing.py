"""Which texts of a graph say what to show, and which say what not to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from comfy_mcp.workflow.graph import Graph, Link, Node, as_link
from comfy_mcp.workflow.inputs import ordered

__all__ = ["Role", "texts_into"]

Role = Literal["positive", "negative"]

TEXTS = ("text", "text_g", "text_l", "clip_l", "clip_g", "t5xxl", "llama", "prompt", "tags")
"""Inputs of text encoders that take words."""

_WORDS = frozenset({"value", "text", "string", "string_a", "string_b", "prompt"})
_ASIDE = frozenset(
    (
        *("model", "clip", "vae", "image", "images", "pixels", "mask", "masks", "samples"),
        *("latent", "latent_image", "control_net", "clip_vision", "clip_vision_output", "audio"),
        *("style_model", "noise", "sampler", "sigmas"),
    )
)


def texts_into(graph: Graph) -> dict[tuple[str, str], Role]:
    """Node id and input of each text that flows into what a sampler is told to show, or not to."""
    found: dict[tuple[str, str], Role] = {}
    for role in ("positive", "negative"):
        for start in _starts(graph, role):
            for place in _texts(graph, start):
                found.setdefault(place, role)
    if not found:
        # Without a sampler there is nothing to trace from: what is encoded is what is wanted.
        for node in ordered(graph):
            if "TextEncode" in node.class_type:
                found |= dict.fromkeys(_texts(graph, Link(node.id, 0)), "positive")
    return found


def _starts(graph: Graph, role: Role) -> Iterator[Link]:
    for node in ordered(graph):
        names = (role, "conditioning") if role == "positive" else (role,)
        for name in names:
            link = as_link(node.inputs.get(name))
            if link is not None and (name == role or "Guider" in node.class_type):
                yield link


def _texts(graph: Graph, start: Link) -> Iterator[tuple[str, str]]:
    seen: set[Link] = set()
    waiting = [start]
    while waiting:
        link = waiting.pop()
        node = graph.nodes.get(link.node_id)
        if link in seen or node is None:
            continue
        seen.add(link)
        literal = [name for name in _texts_of(node) if isinstance(node.inputs.get(name), str)]
        yield from ((node.id, name) for name in literal)
        waiting += _onward(node, link.slot)


def _texts_of(node: Node) -> Iterator[str]:
    encodes = "clip" in node.inputs or "Encode" in node.class_type
    for name in sorted(node.inputs):
        if name in TEXTS if encodes else name in _WORDS:
            yield name


def _onward(node: Node, slot: int) -> list[Link]:
    """The links by which words come into output *slot* of *node*."""
    both = [as_link(node.inputs.get(name)) for name in ("positive", "negative")]
    if all(both):
        return [each for each in both[slot : slot + 1] if each is not None]
    links = [
        link
        for name in sorted(node.inputs)
        if name not in _ASIDE and (link := as_link(node.inputs[name])) is not None
    ]
    return links[::-1]
