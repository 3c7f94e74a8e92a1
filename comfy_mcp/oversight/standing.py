"""How callers stand: what each limit of a policy holds, who cools down, which jobs are under way.

Nothing here writes: policy and state are only asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from comfy_mcp.guard.admission import charge
from comfy_mcp.guard.catalog import TOOLS
from comfy_mcp.guard.decide import decide, grant_of
from comfy_mcp.guard.policy import Policy
from comfy_mcp.guard.question import AppliedLimit, Cap, Decision, Question, in_this_zone
from comfy_mcp.store.asked import PENDING
from comfy_mcp.store.protocol import (
    EVERYBODY,
    Account,
    Cooling,
    Freeze,
    JobRow,
    SlotCap,
    Store,
    Use,
)

__all__ = [
    "MOST_REQUESTS",
    "Gauge",
    "Standing",
    "callers",
    "clock_ahead_ms",
    "gauges",
    "look",
]

TOLERANCE_MS = 1_000
"""Clocks of processes and machines that share a state are never quite the same."""


MOST_REQUESTS = 1_000
"""Requests that are counted."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """One limit for one holder, and how full it is."""

    holder: str
    limit: AppliedLimit
    use: Use


@dataclass(frozen=True, slots=True)
class Standing:
    """All that the state holds about callers.

    *gauges* are limits of the policy in force, *others* accounts that none of them looks at.
    *slots* and *unfinished* are those of one host. *waiting* is how many requests of a grant wait
    for a person's word, of *most_waiting* that may. *ahead_ms* is how far the state's clock is
    ahead of this machine's.
    """

    gauges: tuple[Gauge, ...] = ()
    others: tuple[Account, ...] = ()
    slots: tuple[tuple[SlotCap, Use], ...] = ()
    unfinished: tuple[JobRow, ...] = ()
    cooling: tuple[tuple[str, Cooling], ...] = ()
    freezes: tuple[Freeze, ...] = ()
    waiting: tuple[tuple[str, int], ...] = ()
    most_waiting: int = 0
    ahead_ms: int = 0


def callers(policy: Policy, names: Iterable[str], at_ms: int) -> dict[str, str]:
    """Grants, each with a name that transports give its caller: the policy's, and *names*."""
    named = {grant.id: grant.stdio for grant in policy.grants}
    others = {grant_of(policy, name, at_ms) or name: name for name in names}
    return {**others, **named}


async def look(
    store: Store, policy: Policy, grants: Mapping[str, str], host: str | None, at_ms: int
) -> Standing:
    """How *grants* (see `callers`) stand at *at_ms*; *host* None: nothing is told of jobs.

    Raises:
        StateError: the state cannot be read.
    """
    asked = {grant: _decisions(policy, name, at_ms) for grant, name in grants.items()}
    limits = [(grant, limit) for grant, found in asked.items() for limit in _limits(found)]
    filled = await gauges(store, limits, at_ms)
    held = {(gauge.limit.counter, gauge.holder) for gauge in filled}
    accounts = await store.accounts()
    caps = tuple(SlotCap(grant, host, cap.value, cap.rule) for grant, cap in _caps(asked) if host)
    standing = [(grant, await store.standing(grant, at_ms, reads=True)) for grant in grants]
    return Standing(
        gauges=filled,
        others=tuple(one for one in accounts if (one.counter, one.holder) not in held),
        slots=tuple(zip(caps, await store.peek(at_ms, (), caps), strict=True)),
        unfinished=await store.unfinished(host=host) if host else (),
        cooling=tuple((grant, one) for grant, one in standing if isinstance(one, Cooling)),
        freezes=await store.freezes(),
        waiting=await _waiting(store, grants, at_ms),
        most_waiting=policy.approvals.most_pending,
        ahead_ms=await clock_ahead_ms(store, at_ms),
    )


async def gauges(
    store: Store, limits: Iterable[tuple[str, AppliedLimit]], at_ms: int
) -> tuple[Gauge, ...]:
    """How full *limits* (each with the grant that it is for) are; each account once."""
    wanted = {
        (limit.rule, limit.counter, EVERYBODY if not limit.per_grant else grant): limit
        for grant, limit in limits
    }
    charges = tuple(charge(limit, holder) for (_, _, holder), limit in wanted.items())
    uses = await store.peek(at_ms, charges)
    return tuple(
        Gauge(holder, limit, use)
        for ((_, _, holder), limit), use in zip(wanted.items(), uses, strict=True)
    )


async def clock_ahead_ms(store: Store, at_ms: int) -> int:
    """How far the last time that the state has seen is after *at_ms*; 0 if it hardly is."""
    ahead = (await store.head()).last_ms - at_ms
    return ahead if ahead > TOLERANCE_MS else 0


async def _waiting(
    store: Store, grants: Mapping[str, str], at_ms: int
) -> tuple[tuple[str, int], ...]:
    rows = await store.approvals(
        at_ms, statuses=frozenset({PENDING}), count=MOST_REQUESTS, payloads=False
    )
    counts = Counter(row.grant for row in rows if row.grant in grants)
    return tuple(sorted(counts.items()))


def _decisions(policy: Policy, identity: str, at_ms: int) -> list[Decision]:
    at = in_this_zone(at_ms)
    return [decide(policy, Question(tool, identity, at_ms=at_ms, at=at)) for tool in TOOLS]


def _limits(decisions: Iterable[Decision]) -> list[AppliedLimit]:
    return [limit for decision in decisions for limit in decision.limits]


def _caps(asked: Mapping[str, Iterable[Decision]]) -> list[tuple[str, Cap]]:
    found = {(grant, cap) for grant, all_ in asked.items() for one in all_ for cap in one.slots}
    return sorted(found, key=lambda pair: (pair[0], pair[1].rule))
