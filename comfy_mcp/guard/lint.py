"""What is wrong or odd about a policy as a whole, which no single entry of it can show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfy_mcp.errors import Fault
from comfy_mcp.guard.catalog import ALIASES, KNOWN_NAMES, TOOLS, canonical
from comfy_mcp.guard.decide import Effect, Question, concerns, decide, matches
from comfy_mcp.guard.policy import Place
from comfy_mcp.guard.reading import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfy_mcp.guard.policy import Limit, Policy

__all__ = ["faults", "warnings"]


def faults(policy: Policy) -> tuple[Fault, ...]:
    """What forbids the use of *policy*: counters at odds, and names that would fail open."""
    unknown = _unknown_names(policy) if policy.default_allow else ()
    return (*_counters_at_odds(policy), *_counted_twice(policy), *unknown)


def warnings(policy: Policy) -> tuple[str, ...]:
    """What *policy* can be used with, but its author should know; each a sentence or two."""
    found = [str(fault) for fault in _unknown_names(policy) if not policy.default_allow]
    found += _not_yet(policy)
    usable = {name for name in TOOLS if _usable(policy, name)}
    if not usable:
        found.append(
            "Nothing is allowed: every call of every tool will be denied."
            ' List the tools that may be called under "tools", or set "default": "allow".'
        )
    if "run_workflow" in usable and "get_job" not in usable:
        found.append(
            "run_workflow is allowed but get_job is not: an agent can start jobs and never"
            ' learn what became of them. Add "get_job": {} to "tools".'
        )
    return tuple(found)


def _usable(policy: Policy, tool: str) -> bool:
    return decide(policy, Question(tool, "")).effect is not Effect.DENY


def _names(policy: Policy) -> Iterator[tuple[str, str]]:
    """Pointer and text of everything that should name a tool."""
    for hide in policy.hides:
        yield hide.where, hide.match
    for rule in policy.rules:
        if rule.place is Place.TOOL:
            yield rule.where, rule.match


def _unknown_names(policy: Policy) -> tuple[Fault, ...]:
    effect = (
        "so this entry would protect nothing"
        if policy.default_allow
        else "so this entry has no effect"
    )
    return tuple(
        Fault(where, f'no tool has the name "{name}", {effect}.', nearest(name, TOOLS, ALIASES))
        for where, name in _names(policy)
        if name not in KNOWN_NAMES and not any(matches(name, tool) for tool in TOOLS)
    )


def _not_yet(policy: Policy) -> Iterator[str]:
    for where, name in _names(policy):
        if name in KNOWN_NAMES and canonical(name) not in TOOLS:
            meant = f" (by which {canonical(name)} is meant)" if name in ALIASES else ""
            yield f'{where}: this version has no tool "{name}"{meant}: the entry has no effect yet.'


def _limits(policy: Policy) -> list[Limit]:
    found = (limit for rule in policy.rules for limit in rule.limits)
    return sorted(found, key=lambda limit: limit.where)


def _counters_at_odds(policy: Policy) -> Iterator[Fault]:
    """One counter is one account: it cannot be counted in two ways."""
    first: dict[str, Limit] = {}
    for limit in _limits(policy):
        other = first.setdefault(limit.counter, limit)
        if (limit.window_ms, limit.calendar) != (other.window_ms, other.calendar):
            yield Fault(
                limit.where,
                f'the counter "{limit.counter}" has another window or algorithm at {other.where}.',
                "Use another counter, or the same window and algorithm.",
            )


def _counted_twice(policy: Policy) -> Iterator[Fault]:
    """A call counts once in a counter; so its limits must agree on how much."""
    told: set[str] = set()
    for tool in TOOLS:
        first: dict[tuple[str, bool], Limit] = {}
        for limit in sorted(_limits_of(policy, tool), key=lambda limit: limit.where):
            other = first.setdefault((limit.counter, limit.per_grant), limit)
            if limit.amount != other.amount and limit.where not in told:
                told.add(limit.where)
                yield Fault(
                    limit.where,
                    f'a call of {tool} counts in "{limit.counter}" also at {other.where},'
                    " with another increment.",
                    "Use another counter, or the same increment.",
                )


def _limits_of(policy: Policy, tool: str) -> Iterator[Limit]:
    for rule in policy.rules:
        if concerns(rule, tool):
            yield from rule.limits
