"""Measured numbers: a median and a tail, a goal and a verdict, as a table and as JSON."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Figure", "as_json", "of_times", "ratio", "table"]

HEAD = ("what", "value", "p95", "unit", "goal", "verdict")


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table; *goal* is the most that *value* may be, None where there is none."""

    what: str
    value: float
    unit: str
    p95: float | None = None
    goal: float | None = None
    strict: bool = False

    @property
    def verdict(self) -> str:
        """Whether the goal is met, said plainly."""
        if self.goal is None:
            return ""
        met = self.value < self.goal if self.strict else self.value <= self.goal
        return "met" if met else "OVER THE GOAL"

    def cells(self) -> tuple[str, ...]:
        """The line as text."""
        sign = "<" if self.strict else "<="
        goal = "" if self.goal is None else f"{sign} {_short(self.goal)}"
        tail = "" if self.p95 is None else _short(self.p95)
        return (self.what, _short(self.value), tail, self.unit, goal, self.verdict)


def of_times(
    what: str, seconds: Sequence[float], *, goal: float | None = None, strict: bool = False
) -> Figure:
    """Median and 95th percentile of *seconds*, in milliseconds."""
    milliseconds = [1000 * one for one in seconds]
    several = len(milliseconds) > 1
    p95 = statistics.quantiles(milliseconds, n=20, method="inclusive")[-1] if several else None
    return Figure(what, statistics.median(milliseconds), "ms", p95, goal, strict)


def ratio(what: str, ours: Figure, theirs: Figure, *, goal: float | None = None) -> Figure:
    """How many times *theirs* the median of *ours* is."""
    return Figure(what, ours.value / theirs.value, "x", goal=goal)


def table(figures: Iterable[Figure]) -> str:
    """All lines, in columns."""
    rows = [HEAD, *(figure.cells() for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = [_line(row, widths) for row in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def as_json(figures: Iterable[Figure]) -> list[dict[str, Any]]:
    """All lines, for a program to read."""
    return [{**asdict(figure), "verdict": figure.verdict} for figure in figures]


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    first, *numbers = zip(row, widths, strict=True)
    cells = [first[0].ljust(first[1])]
    cells += [text.rjust(width) for text, width in numbers[:2]]
    cells += [text.ljust(width) for text, width in numbers[2:]]
    return "  ".join(cells).rstrip()


def _short(number: float) -> str:
    if number >= 1000:  # noqa: PLR2004 - a count of bytes, or a time nobody reads decimals of
        return f"{number:.0f}"
    return f"{number:.3g}" if number < 1 else f"{number:.4g}"
