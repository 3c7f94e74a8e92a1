"""How much notifying may cost, and how long it may take: values."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Pace"]


@dataclass(frozen=True, slots=True)
class Pace:
    """Bounds of one process.

    Of one notification: *attempts* within *whole_s* seconds, each of at most *attempt_s*, between
    them a pause that doubles from *pause_s* to *longest_pause_s*, and up to *pause_s* more by
    chance. Of all: *a_minute* in any minute, *waiting* at a time that wait to be sent, *at_once*
    that are being sent. Closing gives them *last_s* more.
    """

    attempts: int = 5
    whole_s: float = 120.0
    attempt_s: float = 5.0
    pause_s: float = 1.0
    longest_pause_s: float = 30.0
    a_minute: int = 60
    waiting: int = 100
    at_once: int = 4
    last_s: float = 1.0
