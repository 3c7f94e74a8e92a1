"""Numbers as anybody may have written them into a ComfyUI: any size, or none at all."""

from __future__ import annotations

import math

__all__ = ["finite", "whole"]


def finite(value: object) -> float | None:
    """*value* if it is a number that can be counted with."""
    try:
        number = float(value) if isinstance(value, int | float) else math.nan
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def whole(value: object) -> int | None:
    """The same without its fraction: milliseconds."""
    number = finite(value)
    return None if number is None else int(number)
