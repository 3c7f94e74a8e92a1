"""What one call takes from its limits and budgets, in millionths."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from decimal import ROUND_CEILING, Decimal

from comfy_mcp.guard.case import Case
from comfy_mcp.guard.in_force import Account, Source, fact_of
from comfy_mcp.guard.lookup import MISSING, values
from comfy_mcp.guard.question import AppliedLimit
from comfy_mcp.guard.verdict import Verdict, deny

__all__ = ["BOUND", "invalid_amount", "limits"]

_UNIT = 1_000_000

BOUND = 10**18 + 1
"""More than any maximum, and few enough that the sum of some still is a number of SQLite."""


def invalid_amount(case: Case) -> Verdict | None:
    """An amount that a call brings along is none."""
    for account in case.force.takes.accounts:
        for source in account.sources:
            if case.knows(frozenset({source.path.space})) and _amount(case, source) is None:
                return deny(
                    "invalid_args",
                    source.rule,
                    f"{source.path.text} must be one positive number: a limit of the policy"
                    " counts it.",
                )
    return None


def limits(case: Case) -> tuple[AppliedLimit, ...]:
    """All that the call takes. What is not known yet takes nothing."""
    return (*(_applied(case, one) for one in case.force.takes.accounts), *_budgets(case))


def _applied(case: Case, account: Account) -> AppliedLimit:
    if not account.sources:
        return account.limit
    amounts = [_amount(case, source) or 0 for source in account.sources]
    return replace(account.limit, amount=max(account.limit.amount, *amounts))


def _budgets(case: Case) -> Iterator[AppliedLimit]:
    measured = case.run.estimate_ms if case.run is not None else None
    for limit in case.force.takes.budgets:
        if measured is None:
            # Nobody knows better, so a budget is at least enough for one run.
            yield replace(limit, amount=min(limit.amount, limit.most))
        else:
            yield replace(limit, amount=min(max(measured, 0) * 1000, BOUND))


def _amount(case: Case, source: Source) -> int | None:
    """Rounded up; None for what is no amount."""
    found = values(case, source.path)
    own = source.path.space == "args"
    if len(found) != 1:
        return None
    value = found[0]
    if value is MISSING and fact_of(source.path) in case.unknown:
        # That nobody could measure it was judged before; what is known of it is nothing.
        return 0
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    if not _is_finite(value) or value < 0 or (own and value * _UNIT < 1):
        return None
    return _millionths(value)


def _is_finite(value: float | Decimal) -> bool:
    # A whole number may be too large for math.isfinite.
    return isinstance(value, int) or math.isfinite(value)


def _millionths(value: float | Decimal) -> int:
    if value > BOUND // _UNIT:
        return BOUND
    if isinstance(value, int):
        return value * _UNIT
    # As it is written: 0.1 is one tenth and not a little more.
    exact = Decimal(repr(value)) if isinstance(value, float) else value
    return int((exact * _UNIT).to_integral_value(ROUND_CEILING))
