"""How often people were asked and what they said, as people and programs read it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from comfy_mcp.oversight.gauge import duration
from comfy_mcp.quoting import plain
from comfy_mcp.store.asked import Figure

__all__ = ["COUNTS", "HEADINGS", "as_object", "rows"]

COUNTS = ("asked", "approved", "spent", "denied", "expired", "cancelled", "pending")

HEADINGS = ("caller", "tool", *COUNTS, "median answer")


def rows(figures: Iterable[Figure]) -> list[tuple[str, ...]]:
    """Under `HEADINGS`: each caller and tool, and all together if there are several."""
    found = tuple(figures)
    made = [_row(one) for one in found]
    if len(found) > 1:
        made.append(("all", "", *(str(count) for count in _sums(found).values()), ""))
    return made


def as_object(figures: Iterable[Figure], since_ms: int) -> dict[str, Any]:
    """As JSON values; *since_ms* 0: since ever."""
    found = tuple(figures)
    return {
        "since_ms": since_ms,
        "all": _sums(found),
        "figures": [
            {
                "grant": plain(one.grant),
                "tool": plain(one.tool),
                **{name: getattr(one, name) for name in COUNTS},
                "median_s": None if one.median_ms is None else one.median_ms / 1000,
            }
            for one in found
        ],
    }


def _row(one: Figure) -> tuple[str, ...]:
    median = "" if one.median_ms is None else duration(one.median_ms)
    counts = (str(getattr(one, name)) for name in COUNTS)
    return (plain(one.grant), plain(one.tool), *counts, median)


def _sums(figures: tuple[Figure, ...]) -> dict[str, int]:
    return {name: sum(getattr(one, name) for one in figures) for name in COUNTS}
