"""Layers of a policy file: what is hidden, and the rules for tools, classes and everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfy_mcp.guard.catalog import ToolClass
from comfy_mcp.guard.parse_conditions import conditions, predicates
from comfy_mcp.guard.parse_gpu import gpu
from comfy_mcp.guard.parse_limits import limits, rate_limit
from comfy_mcp.guard.parse_words import LONGEST_TEXT, is_pattern, reason
from comfy_mcp.guard.policy import Action, Approval, Hide, Layer, Place, Rule
from comfy_mcp.guard.vocabulary import APPROVAL, RULE, Keys

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
    approval = _approval(parts, action, told)
    if approval is not None and not approval.when and action is Action.ALLOW:
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
        approval=approval,
        gpu=gpu(parts["gpu"]) if "gpu" in parts else None,
    )


def _nothing_gets_that_far(parts: dict[str, Node]) -> None:
    for key in _BEYOND_DENY:
        if key in parts:
            parts[key].fault(
                f'a rule with "action": "deny" cannot have "{key}": nothing gets that far.',
                f'Remove "{key}", or the action.',
            )


def _approval(parts: dict[str, Node], action: Action, told: str | None) -> Approval | None:
    """What the rule says of a person, by its action or by ``require_approval``."""
    always = action is Action.APPROVAL
    if "require_approval" not in parts:
        return Approval(parts["action"].where, (), told) if always else None
    node = parts["require_approval"]
    if not isinstance(node.value, dict):
        return _plain_approval(node, always=always, told=told)
    keys = node.known(APPROVAL)
    when = conditions(keys["when"]) if "when" in keys else ()
    own = keys["reason"].text(LONGEST_TEXT) if "reason" in keys else None
    if always and "when" in keys:
        keys["when"].fault(
            'this contradicts "action": "require_approval", which asks for every call.',
            'Remove the action, or "when".',
        )
    return Approval(node.where, when, own or told)


def _plain_approval(node: Node, *, always: bool, told: str | None) -> Approval | None:
    if not isinstance(node.value, bool):
        node.wrong_type("true, false or an object")
        return None
    if node.value:
        return Approval(node.where, (), told)
    if always:
        node.fault(
            'this contradicts "action": "require_approval".', 'Remove "require_approval" here.'
        )
    return None
