"""Rules that can never count, or that refuse every call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfy_mcp.guard.lint_reach import SUBMITTING, all_layers, named, reached
from comfy_mcp.guard.policy import Action, Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfy_mcp.guard.policy import Layer, Policy, Predicate, Rule

__all__ = ["dead_warnings"]


def dead_warnings(policy: Policy) -> Iterator[str]:
    """What no call will ever notice. Files may take from each other: that is what they are for.

    A rule for a class that has no tools in this version is silent: it waits for them.
    """
    for layer in all_layers(policy):
        hidden = frozenset[str]().union(*(named(hide.match) for hide in layer.hide))
        for rule in layer.rules:
            if rule.place is Place.TOOL and reached(rule) and reached(rule) <= hidden:
                yield f'{rule.where}: "hide" removes {rule.match}, so this rule never counts.'
            elif rule.action is not Action.DENY:
                yield from _denied_anyway(layer, rule)
            yield from _predicates(rule)


def _denied_anyway(layer: Layer, rule: Rule) -> Iterator[str]:
    if rule.place is not Place.TOOL or not reached(rule):
        return
    denying = [one for one in layer.rules if one.action is Action.DENY]
    denied = frozenset[str]().union(*(reached(one) for one in denying))
    if reached(rule) <= denied:
        where = next(one.where for one in denying if reached(one) & reached(rule))
        yield f"{rule.where}: {where} denies {rule.match}, so this rule never counts."


def _predicates(rule: Rule) -> Iterator[str]:
    tools = reached(rule)
    for predicate in rule.require:
        if not predicate.conditions:
            yield f"{predicate.where}: there are no conditions, so nothing is required."
        elif _looks_at_graph(predicate) and tools - SUBMITTING:
            others = ", ".join(sorted(tools - SUBMITTING))
            yield (
                f"{predicate.where}: calls of {others} have no graph, so this denies them all."
                " Move it to a rule for run_workflow."
            )
    for predicate in rule.deny_if:
        if _looks_at_graph(predicate) and tools and not tools & SUBMITTING:
            yield (
                f"{predicate.where}: calls of {', '.join(sorted(tools))} have no graph, so this"
                " never counts. Move it to a rule for run_workflow."
            )


def _looks_at_graph(predicate: Predicate) -> bool:
    return any(condition.path.space == "graph" for condition in predicate.conditions)
