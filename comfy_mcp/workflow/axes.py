"""Variants of one workflow: a grid over some parameters, or a list of what is to differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any

from comfy_mcp.errors import WorkflowError
from comfy_mcp.workflow.flaws import listed, shown

__all__ = ["MOST_AXES", "MOST_RUNS", "Axes", "variants"]

MOST_RUNS = 100
"""Runs of one sweep, whatever is asked for."""

MOST_AXES = 32
"""Of one grid."""

Axes = Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]]


def variants(params: Mapping[str, Any], axes: Axes, most: int) -> tuple[dict[str, Any], ...]:
    """What each run changes: of a grid all combinations, the first axis slowest; else the list.

    Raises:
        WorkflowError: there are none, more than *most*, or an axis is at odds with *params*.
    """
    count = _count(axes)
    if count > most:
        raise WorkflowError(_too_many(count, most))
    if isinstance(axes, Mapping):
        made = tuple(dict(zip(axes, values, strict=True)) for values in product(*axes.values()))
    else:
        made = tuple(dict(one) for one in axes)
    twice = [name for name in dict.fromkeys(name for one in made for name in one) if name in params]
    if twice:
        raise WorkflowError(
            f"{listed(twice)}: params has one value for all runs, and axes others. Leave it out of"
            " params."
        )
    return made


def _too_many(count: int, most: int) -> str:
    if count > MOST_RUNS:
        return (
            f"That makes more than {MOST_RUNS} runs, so nothing was run. A sweep has at most"
            f" {MOST_RUNS}: give fewer values."
        )
    return (
        f"That makes {count} runs, more than max_runs={most}, so nothing was run. Set max_runs (at"
        f" most {MOST_RUNS}), or give fewer values."
    )


def _product(sizes: Iterable[int]) -> int:
    """Multiplied until it is above `MOST_RUNS`: what is beyond is too many, however many."""
    count = 1
    for size in sizes:
        count *= size
        if count > MOST_RUNS:
            break
    return count


def _count(axes: Axes) -> int:
    """How many runs *axes* make; of a grid any number above `MOST_RUNS` may stand for more."""
    if isinstance(axes, Mapping):
        if len(axes) > MOST_AXES:
            raise WorkflowError(
                f"A grid has at most {MOST_AXES} axes, and these are {len(axes)}: give what is the"
                " same for all runs in params."
            )
        for name, values in axes.items():
            if not values:
                raise WorkflowError(f"The axis {shown(name)} has no values.")
        if axes:
            return _product(len(values) for values in axes.values())
    if not axes:
        raise WorkflowError(
            'Say what is to differ: axes {"steps": [10, 20]} for a grid, or a list of objects such'
            ' as [{"steps": 10}, {"steps": 20}].'
        )
    return len(axes)
