"""Which tools an entry of a policy is about."""

from __future__ import annotations

from collections.abc import Iterable

from comfy_mcp.guard.catalog import TOOLS, canonical
from comfy_mcp.guard.patterns import any_glob
from comfy_mcp.guard.policy import Layer, Place, Rule

__all__ = ["concerns", "matches", "rules_for"]


def matches(pattern: str, tool: str) -> bool:
    """*pattern*, a name, an alias or a glob, means the tool with the canonical name *tool*."""
    return canonical(pattern) == tool or any_glob([pattern])(tool)


def concerns(rule: Rule, tool: str) -> bool:
    """*rule* applies to the tool with the canonical name *tool*."""
    if rule.place is Place.CLASS:
        return TOOLS.get(tool) == rule.match
    return rule.place is Place.ALL or matches(rule.match, tool)


def rules_for(layers: Iterable[Layer], tool: str) -> tuple[Rule, ...]:
    """The rules for *tool*, the most specific first, else by pointer: never by position."""
    found = [rule for layer in layers for rule in layer.rules if concerns(rule, tool)]
    found.sort(key=lambda rule: (rule.place, canonical(rule.match) != tool, rule.where))
    return tuple(found)
