"""Whole numbers that neither overflow nor get lost, and that remember what they do not know."""

from __future__ import annotations

import math
from dataclasses import dataclass

from comfy_mcp.workflow.facts import Unknown

__all__ = ["LARGEST", "NOTHING", "ONE", "Amount", "Factor", "least", "most", "plus", "times"]

LARGEST = 10**15
"""Numbers beyond stay here: far above what any machine can make, and exact as a float."""


@dataclass(frozen=True, slots=True)
class Amount:
    """A number from 0 to `LARGEST`: the most it can be, as far as is known.

    With *unknown* it may be more than *n*.
    """

    n: int
    unknown: Unknown | None = None

    @classmethod
    def of(cls, number: float, unknown: Unknown | None = None) -> Amount:
        """*number* kept within bounds; NaN counts as nothing, a fraction is rounded."""
        if number != number:  # noqa: PLR0124 -- only NaN differs from itself
            return cls(0, unknown)
        if number >= LARGEST:
            return cls(LARGEST, unknown)
        return cls(max(0, round(number)), unknown)


@dataclass(frozen=True, slots=True)
class Factor:
    """By how much something grows; with *unknown* it may be more."""

    by: float
    unknown: Unknown | None = None

    def of(self, amount: Amount, unit: int = 1) -> Amount:
        """*amount* times this, rounded to whole units, as ComfyUI rounds latents."""
        grown = amount.n / unit * self.by
        whole = round(grown) * unit if math.isfinite(grown) else LARGEST
        return Amount.of(whole, amount.unknown or self.unknown)


NOTHING = Amount(0)
ONE = Amount(1)


def most(*amounts: Amount) -> Amount:
    """The largest; unknown if any is."""
    return Amount(max(each.n for each in amounts), _unknown(amounts))


def plus(*amounts: Amount) -> Amount:
    """The sum."""
    return Amount.of(sum(each.n for each in amounts), _unknown(amounts))


def times(*amounts: Amount) -> Amount:
    """The product."""
    product = 1
    for each in amounts:
        product = min(LARGEST, product * each.n)
    return Amount(product, _unknown(amounts))


def least(amount: Amount, bound: Amount) -> Amount:
    """*amount*, but no more than *bound*: a known bound holds for an unknown amount, too."""
    if amount.unknown is None and amount.n <= bound.n:
        return amount
    return bound if bound.unknown is None else Amount(min(amount.n, bound.n), bound.unknown)


def _unknown(amounts: tuple[Amount, ...]) -> Unknown | None:
    for each in amounts:
        if each.unknown is not None:
            return each.unknown
    return None
