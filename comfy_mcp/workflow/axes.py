"""Variants of one workflow: a grid over some parameters, or a list of what is to differ."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from comfy_mcp.errors import WorkflowError
from comfy_mcp.workflow.flaws import listed, shown

__all__ = ["MOST_RUNS", "Axes", "variants"]

MOST_RUNS = 100
"""Runs of one sweep, whatever is asked for."""

Axes = Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]]


def variants(params: Mapping[str, Any], axes: Axes, most: int) -> tuple[dict[str, Any], ...]:
    """What each run changes: of a grid all combinations, the first axis slowest; else the list.

    Raises:
        WorkflowError: there are none, more than *most*, or an axis is at odds with *params*.
    """
    count = _count(axes)
    if count > most:
        hint = (
            f" Set max_runs (at most {MOST_RUNS}), or give fewer values."
            if count <= MOST_RUNS
            else f" A sweep has at most {MOST_RUNS}: give fewer values."
        )
        raise WorkflowError(
            f"That makes {count} runs, more than max_runs={most}, so nothing was run.{hint}"
        )
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


def _count(axes: Axes) -> int:
    if isinstance(axes, Mapping):
        for name, values in axes.items():
            if not values:
                raise WorkflowError(f"The axis {shown(name)} has no values.")
        if axes:
            return math.prod(len(values) for values in axes.values())
    if not axes:
        raise WorkflowError(
            'Say what is to differ: axes {"steps": [10, 20]} for a grid, or a list of objects such'
            ' as [{"steps": 10}, {"steps": 20}].'
        )
    return len(axes)
