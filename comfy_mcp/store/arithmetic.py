"""How much of a limit is used and how long to wait: whole numbers only, no clock, no rounding."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["calendar_start", "calendar_wait", "rolling_wait"]

_DAY_MS = 86_400_000
_WEEK_MS = 7 * _DAY_MS
_FIRST_MONDAY_MS = 4 * _DAY_MS
"""The epoch began on a Thursday; 1970-01-05 was a Monday."""


def rolling_wait(
    taken: Sequence[tuple[int, int]], *, amount: int, most: int, window_ms: int, now_ms: int
) -> tuple[int, int | None]:
    """What a rolling window holds now, and how long until *amount* fits into *most*.

    *taken* has one ``(at_ms, amount)`` for each earlier charge, in any order; one taken at *t*
    counts while ``now - t < window_ms``. The wait is 0 when it fits now, and ``None`` when it
    never will; it is exact: one millisecond less would not do.
    """
    alive = sorted(row for row in taken if now_ms - row[0] < window_ms)
    used = sum(row[1] for row in alive)
    if amount > most:
        return used, None
    left = used
    wait = 0
    for at_ms, size in alive:
        if left + amount <= most:
            break
        left -= size
        wait = at_ms + window_ms - now_ms
    return used, wait


def calendar_start(now_ms: int, window_ms: int) -> int:
    """When the fixed window around *now_ms* began: aligned to UTC, weeks to Monday."""
    offset = _FIRST_MONDAY_MS if window_ms == _WEEK_MS else 0
    return (now_ms - offset) // window_ms * window_ms + offset


def calendar_wait(used: int, amount: int, most: int, window_ms: int, now_ms: int) -> int | None:
    """How long until *amount* fits into *most* of a fixed window of which *used* is gone.

    0 when it fits now, ``None`` when it never will, else the time to the next window's start.
    """
    if amount > most:
        return None
    if used + amount <= most:
        return 0
    return calendar_start(now_ms, window_ms) + window_ms - now_ms
