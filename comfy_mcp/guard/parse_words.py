"""Small pieces that several parts of a policy file are made of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from comfy_mcp.guard.patterns import any_glob
from comfy_mcp.guard.policy import Globs

if TYPE_CHECKING:
    from comfy_mcp.guard.node import Node

__all__ = [
    "LARGEST",
    "LONGEST_TEXT",
    "LONGEST_WINDOW_S",
    "SCOPES",
    "WINDOWS",
    "default_allow",
    "description",
    "globs",
    "is_calendar",
    "is_pattern",
    "per_grant",
    "reason",
    "window_ms",
]

WINDOWS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
"""Words for windows, and their seconds."""

SCOPES = {"grant": True, "session": True, "global": False, "server": False}
"""Words for scopes, and whether each caller has an account of its own."""

LARGEST = 10**12
"""No maximum of a policy is larger: its millionths fit into the columns of a database."""

LONGEST_WINDOW_S = 2_678_400
LONGEST_TEXT = 500
_LONGEST_DESCRIPTION = 2000
_PATTERN = re.compile(r"[A-Za-z0-9_.*?/-]{1,128}")


def reason(parts: dict[str, Node]) -> str | None:
    """``reason``, or ``on_deny``, which means the same."""
    texts = {key: parts[key].text(LONGEST_TEXT) for key in ("reason", "on_deny") if key in parts}
    if len(texts) > 1:
        parts["on_deny"].fault('"reason" and "on_deny" mean the same here.', "Keep one of them.")
    return next(iter(texts.values()), None)


def description(parts: dict[str, Node]) -> str:
    """``description``, empty if there is none."""
    return (parts["description"].text(_LONGEST_DESCRIPTION) or "") if "description" in parts else ""


def default_allow(parts: dict[str, Node]) -> bool | None:
    """``default``; None if it is not there."""
    if "default" not in parts:
        return None
    return parts["default"].choice({"allow", "deny"}) == "allow"


def window_ms(node: Node) -> int | None:
    """A window, a word or seconds, in milliseconds; None, and a fault, if this is none."""
    if isinstance(node.value, str):
        word = node.choice(WINDOWS)
        return None if word is None else WINDOWS[word] * 1000
    seconds = node.whole(1, LONGEST_WINDOW_S)
    return None if seconds is None else seconds * 1000


def per_grant(parts: dict[str, Node], scopes: dict[str, bool] = SCOPES) -> bool:
    """``scope``: whether each caller has an account of its own."""
    scope = parts["scope"].choice(scopes) if "scope" in parts else None
    return scopes[scope or "grant"]


def is_calendar(parts: dict[str, Node]) -> bool:
    """``algorithm``: whether windows are fixed and follow the calendar."""
    return "algorithm" in parts and parts["algorithm"].choice({"rolling", "fixed"}) == "fixed"


def is_pattern(node: Node, name: str) -> bool:
    """*name* can be the name of a tool, or a glob; a fault if not."""
    fits = _PATTERN.fullmatch(name) is not None
    if not fits:
        node.fault(
            "this is neither the name of a tool nor a glob.",
            "Use 1 to 128 letters, digits and _ . / - and, as a glob, * and ?.",
        )
    return fits


def globs(node: Node) -> Globs:
    """An array of names and globs."""
    patterns: list[str] = []
    for item in node.items():
        text = item.text(LONGEST_TEXT)
        if text == "":
            item.fault("an empty text is no name.", "Remove it.")
        elif text is not None:
            patterns.append(text)
    return Globs(node.where, tuple(patterns), any_glob(patterns))
