"""The node classes of the embedded host; importing this imports Pillow."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from comfy_mcp.embedded.nodes import (
    batches,
    demo,
    diffusion,
    filters,
    geometry,
    latents,
    masks,
    maths,
    save,
    sounds,
    sources,
    words,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from comfy_mcp.embedded.nodes.base import Node
    from comfy_mcp.embedded.profiles import Profile

__all__ = ["ALL", "catalogue"]

ALL: tuple[Node, ...] = (
    *sources.NODES,
    *filters.NODES,
    *geometry.NODES,
    *batches.NODES,
    *masks.NODES,
    *words.NODES,
    *maths.NODES,
    *latents.NODES,
    *diffusion.NODES,
    *save.NODES,
    *sounds.NODES,
)


def catalogue(profile: Profile, *, demo_nodes: bool = False) -> Mapping[str, Node]:
    """The classes that a ComfyUI of that version has, by name; *demo_nodes*: and those of none."""
    nodes = (*ALL, *demo.NODES) if demo_nodes else ALL
    return {node.name: _of(node, profile) for node in nodes if profile.since(node.since)}


def _of(node: Node, profile: Profile) -> Node:
    if not node.modern:
        return node
    if not profile.modern_node_info:
        return replace(node, modern=False)
    return replace(node, inputs=tuple(replace(each, modern=True) for each in node.inputs))
