"""How long to wait for a limit, and other sums: whole numbers only, no clock, no rounding."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "calendar_start",
    "calendar_wait",
    "nearest_rank",
    "rolling_wait",
    "rolling_wait_from_newest",
]

_DAY_MS = 86_400_000
_WEEK_MS = 7 * _DAY_MS
_FIRST_MONDAY_MS = 4 * _DAY_MS
"""The epoch began on a Thursday; 1970-01-05 was a Monday."""


def rolling_wait(
    oldest_first: Iterable[tuple[int, int]],
    *,
    used: int,
    amount: int,
    most: int,
    window_ms: int,
    now_ms: int,
) -> int | None:
    """How long until *amount* fits into *most* of a rolling window of which *used* is gone.

    *oldest_first* has one ``(at_ms, amount)`` for each charge that makes up *used*; no more of them
    are read than have to leave. One taken at *t* counts while ``now - t < window_ms``. The wait is
    0 when it fits now, and ``None`` when it never will; it is exact: one millisecond less would
    not do.
    """
    if amount > most:
        return None
    if used + amount <= most:
        return 0
    left = used
    wait = 0
    for at_ms, size in oldest_first:
        left -= size
        wait = at_ms + window_ms - now_ms
        if left + amount <= most:
            break
    return wait


def rolling_wait_from_newest(
    newest_first: Iterable[tuple[int, int]],
    *,
    amount: int,
    most: int,
    window_ms: int,
    now_ms: int,
) -> int | None:
    """As `rolling_wait`, from the other end: no more is read than may stay, and one that may not.

    *newest_first* has one ``(at_ms, amount)`` for each charge that counts now.
    """
    if amount > most:
        return None
    room = most - amount
    for at_ms, size in newest_first:
        room -= size
        if room < 0:
            return at_ms + window_ms - now_ms
    return 0


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


def nearest_rank(values: Sequence[int], percent: int) -> int | None:
    """The smallest of *values* that *percent* of them do not exceed; None if there are none."""
    if not values:
        return None
    return sorted(values)[max(0, -(-percent * len(values) // 100) - 1)]
