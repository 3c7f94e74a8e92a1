"""A call that makes many runs, judged as a whole: each run as one of its own, and the call. Pure.

Each variant is judged twice with its facts: as the run that it is, and under the rules for the call
that makes it. One no is a no to all; one that needs a person makes all need one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from comfy_mcp.guard.approvals import strictest
from comfy_mcp.guard.call import Call
from comfy_mcp.guard.hearing import Hearing, Judged
from comfy_mcp.guard.question import AppliedLimit, Asking, Cap, Decision, Effect
from comfy_mcp.guard.second_look import refusal_of
from comfy_mcp.guard.wording import name_in_words

__all__ = ["MOST_VARIANTS", "Verdicts", "judged", "named"]

MOST_VARIANTS = 100
"""Runs that one call may make: what is more no queue and no person could overlook."""

MAX_SHOWN = 40
MAX_NAMED = 3

TOO_MANY = "One call makes at most {most} runs, and this one would make {count}: make it smaller."
NO_RUNS = "You may not run workflows here, so no variants of one either."


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What the policy says to a call and to each of its variants.

    *whole* is what it comes to, with what the call itself takes; *runs* are the decisions about the
    variants with what each of them takes, empty if *whole* is a no. *variant* is the index of the
    one that refuses, or asks first; None if it is the call itself.
    """

    whole: Judged
    runs: tuple[Decision, ...] = ()
    variant: int | None = None


def judged(hearing: Hearing, call: Call) -> Verdicts:
    """The policy's word on *call* and on all of its variants together."""
    first = hearing.judge(call, final=False)
    count = len(call.variants)
    if first.decision.effect is Effect.DENY or not count:
        return Verdicts(first if count else replace(first, decision=refusal_of("denied", NO_RUNS)))
    if count > MOST_VARIANTS:
        words = TOO_MANY.format(most=MOST_VARIANTS, count=count)
        return Verdicts(replace(first, decision=refusal_of("too_many", words)))
    pairs: list[tuple[Decision, Decision]] = []
    for index, one in enumerate(map(_after_others, call.variants, range(count))):
        own = hearing.judge(one, final=True).decision
        above = hearing.judge(replace(call, run=one.run, variants=()), final=True).decision
        for decision in (above, own):
            if decision.effect is Effect.DENY:
                return Verdicts(replace(first, decision=_no(decision, call, index)), (), index)
        pairs.append((above, own))
    return _together(first, pairs)


def named(call: Call, index: int) -> str:
    """Which run of *call*: its number from 1, and what sets it apart from the others."""
    params = [_params(one) for one in call.variants]
    mine = params[index]
    apart = [name for name, value in mine.items() if any(one.get(name) != value for one in params)]
    said = ", ".join(f"{name_in_words(name)} {_short(mine[name])}" for name in apart[:MAX_NAMED])
    return f"run {index + 1} of {len(params)}" + (f" ({said})" if said else "")


def _after_others(one: Call, index: int) -> Call:
    """*one* as it will be when those before it are queued."""
    if one.run is None or one.run.queue_depth is None:
        return one
    return replace(one, run=replace(one.run, queue_depth=one.run.queue_depth + index))


def _no(decision: Decision, call: Call, index: int) -> Decision:
    """A no to one variant as a no to all."""
    if decision.code == "not_listed":
        # Whether there is such a tool must not be told by another one.
        return replace(decision, code="denied", rule="", reason=NO_RUNS)
    which = named(call, index)
    return replace(decision, reason=f"{which[0].upper()}{which[1:]}: {decision.reason}")


def _together(first: Judged, pairs: Sequence[tuple[Decision, Decision]]) -> Verdicts:
    """The yes to all, or the question about all."""
    runs = tuple(_taking(own, above) for above, own in pairs)
    taken = tuple(one for one in pairs[0][0].limits if not (one.of_run or one.by_runs))
    asks = [(at, one) for at, pair in enumerate(pairs) for one in pair if one.asking is not None]
    if not asks:
        return Verdicts(replace(first, decision=_whole(pairs[0][0], taken)), runs)
    asking = _asking(asks)
    rule, reason = next(iter(asking.reasons.items()))
    asked = replace(asks[0][1], rule=rule, reason=reason, asking=asking)
    return Verdicts(replace(first, decision=_whole(asked, taken)), runs, asks[0][0])


def _whole(decision: Decision, taken: tuple[AppliedLimit, ...]) -> Decision:
    """*decision* about the call itself: what runs take is in theirs."""
    return replace(decision, limits=taken, slots=(), job_ms=None)


def _asking(asks: Iterable[tuple[int, Decision]]) -> Asking:
    """One question for all that some variant has to be asked for."""
    found = [(index, one.asking) for index, one in asks if one.asking is not None]
    reasons: dict[str, str] = {}
    for _, asking in found:
        for rule, words in asking.reasons.items():
            reasons.setdefault(rule, words)
    return Asking(
        channel=strictest(asking.channel for _, asking in found),
        lives_ms=min(asking.lives_ms for _, asking in found),
        reasons=reasons,
    )


def _taking(own: Decision, above: Decision) -> Decision:
    """What a variant takes: what its run does, and what rules for the call take from runs."""
    caps = [cap for cap in (own.job_ms, above.job_ms) if cap is not None]
    return replace(
        own,
        limits=_limits(own.limits, (one for one in above.limits if one.of_run and not one.by_runs)),
        slots=tuple(sorted({*own.slots, *above.slots}, key=lambda cap: (cap.rule, cap.value))),
        job_ms=min(caps, key=_rank, default=None),
    )


def _limits(own: Iterable[AppliedLimit], above: Iterable[AppliedLimit]) -> tuple[AppliedLimit, ...]:
    """Each account once: the largest amount has to fit into the smallest maximum."""
    found = {_account(one): one for one in own}
    for one in above:
        other = found.get(_account(one), one)
        least = min(other, one, key=lambda limit: (limit.most, limit.rule))
        found[_account(one)] = replace(least, amount=max(one.amount, other.amount))
    return tuple(sorted(found.values(), key=lambda limit: (limit.rule, limit.counter)))


def _account(limit: AppliedLimit) -> tuple[str, bool, int, bool]:
    return limit.counter, limit.per_grant, limit.window_ms, limit.calendar


def _rank(cap: Cap) -> tuple[int, str]:
    return cap.value, cap.rule


def _params(one: Call) -> Mapping[str, Any]:
    found = (one.args or {}).get("params")
    return cast("Mapping[str, Any]", found) if isinstance(found, Mapping) else {}


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."
