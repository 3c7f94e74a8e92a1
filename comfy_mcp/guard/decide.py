"""The decision: pure and total; the first step that has something to say decides."""

from __future__ import annotations

from dataclasses import dataclass

from comfy_mcp.guard.callers import Caller, caller_of, grants_of
from comfy_mcp.guard.case import Case
from comfy_mcp.guard.catalog import TOOLS, canonical
from comfy_mcp.guard.compiling import in_force
from comfy_mcp.guard.gpu_rules import prefix_text
from comfy_mcp.guard.policy import Denials, Policy
from comfy_mcp.guard.question import Decision, Effect, Prefix, Question
from comfy_mcp.guard.reserve import limits
from comfy_mcp.guard.steps import LISTING, STEPS
from comfy_mcp.guard.verdict import Verdict
from comfy_mcp.guard.walking import passed

__all__ = [
    "STEPS",
    "Looked",
    "decide",
    "grant_of",
    "listed",
    "prefix_for",
    "tallies",
    "walk",
    "wanted",
]


@dataclass(frozen=True, slots=True)
class Looked:
    """What one step says: *verdict* is passed, decided or not asked.

    *rule* is a JSON Pointer, for the operator: it names what an agent must not hear of, too.
    *words* is a clause or a sentence.
    """

    step: str
    verdict: str
    rule: str
    words: str


def decide(policy: Policy, question: Question) -> Decision:
    """What *policy* says to *question*; the same answer for the same arguments, and no error."""
    case = Case(policy, question)
    for name, judge in STEPS.items():
        verdict = judge(case)
        if verdict is not None:
            return _decision(case, name, verdict)
    raise AssertionError("the last step decides")


def walk(policy: Policy, question: Question) -> tuple[Looked, ...]:
    """Every step of the same decision, in order, and what it says."""
    case = Case(policy, question)
    looked: list[Looked] = []
    decided = False
    for name, judge in STEPS.items():
        verdict = None if decided else judge(case)
        if decided:
            looked.append(Looked(name, "not asked", "", "decided before"))
        elif verdict is not None:
            decided = True
            rule = verdict.hidden_by or verdict.rule
            looked.append(Looked(name, "decided", rule, verdict.reason))
        else:
            looked.append(Looked(name, *passed(case, name)))
    return tuple(looked)


def listed(policy: Policy, tool: str, identity: str, at_ms: int) -> bool:
    """*tool* belongs into the list of tools of the caller *identity* at *at_ms*.

    The caller is known, and the tool exists, is neither hidden nor denied by default. A tool with
    ``"action": "deny"`` is listed. Aliases can be called but are not listed.
    """
    if tool not in TOOLS:
        return False
    case = Case(policy, Question(tool, identity, at_ms=at_ms))
    return all(judge(case) is None for judge in LISTING.values())


def wanted(policy: Policy, tool: str, identity: str) -> frozenset[str]:
    """Names of the facts, and ``queue_depth`` and ``estimate``, that any rule in force looks at."""
    caller = _whoever(policy, identity)
    if caller is None or canonical(tool) not in TOOLS:
        return frozenset()
    return in_force(policy, tool, caller).wanted


def prefix_for(policy: Policy, tool: str, identity: str) -> Prefix | None:
    """What outputs of this caller have to be named like, and the rule; the longest of several."""
    caller = _whoever(policy, identity)
    if caller is None or canonical(tool) not in TOOLS:
        return None
    found = in_force(policy, tool, caller).graph.prefixes
    texts = [Prefix(one.rule, prefix_text(one.text, caller.id or "")) for one in found]
    return min(texts, key=lambda one: (-len(one.text), one.rule), default=None)


def grant_of(policy: Policy, identity: str, at_ms: int) -> str | None:
    """Who *identity* is in journal and counters at *at_ms*; None if it may do nothing."""
    return caller_of(policy, identity, at_ms).id


def tallies(policy: Policy, _grant: str) -> tuple[Denials, ...]:
    """How refusals of a caller are counted: by every file that says so."""
    found = [file.denials for file in policy.files if file.denials is not None]
    return tuple(sorted(found, key=lambda denials: denials.where))


def _whoever(policy: Policy, identity: str) -> Caller | None:
    """The caller, be its time over or not; None for one that the policy does not know."""
    if not policy.knows_grants:
        return Caller(identity)
    grants = grants_of(policy, identity)
    return Caller(grants[0].id, grants) if len({one.id for one in grants}) == 1 else None


def _decision(case: Case, step: str, verdict: Verdict) -> Decision:
    who = case.caller.id
    grant = case.question.identity if who is None else who
    if verdict.effect is Effect.DENY:
        return Decision(
            effect=verdict.effect,
            code=verdict.code,
            rule=verdict.rule,
            reason=verdict.reason,
            step=step,
            grant=grant,
            hidden_by=verdict.hidden_by,
            fix=verdict.fix,
        )
    taken = case.force.takes
    return Decision(
        effect=verdict.effect,
        code=verdict.code,
        rule=verdict.rule,
        reason=verdict.reason,
        step=step,
        grant=grant,
        limits=limits(case),
        slots=taken.slots,
        job_ms=taken.job_ms,
        asking=verdict.asking,
    )
