"""What a person has to be asked about a call: every rule that wants one asked, as one request."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from comfy_mcp.guard import gpu_rules, ownership
from comfy_mcp.guard.approvals import strictest
from comfy_mcp.guard.case import Case
from comfy_mcp.guard.judging import asked
from comfy_mcp.guard.question import Asking
from comfy_mcp.guard.wording import node_in_words, undetermined_in_words

__all__ = ["asking"]


class _Wish(NamedTuple):
    """One rule that wants a person asked; channel and time None: as for every approval."""

    rule: str
    reason: str
    channel: str | None = None
    lives_ms: int | None = None


def asking(case: Case) -> Asking | None:
    """All that a person has to be asked, as far as the call is known; None if nothing."""
    wishes = (*_by_rules(case), *_by_words(case))
    if not wishes:
        return None
    usual = case.policy.approvals
    reasons: dict[str, str] = {}
    for wish in wishes:
        reasons.setdefault(wish.rule, wish.reason)
    return Asking(
        channel=strictest(wish.channel or usual.channel for wish in wishes),
        lives_ms=min(wish.lives_ms or usual.expires_ms for wish in wishes),
        reasons=reasons,
    )


def _by_rules(case: Case) -> Iterator[_Wish]:
    called = case.question.tool
    for ask in case.force.asks:
        if case.knows(ask.spaces) and asked(case, ask):
            reason = ask.reason or f"A person has to approve {called} first."
            yield _Wish(ask.rule, reason, ask.channel, ask.lives_ms)


def _by_words(case: Case) -> Iterator[_Wish]:
    """What ``approve`` of ``gpu`` asks for."""
    interrupt = ownership.interrupt_of_others(case)
    if interrupt is not None:
        yield _Wish(interrupt.rule, "A person has to approve stopping a job of somebody else.")
    run, words = case.run, case.force.words
    if run is None:
        return
    if words.api_nodes.value == "approve":
        yield from _credits(run.facts.api_nodes, words.api_nodes.rule)
    if run.front and words.queue_jump.value == "approve":
        yield _Wish(words.queue_jump.rule, "A person has to approve a run in front of others.")
    if words.undetermined.value == "approve":
        for need, culprit in gpu_rules.needed(case):
            why = undetermined_in_words(need.fact, culprit)
            yield _Wish(need.rule, f"{why} Else a person has to approve it.")


def _credits(api_nodes: Mapping[str, str], rule: str) -> Iterator[_Wish]:
    """One wish for the first of them: the others are among the facts of the run."""
    for name, node in itertools.islice(api_nodes.items(), 1):
        which = node_in_words(node, name)
        yield _Wish(rule, f"A person has to approve {which}, which spends credits.")
