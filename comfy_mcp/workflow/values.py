"""JSON values: whether they are sound, how big, and how to keep them from changing."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from itertools import chain
from types import MappingProxyType
from typing import Any, cast

__all__ = ["MAX_DEPTH", "MAX_INT", "MIN_INT", "frozen", "has_control", "survey", "thawed"]

MAX_DEPTH = 32
"""Levels of lists and objects in one input of a node."""

MIN_INT, MAX_INT = -(2**63), 2**64 - 1
"""ComfyUI's own seeds go up to 2**64 - 1; nothing goes further."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def survey(value: object, budget: int) -> tuple[int, str | None]:
    """Weigh *value* and find what is no sound JSON; no recursion, no work far past *budget*.

    Returns:
        A lower bound of its bytes as JSON (more than *budget* means: stopped there), and a fault in
        words, or None.
    """
    # Level by level and type by type: one step of Python per value would take seconds for millions.
    weight, level, group = 0, 0, [value]
    while group:
        inner: list[Collection[object]] = []
        for kind in dict.fromkeys(map(type, group)):
            items = [item for item in group if type(item) is kind]
            weight += _weight(kind, items)
            if weight > budget:
                return weight, None
            fault = _CHECKS.get(kind, _alien_fault)(items)
            if fault is not None:
                return weight, fault
            inner += _inside(kind, items)
        level += 1
        if inner and level > MAX_DEPTH:
            return weight, f"is nested more than {MAX_DEPTH} levels deep; flatten it"
        weight += sum(map(len, inner))
        group = list(chain.from_iterable(inner)) if weight <= budget else []
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


def _weight(kind: type, items: list[Any]) -> int:
    """A lower bound of the bytes of *items*, without the comma after each and what is in them."""
    own = _LEAST_BYTES.get(kind, 0) * len(items)
    return own + sum(map(len, items)) if kind is str else own


def _inside(kind: type, items: list[Any]) -> list[Collection[object]]:
    if kind is dict:
        return [part for item in items for part in (item.keys(), item.values())]
    return items if kind is list else []


def _no_fault(_items: list[Any]) -> None:
    return None


def _objects_fault(items: list[Any]) -> str | None:
    if all(isinstance(key, str) for key in chain.from_iterable(items)):
        return None
    return "has a key that is no string; JSON knows only string keys"


def _integers_fault(items: list[Any]) -> str | None:
    if min(items) >= MIN_INT and max(items) <= MAX_INT:
        return None
    return "holds a whole number that no node can take; keep it below 2**64"


def _floats_fault(items: list[Any]) -> str | None:
    if all(map(math.isfinite, items)):
        return None
    return "holds NaN or Infinity, which is no JSON number; write a finite number"


def _texts_fault(items: list[Any]) -> str | None:
    try:
        "".join(items).encode("utf-8")
    except UnicodeEncodeError:
        return "holds half of a surrogate pair, which is no Unicode text; write the whole character"
    return None


def _alien_fault(items: list[Any]) -> str | None:
    return f"holds a Python {type(items[0]).__name__}, which is no JSON value"


# A list or object has two brackets, but no comma after its last member: one byte is left.
_LEAST_BYTES = {type(None): 4, bool: 4, int: 1, float: 3, str: 2, list: 1, dict: 1}
_CHECKS: dict[type, Callable[[list[Any]], str | None]] = {
    type(None): _no_fault,
    bool: _no_fault,
    list: _no_fault,
    dict: _objects_fault,
    int: _integers_fault,
    float: _floats_fault,
    str: _texts_fault,
}
