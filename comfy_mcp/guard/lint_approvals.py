"""Questions to people that help less than they seem to."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from comfy_mcp.guard.callers import Caller, caller_of
from comfy_mcp.guard.catalog import TOOLS, ToolClass
from comfy_mcp.guard.compiling import in_force
from comfy_mcp.guard.lint_reach import SUBMITTING, all_layers, callers, reached

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfy_mcp.guard.in_force import InForce
    from comfy_mcp.guard.policy import Approval, Policy

__all__ = ["approval_warnings"]

_FOLLOWING = "get_approval"
_ABOUT_REQUESTS = TOOLS.keys() & {
    *(_FOLLOWING, "list_approvals", "request_approval", "cancel_approval")
}


class _Wish(NamedTuple):
    """A question about calls of one tool; *always*: about each of them."""

    where: str
    channel: str
    always: bool


def approval_warnings(policy: Policy, now_ms: int) -> Iterator[str]:
    """Questions about too much, answers that nobody can follow, or that a client can give."""
    for layer in all_layers(policy):
        for rule in layer.rules:
            if rule.approval is not None:
                yield from _about_too_much(rule.approval, reached(rule))
    told: dict[str, None] = {}
    for grant, _ in callers(policy):
        caller = caller_of(policy, grant.stdio if grant else "", now_ms)
        tools = _callable(policy, caller) if caller.id is not None else ()
        told.update(dict.fromkeys(_answered_by_clients(policy, tools)))
        told.update(dict.fromkeys(_unfollowed(f"{grant.where}: " if grant else "", tools)))
    yield from told


def _about_too_much(asked: Approval, tools: frozenset[str]) -> Iterator[str]:
    if tools & _ABOUT_REQUESTS and not asked.when:
        yield (
            f"{asked.where}: a person is asked about {_some(tools & _ABOUT_REQUESTS)}, too, by"
            " which an agent deals with its requests. Name the tools to be asked about instead."
        )
    others = tools - SUBMITTING
    for condition in asked.when if others else ():
        if condition.path.space == "graph" and condition.op != "exists":
            yield (
                f"{condition.where}: calls of {_some(others)} have no graph, so this counts as"
                " holding and a person is asked. Move it to a rule for run_workflow."
            )


def _callable(policy: Policy, caller: Caller) -> tuple[InForce, ...]:
    """What is in force for each tool that *caller* may call, if only with a person's word."""
    every = (in_force(policy, tool, caller) for tool in TOOLS)
    return tuple(
        one for one in every if not one.hidden_by and one.unlisted is None and one.denying is None
    )


def _answered_by_clients(policy: Policy, tools: tuple[InForce, ...]) -> Iterator[str]:
    """Destructive calls that the client may let through in its user's name."""
    found: dict[tuple[str, str], set[str]] = {}
    for force in tools:
        wishes = _wishes(policy, force) if TOOLS[force.tool] is ToolClass.DESTRUCTIVE else []
        if not any(one.channel == "operator" and one.always for one in wishes):
            for one in wishes:
                if one.channel != "operator":
                    found.setdefault((one.where, one.channel), set()).add(force.tool)
    for (where, channel), names in found.items():
        yield (
            f'{where}: channel "{channel}" lets a client answer for its user about'
            f' {_some(frozenset(names))}, which can destroy work. Use "operator".'
        )


def _wishes(policy: Policy, force: InForce) -> list[_Wish]:
    usual = policy.approvals.channel
    found = [_Wish(ask.rule, ask.channel or usual, not ask.when) for ask in force.asks]
    word = force.words.global_interrupt
    if word.value == "approve" and force.tool == "interrupt_execution":
        found.append(_Wish(word.rule, usual, always=False))
    return found


def _unfollowed(who: str, tools: tuple[InForce, ...]) -> Iterator[str]:
    names = {force.tool for force in tools}
    asking = frozenset(force.tool for force in tools if force.asks)
    if asking and _FOLLOWING in TOOLS and _FOLLOWING not in names:
        yield (
            f"{who}a person is asked about {_some(asking)}, but {_FOLLOWING} is not allowed: an"
            " agent learns of the answer only by calling again."
            f' Add "{_FOLLOWING}": {{}} to "tools".'
        )


def _some(tools: frozenset[str]) -> str:
    first, *others = sorted(tools)
    return f"{first} (and {len(others)} more)" if others else first
