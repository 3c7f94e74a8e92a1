"""The tables of what a call takes: each account once, so that every limit on it holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from comfy_mcp.guard.graph_rules import Block
from comfy_mcp.guard.in_force import Account, Source, Takes
from comfy_mcp.guard.policy import GpuSeconds, Limit, Rule
from comfy_mcp.guard.question import AppliedLimit, Cap
from comfy_mcp.guard.wording import budget_in_words, limit_in_words

__all__ = ["UNMEASURED_MS", "takes"]

UNMEASURED_MS = 300_000
"""What a run reserves if nobody knows how long it takes, nor bounds it."""

_REFUNDS = ("never", "not_accepted", "failed")


def takes(
    rules: Iterable[Rule],
    blocks: tuple[Block, ...],
    called: str,
    *,
    runs: bool,
    each: Iterable[Rule] = (),
) -> Takes:
    """All that a call of *called* takes; without a run no slot and no GPU time.

    *each* are the rules for the single runs, where one call makes several.
    """
    accounts = _accounts(rules, called, frozenset(rule.where for rule in each))
    if not runs:
        return Takes(accounts)
    caps = [
        Cap(block.gpu.pointer("max_seconds_per_job"), block.gpu.max_seconds_per_job_ms)
        for block in blocks
        if block.gpu.max_seconds_per_job_ms is not None
    ]
    slots = [
        Cap(block.gpu.pointer("max_in_flight"), block.gpu.max_in_flight)
        for block in blocks
        if block.gpu.max_in_flight is not None
    ]
    job_ms = min(caps, key=lambda cap: (cap.value, cap.rule), default=None)
    return Takes(
        accounts=accounts,
        budgets=_budgets(blocks, job_ms.value if job_ms else UNMEASURED_MS, called),
        slots=tuple(sorted(slots, key=lambda cap: (cap.rule, cap.value))),
        job_ms=job_ms,
    )


def _accounts(rules: Iterable[Rule], called: str, by_runs: frozenset[str]) -> tuple[Account, ...]:
    """A call counts once in a counter, however many limits name it.

    It takes the largest of their amounts and has to fit into the smallest of their maxima.
    *by_runs* are the pointers of rules under which the runs are that the call makes: what these
    count, the call itself is not.
    """
    found: dict[tuple[object, ...], Account] = {}
    for rule in rules:
        for limit in rule.limits:
            account = _account(rule, limit, called, by_runs=rule.where in by_runs)
            key = (*_key(account.limit), account.limit.by_runs)
            other = found.get(key)
            found[key] = account if other is None else _merged(account, other)
    return tuple(sorted(found.values(), key=lambda one: (one.limit.rule, one.limit.counter)))


def _account(rule: Rule, limit: Limit, called: str, *, by_runs: bool) -> Account:
    source = limit.amount_from
    applied = AppliedLimit(
        rule=limit.where,
        counter=limit.counter,
        per_grant=limit.per_grant,
        amount=limit.amount if source is None else 0,
        most=limit.most,
        window_ms=limit.window_ms,
        calendar=limit.calendar,
        words=limit_in_words(rule, limit, called),
        name=limit.name,
        reason=limit.reason or rule.reason,
        refund=limit.refund,
        of_run=source is not None and source.space == "graph",
        by_runs=by_runs,
    )
    if source is None or (by_runs and not applied.of_run):
        # Arguments of the call are not those of its runs.
        return Account(applied, ())
    return Account(applied, (Source(f"{limit.where}/increment_from", source),))


def _merged(one: Account, other: Account) -> Account:
    limits = one.limit, other.limit
    least = min(limits, key=lambda limit: (limit.most, limit.rule))
    merged = replace(
        least,
        amount=max(limit.amount for limit in limits),
        refund=min((limit.refund for limit in limits), key=_REFUNDS.index),
        of_run=any(limit.of_run for limit in limits),
    )
    return Account(merged, tuple(sorted({*one.sources, *other.sources}, key=lambda s: s.rule)))


def _budgets(blocks: tuple[Block, ...], each_ms: int, called: str) -> tuple[AppliedLimit, ...]:
    """Each with the amount of a run that was never measured."""
    found: dict[tuple[str, bool, int, bool], AppliedLimit] = {}
    for block in blocks:
        for budget in block.gpu.gpu_seconds:
            limit = _budget(budget, each_ms * 1000, called, block.reason)
            others = [limit, *filter(None, [found.get(_key(limit))])]
            found[_key(limit)] = min(others, key=lambda one: (one.most, one.rule))
    return tuple(sorted(found.values(), key=lambda limit: (limit.rule, limit.counter)))


def _budget(budget: GpuSeconds, amount: int, called: str, reason: str | None) -> AppliedLimit:
    fixed = "/fixed" if budget.calendar else ""
    return AppliedLimit(
        rule=budget.where,
        counter=f"gpu_seconds/{budget.window_ms // 1000}{fixed}",
        per_grant=budget.per_grant,
        amount=amount,
        most=budget.most,
        window_ms=budget.window_ms,
        calendar=budget.calendar,
        words=budget_in_words(budget, called),
        reason=reason,
        refund="settled",
        of_run=True,
    )


def _key(limit: AppliedLimit) -> tuple[str, bool, int, bool]:
    return limit.counter, limit.per_grant, limit.window_ms, limit.calendar
