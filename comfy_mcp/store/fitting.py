"""Whether admissions fit together, inside one transaction; and if not, how many do and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from comfy_mcp.store import journal, totals
from comfy_mcp.store.ledger import room
from comfy_mcp.store.protocol import Admission, Charge, Full, SlotCap, TogetherRefused

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from comfy_mcp.store.ledger import Used

__all__ = ["refusal"]

_Held = Callable[[Charge | SlotCap], int]


@dataclass(frozen=True, slots=True)
class _Over:
    """The admission at *index* does not fit into *cause*.

    *asked* is what it and those before it take there: millionths, or jobs.
    """

    index: int
    cause: Charge | SlotCap
    asked: int


def refusal(
    connection: sqlite3.Connection,
    admissions: Sequence[Admission],
    now_ms: int,
    *,
    used: Used = totals.roll,
) -> TogetherRefused | None:
    """Why *admissions* do not fit at *now_ms*, each after those before it; None if all do."""
    held = _looked_up(connection, now_ms, used)
    over = list(_over(admissions, held))
    if not over:
        return None
    fit = over[0].index
    caps = [one.cause for one in over if isinstance(one.cause, SlotCap)]
    tightest = min(caps, key=lambda cap: cap.most - held(cap), default=None)
    slot = None if tightest is None else Full(tightest, held(tightest), None)
    never = next(_over(admissions, lambda _: 0), None)
    if never is not None:
        full = Full(never.cause, held(never.cause), None)
        return TogetherRefused(fit, full, never.index, slot)
    waits = _waits(connection, over, held, now_ms)
    first = [one.cause for one in over if one.index == fit and isinstance(one.cause, Charge)]
    cause = max(first, key=lambda one: waits[_key(one)], default=tightest)
    if cause is None:
        raise AssertionError("what does not fit is a charge or a slot")
    full = Full(cause, held(cause), max(waits.values(), default=None))
    return TogetherRefused(fit, full, len(admissions), slot)


def _looked_up(connection: sqlite3.Connection, now_ms: int, used: Used) -> _Held:
    """What is taken at *now_ms*; each account and cap is looked at once."""
    known: dict[object, int] = {}

    def held(cause: Charge | SlotCap) -> int:
        key = _key(cause) if isinstance(cause, Charge) else (cause.host, cause.grant)
        if key not in known:
            known[key] = (
                used(connection, cause, now_ms)
                if isinstance(cause, Charge)
                else journal.slots_used(connection, cause)
            )
        return known[key]

    return held


def _over(admissions: Sequence[Admission], held: _Held) -> Iterator[_Over]:
    """What does not fit beside what is *held*, in the order of admissions, charges first."""
    asked: Counter[tuple[str, str]] = Counter()
    jobs: Counter[tuple[str, str]] = Counter()
    for index, admission in enumerate(admissions):
        for charge in admission.charges:
            asked[charge.counter, charge.holder] += charge.amount
        for charge in admission.charges:
            amount = asked[charge.counter, charge.holder]
            if held(charge) + amount > charge.most:
                yield _Over(index, charge, amount)
        for cap in admission.slots:
            needed = jobs[cap.host, cap.grant] + 1
            if held(cap) + needed > cap.most:
                yield _Over(index, cap, needed)
        if admission.job is not None:
            jobs[admission.job.host, admission.job.grant] += 1


def _waits(
    connection: sqlite3.Connection, over: Sequence[_Over], held: _Held, now_ms: int
) -> dict[object, int]:
    """How long until each account has room for all that is asked of it.

    None of it is more than fits at all.
    """
    last = {_key(one.cause): one for one in over if isinstance(one.cause, Charge)}
    found: dict[object, int] = {}
    for key, one in last.items():
        if isinstance(one.cause, Charge):
            wait = room(connection, one.cause, held(one.cause), one.asked, now_ms)
            found[key] = wait or 0
    return found


def _key(charge: Charge) -> object:
    """The account of *charge*, the window in which it is counted, and how much fits there."""
    return charge.counter, charge.holder, charge.window_ms, charge.calendar, charge.most
