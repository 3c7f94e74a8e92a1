"""Which tools an entry of a policy is about, and which layers meet in one call."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from comfy_mcp.guard.catalog import TOOLS, ToolClass
from comfy_mcp.guard.policy import Grant, Layer, Place
from comfy_mcp.guard.reach import concerns, matches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfy_mcp.guard.policy import Gpu, Policy, Rule

__all__ = ["SUBMITTING", "all_layers", "blocks", "callers", "named", "reached"]

_MANY = 4096

SUBMITTING = frozenset(tool for tool, kind in TOOLS.items() if kind is ToolClass.EXECUTE)
"""Tools whose calls have a graph."""


@lru_cache(maxsize=_MANY)
def named(pattern: str) -> frozenset[str]:
    """The tools that *pattern* means: a name, an alias or a glob."""
    return frozenset(tool for tool in TOOLS if matches(pattern, tool))


def reached(rule: Rule) -> frozenset[str]:
    """The tools that *rule* is about."""
    if rule.place is Place.TOOL:
        return named(rule.match)
    return frozenset(tool for tool in TOOLS if concerns(rule, tool))


def all_layers(policy: Policy) -> tuple[Layer, ...]:
    """The layers of files, then those of grants."""
    return (*policy.layers, *(grant.layer for grant in policy.grants))


def callers(policy: Policy) -> Iterator[tuple[Grant | None, tuple[Layer, ...]]]:
    """The layers that meet in a call: for each grant, or for everybody if there are none."""
    if not policy.knows_grants:
        yield None, policy.layers
    same: dict[str, list[Grant]] = {}
    for grant in policy.grants:
        same.setdefault(grant.id, []).append(grant)
    for grants in same.values():
        yield grants[0], (*policy.layers, *(grant.layer for grant in grants))


def blocks(layers: tuple[Layer, ...], tool: str) -> Iterator[Gpu]:
    """The ``gpu`` blocks that count for a call of *tool*."""
    for layer in layers:
        if layer.gpu is not None:
            yield layer.gpu
        for rule in layer.rules:
            if rule.gpu is not None and tool in reached(rule):
                yield rule.gpu
