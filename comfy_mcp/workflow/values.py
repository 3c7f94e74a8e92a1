"""JSON values: whether they are sound, how big, and how to keep them from changing."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import cast

__all__ = ["MAX_DEPTH", "MAX_INT", "MIN_INT", "frozen", "has_control", "survey", "thawed"]

MAX_DEPTH = 32
"""Levels of lists and objects in one input of a node."""

MIN_INT, MAX_INT = -(2**63), 2**64 - 1
"""ComfyUI's own seeds go up to 2**64 - 1; nothing goes further."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def survey(value: object, budget: int) -> tuple[int, str | None]:
    """Weigh *value* and find what is no sound JSON; no recursion, no work far past *budget*.

    Returns:
        A lower bound of its bytes as JSON (more than *budget* means: stopped there), and the first
        fault in words, or None.
    """
    weight = 0
    todo: list[tuple[object, int]] = [(value, 1)]
    while todo and weight <= budget:
        item, depth = todo.pop()
        children: list[object] = []
        if isinstance(item, dict):
            pairs = cast("dict[object, object]", item)
            fault = _keys_fault(pairs)
            children = list(pairs.values()) if len(pairs) <= budget else []
            weight += sum(len(key) + 4 for key in pairs if isinstance(key, str))
        elif isinstance(item, list):
            many = cast("list[object]", item)
            fault = None
            weight += len(many)
            children = many if len(many) <= budget else []
        else:
            fault = _scalar_fault(item)
            weight += len(item) + 2 if isinstance(item, str) else 1
        if children and depth >= MAX_DEPTH:
            fault = f"is nested more than {MAX_DEPTH} levels deep; flatten it"
        if fault is not None:
            return weight, fault
        todo.extend((child, depth + 1) for child in reversed(children))
    return weight, None


def frozen(value: object) -> object:
    """A copy that nobody can change: objects are read-only mappings, lists are tuples."""
    if isinstance(value, Mapping):
        pairs = cast("Mapping[str, object]", value)
        return MappingProxyType({key: frozen(item) for key, item in pairs.items()})
    if isinstance(value, list | tuple):
        return tuple(frozen(item) for item in cast("list[object]", value))
    return value


def thawed(value: object) -> object:
    """The opposite of `frozen`: a fresh copy of plain dicts and lists."""
    if isinstance(value, Mapping):
        pairs = cast("Mapping[str, object]", value)
        return {key: thawed(item) for key, item in pairs.items()}
    if isinstance(value, list | tuple):
        return [thawed(item) for item in cast("list[object]", value)]
    return value


def has_control(text: str) -> bool:
    """Whether *text* has a control character (C0, C1 or DEL) in it."""
    return _CONTROL.search(text) is not None


def _keys_fault(pairs: dict[object, object]) -> str | None:
    for key in pairs:
        if not isinstance(key, str):
            return "has a key that is no string; JSON knows only string keys"
        if (fault := _str_fault(key)) is not None:
            return fault
    return None


def _scalar_fault(item: object) -> str | None:
    if item is None or isinstance(item, bool):
        return None
    for kind, check in _CHECKS:
        if isinstance(item, kind):
            return check(item)
    return f"holds a Python {type(item).__name__}, which is no JSON value"


def _int_fault(item: object) -> str | None:
    if MIN_INT <= cast("int", item) <= MAX_INT:
        return None
    return "holds a whole number that no node can take; keep it below 2**64"


def _float_fault(item: object) -> str | None:
    if math.isfinite(cast("float", item)):
        return None
    return "holds NaN or Infinity, which is no JSON number; write a finite number"


def _str_fault(item: object) -> str | None:
    try:
        cast("str", item).encode("utf-8")
    except UnicodeEncodeError:
        return "holds half of a surrogate pair, which is no Unicode text; write the whole character"
    return None


_CHECKS: tuple[tuple[type, Callable[[object], str | None]], ...] = (
    (int, _int_fault),
    (float, _float_fault),
    (str, _str_fault),
)
