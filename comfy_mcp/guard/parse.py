"""The shape of a policy file: text in; a :class:`PolicyFile` or every fault out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfy_mcp.guard.parse_approvals import approvals
from comfy_mcp.guard.parse_grants import grants
from comfy_mcp.guard.parse_rules import layer
from comfy_mcp.guard.parse_words import default_allow, description, window_ms
from comfy_mcp.guard.policy import Denials, PolicyFile
from comfy_mcp.guard.reading import read_json
from comfy_mcp.guard.vocabulary import DENIALS, FILE

if TYPE_CHECKING:
    from comfy_mcp.errors import Fault
    from comfy_mcp.guard.node import Node

__all__ = ["read_policy"]

_MOST_DENIALS = 1_000_000


def read_policy(text: str, where: str = "") -> tuple[PolicyFile, tuple[Fault, ...]]:
    """What *text* says, pointers beginning with *where*, and all that is wrong with its shape.

    With a fault the file is incomplete and must not be used.
    """
    root = read_json(text, where)
    file = _file(root)
    return file, tuple(dict.fromkeys(root.faults))


def _file(root: Node) -> PolicyFile:
    parts = root.known(FILE)
    if isinstance(root.value, dict):
        _version(root, parts.get("version"))
    if schema := parts.get("$schema"):
        schema.text(2000)
    return PolicyFile(
        where=root.where,
        description=description(parts),
        layer=layer(root, parts, default_allow=default_allow(parts) or False),
        lists=any(key in parts for key in ("tools", "classes", "all_tools")),
        grants=grants(parts["grants"]) if "grants" in parts else None,
        denials=_denials(parts["denials"]) if "denials" in parts else None,
        approvals=approvals(parts["approvals"]) if "approvals" in parts else None,
    )


def _version(root: Node, version: Node | None) -> None:
    if version is None:
        root.fault('the key "version" is missing.', 'Add "version": "1".')
    elif version.value != "1":
        version.wrong_type('the string "1"', 'Write "version": "1", with the quotes.')


def _denials(node: Node) -> Denials | None:
    parts = node.known(DENIALS)
    most = parts["max"].whole(1, _MOST_DENIALS) if "max" in parts else None
    window = window_ms(parts["window"]) if "window" in parts else None
    cooldown = window_ms(parts["cooldown"]) if "cooldown" in parts else window
    node.lacks("max", "window")
    if most is None or window is None or cooldown is None:
        return None
    return Denials(node.where, most, window, cooldown)
