"""Layers of a policy file: what is hidden, and the rules for tools, classes and everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfy_mcp.guard.catalog import ToolClass
from comfy_mcp.guard.parse_approvals import approval
from comfy_mcp.guard.parse_conditions import predicates
from comfy_mcp.guard.parse_gpu import gpu
from comfy_mcp.guard.parse_limits import limits, rate_limit
from comfy_mcp.guard.parse_words import is_pattern, reason
from comfy_mcp.guard.policy import Action, Hide, Layer, Place, Rule
from comfy_mcp.guard.vocabulary import RULE, Keys

if TYPE_CHECKING:
    from comfy_mcp.guard.node import Node

__all__ = ["layer"]

_CLASSES = Keys(frozenset(ToolClass))
_BEYOND_DENY = ("limits", "rate_limit", "require_approval")


def layer(node: Node, parts: dict[str, Node], *, default_allow: bool) -> Layer:
    """The layer that *parts*, members of *node*, make: of a file or of a grant."""
    return Layer(
        where=node.where,
        default_allow=default_allow,
        hide=_hides(parts["hide"]) if "hide" in parts else (),
        rules=_rules(parts),
        gpu=gpu(parts["gpu"]) if "gpu" in parts else None,
    )


def _hides(node: Node) -> tuple[Hide, ...]:
    hides: dict[str, Hide] = {}
    for item in node.items():
        name = item.text(128)
        if name is None or not is_pattern(item, name):
            continue
        if name in hides:
            item.fault(f'"{name}" is hidden twice.', "Remove one of the two.")
        hides[name] = Hide(item.where, name)
    return tuple(hides.values())


def _rules(parts: dict[str, Node]) -> tuple[Rule, ...]:
    rules: list[Rule] = []
    if "tools" in parts:
        for name, node in parts["tools"].members().items():
            if is_pattern(node, name):
                rules.append(_rule(node, Place.TOOL, name, f"rate:{name}"))
    if "classes" in parts:
        for name, node in parts["classes"].known(_CLASSES).items():
            rules.append(_rule(node, Place.CLASS, name, f"rate:classes/{name}"))
    if "all_tools" in parts:
        rules.append(_rule(parts["all_tools"], Place.ALL, "*", "rate:all_tools"))
    return tuple(rules)


def _rule(node: Node, place: Place, match: str, counter: str) -> Rule:
    parts = node.known(RULE)
    said = parts["action"].choice(frozenset(Action)) if "action" in parts else None
    action = Action(said) if said is not None else Action.ALLOW
    told = reason(parts)
    if action is Action.DENY:
        _nothing_gets_that_far(parts)
    asked = approval(parts, action, told)
    if asked is not None and not asked.when and action is Action.ALLOW:
        action = Action.APPROVAL
    found = limits(parts["limits"]) if "limits" in parts else ()
    if "rate_limit" in parts:
        found += rate_limit(parts["rate_limit"], counter)
    return Rule(
        where=node.where,
        place=place,
        match=match,
        action=action,
        reason=told,
        limits=found,
        require=predicates(parts["require"]) if "require" in parts else (),
        deny_if=predicates(parts["deny_if"]) if "deny_if" in parts else (),
        approval=asked,
        gpu=gpu(parts["gpu"]) if "gpu" in parts else None,
    )


def _nothing_gets_that_far(parts: dict[str, Node]) -> None:
    for key in _BEYOND_DENY:
        if key in parts:
            parts[key].fault(
                f'a rule with "action": "deny" cannot have "{key}": nothing gets that far.',
                f'Remove "{key}", or the action.',
            )
