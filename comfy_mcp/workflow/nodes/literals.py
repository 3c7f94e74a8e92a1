"""What ComfyUI makes of a value that an input holds: ``int``, ``float``, ``bool`` and ``str``."""

from __future__ import annotations

import math

__all__ = ["MAX_NAME", "MAX_TEXT", "as_real", "as_text", "as_truth", "as_whole"]

MAX_TEXT = 10_000
"""Longer texts are not pieced together: each node could double them."""

MAX_NAME = 4096
"""Longer texts name no file; thousands of nodes might share one, so that nobody looks closer."""

_MAX_DIGITS = 400


def as_whole(value: object) -> int | None:
    """An ``INT`` input's number, or None if ComfyUI refuses the value."""
    if isinstance(value, float):
        return int(value) if math.isfinite(value) else None
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str) and len(value) <= _MAX_DIGITS:
        try:
            return int(value)
        except ValueError:
            return None
    return None


def as_real(value: object) -> float | None:
    """A ``FLOAT`` input's number, maybe infinite, or None if it is refused or NaN."""
    if not isinstance(value, int | float | str) or (
        isinstance(value, str) and len(value) > _MAX_DIGITS
    ):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    except OverflowError:
        return math.inf
    return None if math.isnan(number) else number


def as_truth(value: object) -> bool:
    """A ``BOOLEAN`` input's value: as in Python, so that ``"false"`` is true."""
    return bool(value)


def as_text(value: object) -> str | None:
    """A ``STRING`` input's text, or None if it holds a list or an object."""
    return str(value) if value is None or isinstance(value, str | int | float) else None
