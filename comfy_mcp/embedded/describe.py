"""What /object_info says of a node class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comfy_mcp.embedded.refusals import input_config
from comfy_mcp.embedded.told import ALIASES, DESCRIPTIONS, TOOLTIPS

if TYPE_CHECKING:
    from comfy_mcp.embedded.nodes.base import Folders, Input, Node

__all__ = ["described"]


def described(node: Node, folders: Folders) -> dict[str, Any]:
    """The class as ComfyUI tells it, in the newer form if the class is a modern one."""
    inputs = node.shown or node.inputs
    groups = _inputs(inputs, folders)
    if node.hidden:
        groups["hidden"] = {name: [kind] if node.modern else kind for name, kind in node.hidden}
    info = {
        "input": groups,
        "input_order": {group: list(names) for group, names in groups.items()},
        "is_input_list": node.takes_lists,
        "output": list(node.outputs),
        "output_is_list": list(node.list_outputs),
        "output_name": list(node.output_names or node.outputs),
        "name": node.name,
        "display_name": node.title,
        "description": node.description or DESCRIPTIONS.get(node.name, ""),
        "python_module": node.module,
        "category": node.category,
        "output_node": node.output_node,
        "has_intermediate_output": False,
        "search_aliases": list(ALIASES.get(node.name, ())),
    }
    if node.modern:
        return info | _modern(node)
    told = {"api_node": node.partner, "experimental": node.experimental}
    return info | {name: True for name, value in told.items() if value}


def _inputs(inputs: tuple[Input, ...], folders: Folders) -> dict[str, dict[str, Any]]:
    groups: dict[str, dict[str, Any]] = {
        "required": {each.name: _spec(each, folders) for each in inputs if each.required}
    }
    optional = {each.name: _spec(each, folders) for each in inputs if not each.required}
    return groups | ({"optional": optional} if optional else {})


def _spec(spec: Input, folders: Folders) -> list[Any]:
    kind, config = input_config(spec, folders)
    if spec.name in TOOLTIPS:
        config = {"tooltip": TOOLTIPS[spec.name]} | config
    return [kind, config] if spec.modern or config else [kind]


def _modern(node: Node) -> dict[str, Any]:
    return {
        "output_tooltips": [None] * len(node.outputs),
        "output_matchtypes": None,
        "deprecated": False,
        "experimental": node.experimental,
        "dev_only": False,
        "api_node": node.partner,
        "price_badge": None,
        "search_aliases": list(ALIASES.get(node.name, ())) or None,
        "essentials_category": None,
    }
