"""What agents may do under a policy, in words: one row for each tool."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from comfy_mcp.cli.asking import asked_whom
from comfy_mcp.guard.callers import caller_of
from comfy_mcp.guard.catalog import ALWAYS_OWN, OWN_JOBS_ONLY, TOOLS
from comfy_mcp.guard.compiling import in_force
from comfy_mcp.guard.decide import decide, grant_of, listed, prefix_for
from comfy_mcp.guard.in_force import Check, InForce
from comfy_mcp.guard.policy import Grant, Policy
from comfy_mcp.guard.question import Asking, Decision, Effect, Question, in_this_zone
from comfy_mcp.oversight.gauge import number

__all__ = ["Caller", "Power", "callers", "powers"]


_MANY = "run_sweep"

_OWN = {"upload_input": "of outputs only those of own jobs"}
"""Words for tools that are about something else than a job, but may be about one, too."""


@dataclass(frozen=True, slots=True)
class Power:
    """One tool: whether agents see it, and what becomes of a call."""

    tool: str
    listed: bool
    words: str


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody by the *name* that a transport gives; *known*: the policy lets it call at all."""

    name: str
    known: bool
    words: str = ""


def callers(policy: Policy, name: str, at_ms: int) -> tuple[Caller, ...]:
    """The caller *name*, and everybody else whom *policy* names, sorted."""
    if not policy.knows_grants:
        return (Caller(name, known=True),)
    others = sorted({grant.stdio for grant in policy.grants} - {name})
    return tuple(_caller(policy, one, at_ms) for one in (name, *others))


def powers(policy: Policy, name: str, at_ms: int) -> tuple[Power, ...]:
    """What the caller *name* may do with each tool, to its own jobs, before a limit is used up.

    Rules about what a call says and asks for are named, not judged: `policy explain` does that.
    """
    at = in_this_zone(at_ms)
    caller = caller_of(policy, name, at_ms)
    found: list[Power] = []
    for tool in TOOLS:
        question = Question(tool, name, owner="mine", at_ms=at_ms, at=at)
        force = in_force(policy, tool, caller)
        words = _words(decide(policy, question), force)
        prefix = prefix_for(policy, tool, name)
        if force.runs and prefix is not None and words.startswith("allowed"):
            words += f"; saved below {prefix.text}"
        found.append(Power(tool, listed(policy, tool, name, at_ms), words))
    return tuple(found)


def _caller(policy: Policy, name: str, at_ms: int) -> Caller:
    grants = [grant for grant in policy.grants if grant.stdio == name]
    known = grant_of(policy, name, at_ms) is not None
    if not grants:
        return Caller(name, known, "Nothing: the policy does not know it (no_grant).")
    told = dict.fromkeys(words for grant in grants for words in _about(grant, at_ms))
    refused = [] if known else ["Every call is refused (no_grant)."]
    return Caller(name, known, " ".join([*told, *refused]))


def _about(grant: Grant, at_ms: int) -> Iterator[str]:
    yield f"Grant {grant.id} ({grant.where})."
    if grant.description:
        yield grant.description
    if grant.tags:
        yield f"Tags: {', '.join(grant.tags)}."
    if grant.revoked:
        yield "It is revoked."
    if grant.expires_ms is not None:
        ends = datetime.fromtimestamp(grant.expires_ms / 1000, UTC)
        over = "ended" if grant.expires_ms <= at_ms else "ends"
        yield f"It {over} on {ends:%Y-%m-%d %H:%M} UTC."


def _words(decision: Decision, force: InForce) -> str:
    if decision.hidden_by:
        return f"hidden by {decision.hidden_by}: it seems not to exist"
    if decision.effect is Effect.DENY:
        return f"denied by {decision.rule or '/default'}: {decision.reason}"
    held = force.tool in OWN_JOBS_ONLY and force.words.ownership.value == "own"
    own = [_OWN.get(force.tool, "own jobs only")] if held or force.tool in ALWAYS_OWN else []
    taken = [limit.words for limit in decision.limits]
    first = "allowed" if decision.asking is None else _asked(decision.asking)
    return "; ".join([first, *own, *taken, *_if(force)])


def _asked(asking: Asking) -> str:
    reasons = " ".join(asking.reasons.values())
    return f"only after a person's yes, {asked_whom(asking)}: {reasons.rstrip('.')}"


def _if(force: InForce) -> Iterator[str]:
    """Rules about what the call says, by their names or places, and about its graph."""
    for check in force.requires:
        yield f"only if: {_name(check)}"
    for check in force.denies:
        yield f"not if: {_name(check)}"
    for ask in force.asks:
        yield f"some need a person ({ask.rule})"
    if force.runs:
        yield from _run(force)
    if force.tool == _MANY:
        yield "each of its runs is judged and counted as run_workflow, too"


def _run(force: InForce) -> Iterator[str]:
    """What a run and its graph have to fit into."""
    least: dict[str, float] = {}
    for one in force.graph.numbers:
        least[one.fact] = min(one.most, least.get(one.fact, one.most))
    sizes = [f"{fact.replace('_', ' ')} {number(most)}" for fact, most in least.items()]
    if sizes:
        yield f"at most {', '.join(sizes)}"
    if force.graph.queue is not None:
        yield f"while ComfyUI has fewer than {number(force.graph.queue.most)} jobs"
    for cap in force.takes.slots:
        yield f"at most {cap.value} unfinished {'job' if cap.value == 1 else 'jobs'}"
    if force.takes.job_ms is not None:
        yield f"at most {number(force.takes.job_ms.value / 1000)} s for each"


def _name(check: Check) -> str:
    return check.predicate.name or check.predicate.where
