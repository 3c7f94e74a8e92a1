"""Limits and rate limits of a policy file."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from comfy_mcp.guard.parse_paths import amount_path
from comfy_mcp.guard.parse_words import (
    LARGEST,
    LONGEST_TEXT,
    WINDOWS,
    is_calendar,
    per_grant,
    reason,
    window_ms,
)
from comfy_mcp.guard.policy import Limit
from comfy_mcp.guard.vocabulary import LIMIT, RATE

if TYPE_CHECKING:
    from comfy_mcp.guard.node import Node

__all__ = ["limits", "rate_limit"]

_UNIT = 1_000_000
_SMALLEST = Decimal("0.000001")
_REFUNDS = frozenset({"never", "not_accepted", "failed"})
_COUNTER = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_RATE = re.compile(r"([1-9][0-9]{0,11})/(second|minute|hour|day|week)")


def limits(node: Node) -> tuple[Limit, ...]:
    """The entries of ``limits``, without those that are at fault."""
    read = (_limit(item) for item in node.items())
    return tuple(limit for limit in read if limit is not None)


def rate_limit(node: Node, counter: str) -> tuple[Limit, ...]:
    """``rate_limit`` as a limit on a counter of its own, whose name begins with *counter*."""
    if isinstance(node.value, str):
        found = _RATE.fullmatch(node.value)
        if found is None:
            node.fault("this is no rate.", 'Write for instance "10/minute", or {"max", "window"}.')
            return ()
        return (_rate(node, counter, int(found[1]), WINDOWS[found[2]] * 1000),)
    if not isinstance(node.value, dict):
        node.wrong_type('a rate, as "10/minute" or {"max": 10, "window": 60}')
        return ()
    parts = node.known(RATE)
    most = parts["max"].whole(0, LARGEST) if "max" in parts else None
    window = window_ms(parts["window"]) if "window" in parts else None
    own = per_grant(parts)
    node.lacks("max", "window")
    if most is None or window is None:
        return ()
    return (_rate(node, counter, most, window, own=own),)


def _rate(node: Node, counter: str, most: int, window: int, *, own: bool = True) -> Limit:
    name = f"{counter}:{window // 1000}s"
    return Limit(node.where, name, _UNIT, most * _UNIT, window, per_grant=own)


def _limit(node: Node) -> Limit | None:
    before = len(node.faults)
    parts = node.known(LIMIT)
    counter = _counter(parts["counter"]) if "counter" in parts else None
    window = window_ms(parts["window"]) if "window" in parts else None
    most = parts["max"].millionths(Decimal(0), LARGEST) if "max" in parts else None
    amount = parts["increment"].millionths(_SMALLEST, LARGEST) if "increment" in parts else _UNIT
    amount_from = amount_path(parts["increment_from"]) if "increment_from" in parts else None
    _one_amount(parts)
    refund = parts["refund"].choice(_REFUNDS) if "refund" in parts else None
    told = reason(parts)
    name = parts["name"].text(LONGEST_TEXT) if "name" in parts else None
    own, calendar = per_grant(parts), is_calendar(parts)
    node.lacks("counter", "window", "max")
    if len(node.faults) > before or counter is None or window is None:
        # What is half understood must not be compared with other limits.
        return None
    return Limit(
        where=node.where,
        counter=counter,
        amount=amount or _UNIT,
        most=most or 0,
        window_ms=window,
        calendar=calendar,
        per_grant=own,
        name=name,
        reason=told,
        amount_from=amount_from,
        refund=refund or ("not_accepted" if amount_from else "never"),
    )


def _one_amount(parts: dict[str, Node]) -> None:
    if "increment" in parts and "increment_from" in parts:
        parts["increment_from"].fault(
            '"increment" and "increment_from" both say what a call takes.', "Keep one of them."
        )


def _counter(node: Node) -> str | None:
    name = node.text(128)
    if name is None or _COUNTER.fullmatch(name):
        return name
    node.fault("this is no name for a counter.", "Use 1 to 128 letters, digits and _ . : -")
    return None
