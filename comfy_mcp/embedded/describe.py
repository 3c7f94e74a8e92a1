"""What /object_info says of a node class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comfy_mcp.embedded.refusals import input_config

if TYPE_CHECKING:
    from comfy_mcp.embedded.nodes.base import Folders, Input, Node

__all__ = ["described"]


def described(node: Node, folders: Folders) -> dict[str, Any]:
    """The class as ComfyUI tells it, in the newer form if the class is a modern one."""
    groups = _inputs(node, folders)
    info = {
        "input": groups,
        "input_order": {group: list(names) for group, names in groups.items()},
        "is_input_list": node.takes_lists,
        "output": list(node.outputs),
        "output_is_list": list(node.list_outputs),
        "output_name": list(node.output_names or node.outputs),
        "name": node.name,
        "display_name": node.title,
        "description": node.description,
        "python_module": node.module,
        "category": node.category,
        "output_node": node.output_node,
        "has_intermediate_output": False,
        "search_aliases": [],
    }
    return info | _modern(node) if node.modern else info


def _inputs(node: Node, folders: Folders) -> dict[str, dict[str, Any]]:
    groups: dict[str, dict[str, Any]] = {
        "required": {each.name: _spec(each, folders) for each in node.inputs if each.required}
    }
    optional = {each.name: _spec(each, folders) for each in node.inputs if not each.required}
    if optional:
        groups["optional"] = optional
    if node.hidden:
        groups["hidden"] = {name: [kind] if node.modern else kind for name, kind in node.hidden}
    return groups


def _spec(spec: Input, folders: Folders) -> list[Any]:
    config = input_config(spec, folders)
    return config if spec.modern or config[1] else config[:1]


def _modern(node: Node) -> dict[str, Any]:
    return {
        "output_tooltips": [None] * len(node.outputs),
        "output_matchtypes": None,
        "deprecated": False,
        "experimental": False,
        "dev_only": False,
        "api_node": False,
        "price_badge": None,
        "search_aliases": None,
        "essentials_category": None,
    }
