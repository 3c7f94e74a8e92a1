"""Counters that cannot be counted as a policy says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfy_mcp.errors import Fault
from comfy_mcp.guard.catalog import TOOLS
from comfy_mcp.guard.lint_reach import SUBMITTING, all_layers, callers, reached

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfy_mcp.guard.policy import Layer, Limit, Policy

__all__ = ["counter_faults", "counter_warnings"]


def counter_faults(policy: Policy) -> Iterator[Fault]:
    """Counters with two windows, and calls that take two amounts from one.

    No name is reserved: what the server counts by itself has a ``/`` in its name.
    """
    yield from _at_odds(_sorted(all_layers(policy)))
    yield from _counted_twice(policy)


def counter_warnings(policy: Policy) -> Iterator[str]:
    """Limits that ask for something that calls of their tools do not have."""
    for layer in all_layers(policy):
        for rule in layer.rules:
            for limit in rule.limits:
                yield from _without_job(limit, reached(rule))


def _without_job(limit: Limit, tools: frozenset[str]) -> Iterator[str]:
    if not tools or tools & SUBMITTING:
        return
    if limit.amount_from is not None and limit.amount_from.space == "graph":
        yield (
            f"{limit.where}: {limit.amount_from.text} is a fact of a graph, which calls of"
            f" {_some(tools)} do not have. Move the limit to a rule for run_workflow."
        )
    elif limit.refund != ("never" if limit.amount_from is None else "not_accepted"):
        yield (
            f'{limit.where}: "refund": "{limit.refund}" is about jobs, and {_some(tools)} starts'
            " none: nothing is ever given back. Remove it."
        )


def _some(tools: frozenset[str]) -> str:
    first, *others = sorted(tools)
    return f"{first} (and {len(others)} more)" if others else first


def _sorted(layers: tuple[Layer, ...]) -> list[Limit]:
    found = (limit for layer in layers for rule in layer.rules for limit in rule.limits)
    return sorted(found, key=lambda limit: limit.where)


def _at_odds(limits: list[Limit]) -> Iterator[Fault]:
    """One counter is one account: it cannot be counted in two ways."""
    first: dict[str, Limit] = {}
    for limit in limits:
        other = first.setdefault(limit.counter, limit)
        if (limit.window_ms, limit.calendar) != (other.window_ms, other.calendar):
            yield Fault(
                limit.where,
                f'the counter "{limit.counter}" has another window or algorithm at {other.where}.',
                "Use another counter, or the same window and algorithm.",
            )


def _counted_twice(policy: Policy) -> Iterator[Fault]:
    """A call counts once in a counter; so its limits must agree on how much, and on refunds."""
    told: set[str] = set()
    for _, layers in callers(policy):
        for tool in TOOLS:
            for limit, other in _disagreeing(layers, tool):
                if limit.where not in told:
                    told.add(limit.where)
                    yield Fault(
                        limit.where,
                        f'a call of {tool} counts in "{limit.counter}" also at {other.where},'
                        " with another increment or refund.",
                        "Use another counter, or the same increment and refund.",
                    )


def _disagreeing(layers: tuple[Layer, ...], tool: str) -> Iterator[tuple[Limit, Limit]]:
    rules = [rule for layer in layers for rule in layer.rules if tool in reached(rule)]
    first: dict[tuple[str, bool], Limit] = {}
    for limit in sorted((one for rule in rules for one in rule.limits), key=lambda one: one.where):
        other = first.setdefault((limit.counter, limit.per_grant), limit)
        if _takes(limit) != _takes(other):
            yield limit, other


def _takes(limit: Limit) -> tuple[object, ...]:
    if limit.amount_from is None:
        return limit.amount, limit.refund
    return limit.amount_from.space, limit.amount_from.steps, limit.refund
