"""The decision: pure and total; the strongest effect wins and no order has a meaning."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from comfy_mcp.guard.catalog import OWN_JOBS_ONLY, TOOLS, ToolClass, canonical
from comfy_mcp.guard.policy import Action, Place
from comfy_mcp.guard.wording import limit_in_words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from comfy_mcp.guard.policy import Policy, Rule

__all__ = [
    "AppliedLimit",
    "Decision",
    "Effect",
    "Question",
    "concerns",
    "decide",
    "listed",
    "matches",
]


class Effect(StrEnum):
    """What a decision comes to."""

    ALLOW = "allow"
    DENY = "deny"
    APPROVAL = "require_approval"


@dataclass(frozen=True, slots=True)
class Question:
    """A call about to be made.

    *tool* is the name it was called by, maybe an alias; *grant* the caller's identity; *owner* the
    owner of the job the call is about: ``"mine"``, ``"other agent"``, ``"human"``, or None if the
    call is about no job.
    """

    tool: str
    grant: str
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class AppliedLimit:
    """A limit this call has to fit into; *amount* and *most* are millionths.

    *rule* is its JSON Pointer, *words* a clause for people without a full stop; *reason* is the
    policy's own text for a refusal by it, *name* the policy's name for it.
    """

    rule: str
    counter: str
    per_grant: bool
    amount: int
    most: int
    window_ms: int
    calendar: bool
    words: str
    name: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy says to a question, counters aside.

    *rule* is the JSON Pointer of what decided, empty for a tool that does not exist or must seem
    not to; *reason* is a sentence for the agent. *limits* and *max_in_flight* (pointer and number
    of jobs) are what an allowed or approved call still has to fit into. *hidden_by* is the pointer
    of the ``hide`` entry: for the operator only, never for the agent.
    """

    effect: Effect
    code: str
    rule: str
    reason: str
    limits: tuple[AppliedLimit, ...] = ()
    max_in_flight: tuple[tuple[str, int], ...] = ()
    hidden_by: str = ""


def decide(policy: Policy, question: Question) -> Decision:
    """What *policy* says to *question*; the same answer for the same arguments, and no error."""
    tool = canonical(question.tool)
    return (
        _unlisted(policy, tool, question.tool)
        or _denied(policy, tool, question.tool)
        or _not_owner(tool, question.owner)
        or _admitted(policy, tool, question.tool)
    )


def listed(policy: Policy, tool: str) -> bool:
    """*tool* belongs into the list of tools: it exists, is neither hidden nor denied by default.

    A tool with ``"action": "deny"`` is listed. Aliases can be called but are not listed.
    """
    return tool in TOOLS and _unlisted(policy, tool, tool) is None


def matches(pattern: str, tool: str) -> bool:
    """*pattern*, a name, an alias or a glob, means the tool with the canonical name *tool*."""
    return canonical(pattern) == tool or fnmatchcase(tool, pattern)


def concerns(rule: Rule, tool: str) -> bool:
    """*rule* applies to the tool with the canonical name *tool*."""
    if rule.place is Place.CLASS:
        return TOOLS.get(tool) == rule.match
    return rule.place is Place.ALL or matches(rule.match, tool)


def _unlisted(policy: Policy, tool: str, called: str) -> Decision | None:
    missing = f"There is no tool named {called[:80]!r} here."
    if tool not in TOOLS:
        return Decision(Effect.DENY, "not_listed", "", missing)
    hides = sorted(hide.where for hide in policy.hides if matches(hide.match, tool))
    if hides:
        return Decision(Effect.DENY, "not_listed", "", missing, hidden_by=hides[0])
    if policy.default_allow or any(rule.place is Place.TOOL for rule in _rules(policy, tool)):
        return None
    denying = sorted(file.where for file in policy.files if not file.default_allow)
    rule = f"{denying[0] if denying else ''}/default"
    return Decision(Effect.DENY, "denied", rule, f"The policy does not list {called}.")


def _denied(policy: Policy, tool: str, called: str) -> Decision | None:
    for rule in _rules(policy, tool):
        if rule.action is Action.DENY:
            reason = rule.reason or f"The policy denies {called}."
            return Decision(Effect.DENY, "denied", rule.where, reason)
    return None


def _not_owner(tool: str, owner: str | None) -> Decision | None:
    if tool not in OWN_JOBS_ONLY or owner is None or owner == "mine":
        return None
    whose = "another agent" if owner == "other agent" else "a human"
    reason = f"This job belongs to {whose}; you may look into and stop only jobs that you started."
    return Decision(Effect.DENY, "not_owner", "/gpu/ownership", reason)


def _admitted(policy: Policy, tool: str, called: str) -> Decision:
    rules = _rules(policy, tool)
    limits = _limits(rules, called)
    caps = _caps(policy) if TOOLS.get(tool) is ToolClass.EXECUTE else ()
    for rule in rules:
        if rule.action is Action.APPROVAL:
            reason = rule.reason or f"A person has to approve {called} first."
            effect = Effect.APPROVAL
            return Decision(effect, "approval_required", rule.where, reason, limits, caps)
    listing = [rule.where for rule in rules if rule.place is Place.TOOL]
    where = listing[0] if listing else f"{min(file.where for file in policy.files)}/default"
    return Decision(Effect.ALLOW, "allowed", where, f"The policy allows {called}.", limits, caps)


def _rules(policy: Policy, tool: str) -> list[Rule]:
    """The rules for *tool*, the most specific first, else by pointer: never by position."""
    found = [rule for rule in policy.rules if concerns(rule, tool)]
    return sorted(found, key=lambda rule: (rule.place, canonical(rule.match) != tool, rule.where))


def _caps(policy: Policy) -> tuple[tuple[str, int], ...]:
    found = (file.gpu for file in policy.files if file.gpu is not None)
    return tuple(
        sorted(
            (f"{gpu.where}/max_in_flight", gpu.max_in_flight)
            for gpu in found
            if gpu.max_in_flight is not None
        )
    )


def _limits(rules: Iterable[Rule], called: str) -> tuple[AppliedLimit, ...]:
    """The limits of *rules*, each account once.

    A call counts once in a counter, however many limits name it: it takes the largest of their
    amounts and has to fit into the smallest of their maxima, so each of them holds.
    """
    accounts: dict[tuple[str, bool, int, bool], AppliedLimit] = {}
    for rule in rules:
        for limit in rule.limits:
            key = (limit.counter, limit.per_grant, limit.window_ms, limit.calendar)
            applied = AppliedLimit(
                rule=limit.where,
                counter=limit.counter,
                per_grant=limit.per_grant,
                amount=limit.amount,
                most=limit.most,
                window_ms=limit.window_ms,
                calendar=limit.calendar,
                words=limit_in_words(rule, limit, called),
                name=limit.name,
                reason=limit.reason or rule.reason,
            )
            other = accounts.get(key)
            accounts[key] = applied if other is None else _stricter(applied, other)
    return tuple(sorted(accounts.values(), key=lambda limit: (limit.rule, limit.counter)))


def _stricter(one: AppliedLimit, other: AppliedLimit) -> AppliedLimit:
    least = min(one, other, key=lambda limit: (limit.most, limit.rule))
    return replace(least, amount=max(one.amount, other.amount))
