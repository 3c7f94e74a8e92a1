"""The steps of a decision, in their order; the first that has something to say decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from comfy_mcp.guard import gpu_rules, ownership
from comfy_mcp.guard.asks import asking
from comfy_mcp.guard.case import Case
from comfy_mcp.guard.catalog import TOOLS
from comfy_mcp.guard.in_force import Check
from comfy_mcp.guard.judging import failing, matching
from comfy_mcp.guard.predicates_in_words import denied_in_words, required_in_words
from comfy_mcp.guard.question import Effect
from comfy_mcp.guard.reserve import invalid_amount
from comfy_mcp.guard.verdict import Verdict, deny

__all__ = ["LISTING", "STEPS", "Judge"]

Judge = Callable[[Case], Verdict | None]
"""One step: what it says, or None if it lets the call go on."""


def identity(case: Case) -> Verdict | None:
    """The policy knows grants, and the caller is none of them."""
    caller = case.caller
    return deny("no_grant", caller.rule, caller.why) if caller.id is None else None


def tool(case: Case) -> Verdict | None:
    """There is no such tool."""
    return None if case.tool in TOOLS else _missing(case)


def hide(case: Case) -> Verdict | None:
    """The tool must seem not to exist."""
    where = case.force.hidden_by
    return _missing(case)._replace(hidden_by=where) if where else None


def default(case: Case) -> Verdict | None:
    """Nothing lists the tool, and silence denies."""
    where = case.force.unlisted
    if where is None:
        return None
    return deny("denied", where, f"The policy does not list {case.question.tool}.")


def action(case: Case) -> Verdict | None:
    """A rule says no."""
    rule = case.force.denying
    if rule is None:
        return None
    return deny("denied", rule.where, rule.reason or f"The policy denies {case.question.tool}.")


def require(case: Case) -> Verdict | None:
    """Something that must hold does not."""
    for check in case.force.requires:
        if case.knows(check.spaces):
            failed = failing(case, check)
            if failed is not None:
                reason, fix = required_in_words(case, check, failed)
                where = check.predicate.where
                return deny("require_failed", where, _own(check) or reason, fix=fix)
    return None


def deny_if(case: Case) -> Verdict | None:
    """Something holds that must not."""
    for check in case.force.denies:
        if case.knows(check.spaces) and matching(case, check):
            reason, fix = denied_in_words(case, check)
            return deny("deny_if", check.predicate.where, _own(check) or reason, fix=fix)
    return None


def approval(case: Case) -> Verdict | None:
    """A person has to decide."""
    found = asking(case)
    if found is None:
        return None
    rule, reason = next(iter(found.reasons.items()))
    return Verdict(Effect.APPROVAL, "approval_required", rule, reason, asking=found)


def allowed(case: Case) -> Verdict | None:
    """Nothing speaks against it."""
    called = case.question.tool
    return Verdict(Effect.ALLOW, "allowed", case.force.listed_by, f"The policy allows {called}.")


def _missing(case: Case) -> Verdict:
    return deny("not_listed", "", f"There is no tool named {case.question.tool[:80]!r} here.")


def _own(check: Check) -> str | None:
    """The policy's own words."""
    return check.predicate.reason or check.rule.reason


LISTING: Mapping[str, Judge] = MappingProxyType(
    {"identity": identity, "tool": tool, "hide": hide, "default": default}
)
"""The steps that decide whether a tool is shown at all."""

STEPS: Mapping[str, Judge] = MappingProxyType(
    {
        **LISTING,
        "action": action,
        "require": require,
        "deny_if": deny_if,
        "ownership": ownership.not_owner,
        "run": gpu_rules.unmeasured,
        "input_path": ownership.input_path,
        "node_class": gpu_rules.node_class,
        "api_node": gpu_rules.api_node,
        "model": gpu_rules.model,
        "output_path": gpu_rules.output_path,
        "queue_jump": gpu_rules.front,
        "gpu_limit": gpu_rules.gpu_limit,
        "undetermined": gpu_rules.undetermined,
        "amounts": invalid_amount,
        "queue_full": gpu_rules.queue_full,
        "approval": approval,
        "allowed": allowed,
    }
)
"""All steps by name, in their order. The last one always decides."""
