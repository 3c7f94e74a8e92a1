"""Moments as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

__all__ = ["milliseconds", "read"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = 253_402_300_799_000
"""The end of the year 9999."""


def read(text: str) -> datetime:
    """A time with its zone, such as ``2026-12-24T18:00:00+01:00`` or one that ends in ``Z``.

    Raises:
        ValueError: it is not one, or is before 1970.
    """
    try:
        moment = datetime.fromisoformat(text)
        sound = moment.tzinfo is not None and 0 <= milliseconds(moment) <= _LAST
    except (ValueError, OverflowError):
        sound = False
        moment = _EPOCH
    if not sound:
        raise ValueError(
            "it must be a time with its zone, such as 2026-12-24T18:00:00+01:00 or ...Z"
        )
    return moment


def milliseconds(moment: datetime) -> int:
    """Whole milliseconds since the Unix epoch."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)
