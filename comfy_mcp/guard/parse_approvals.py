"""How people are asked: ``approvals`` of a policy file and ``require_approval`` of a rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfy_mcp.guard.parse_conditions import conditions
from comfy_mcp.guard.parse_url import webhook
from comfy_mcp.guard.parse_words import LONGEST_TEXT
from comfy_mcp.guard.policy import Action, Approval, Approvals
from comfy_mcp.guard.vocabulary import APPROVAL, APPROVALS, CHANNELS

if TYPE_CHECKING:
    from comfy_mcp.guard.node import Node

__all__ = ["approval", "approvals"]

_SHORTEST_S = 10
_LONGEST_S = 86_400
_MOST_PENDING = 100
_LONGEST_WAIT_S = 50


def approvals(node: Node) -> Approvals:
    """What a file says about asking people; keys at fault are left out."""
    parts = node.known(APPROVALS)
    most = parts["max_pending"].whole(1, _MOST_PENDING) if "max_pending" in parts else None
    wait_s = parts["wait_s"].whole(0, _LONGEST_WAIT_S) if "wait_s" in parts else None
    return Approvals(
        where=node.where,
        channel=_channel(parts),
        expires_ms=_expires_ms(parts),
        most_pending=most,
        wait_ms=None if wait_s is None else wait_s * 1000,
        webhook=webhook(parts["webhook"]) if "webhook" in parts else None,
    )


def approval(parts: dict[str, Node], action: Action, told: str | None) -> Approval | None:
    """What a rule says of a person, by its *action* or by ``require_approval``.

    *told* is the rule's own reason.
    """
    always = action is Action.APPROVAL
    if "require_approval" not in parts:
        return Approval(parts["action"].where, (), told) if always else None
    node = parts["require_approval"]
    if not isinstance(node.value, dict):
        return _plain(node, always=always, told=told)
    keys = node.known(APPROVAL)
    when = conditions(keys["when"]) if "when" in keys else ()
    own = keys["reason"].text(LONGEST_TEXT) if "reason" in keys else None
    if always and "when" in keys:
        keys["when"].fault(
            'this contradicts "action": "require_approval", which asks for every call.',
            'Remove the action, or "when".',
        )
    _once(keys)
    return Approval(node.where, when, own or told, _channel(keys), _expires_ms(keys))


def _plain(node: Node, *, always: bool, told: str | None) -> Approval | None:
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


def _channel(parts: dict[str, Node]) -> str | None:
    return parts["channel"].choice(CHANNELS) if "channel" in parts else None


def _expires_ms(parts: dict[str, Node]) -> int | None:
    """``expires``, seconds, in milliseconds."""
    seconds = parts["expires"].whole(_SHORTEST_S, _LONGEST_S) if "expires" in parts else None
    return None if seconds is None else seconds * 1000


def _once(parts: dict[str, Node]) -> None:
    """``max_uses`` can only be 1: a person says yes to one call, not to what may come."""
    most = parts.get("max_uses")
    if most is None or (most.value == 1 and isinstance(most.value, int) and most.value is not True):
        return
    if isinstance(most.value, int) and not isinstance(most.value, bool):
        most.fault("an approval is for one call.", "Write 1, or remove it.")
    else:
        most.wrong_type("the number 1", "Write 1, or remove it.")
