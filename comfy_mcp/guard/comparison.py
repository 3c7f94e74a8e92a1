"""Conditions as functions: total, strict about types, and exact about numbers.

A value of another type than what it is compared with is neither equal nor unequal: the answer is
None, and a rule takes that as a reason to refuse. A bool is no number, ``"5"`` is not 5, and NaN,
the infinities and text with half a surrogate pair are of no type at all. Within a list that is
compared item by item, one item of another type makes the whole of another type.

Numbers are compared exactly, as decimals. A float counts as the shortest decimal that means it,
which is how JSON writes it: ``0.1`` in a policy equals the argument ``0.1``, and what is compared
is what will be sent, so there is no other way to write a number that would be judged differently.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, cast

from comfy_mcp.guard.patterns import any_glob, regex

__all__ = ["OPERATORS", "Holds", "Kind", "comparison", "kind"]

Holds = Callable[[object], bool | None]
"""Whether a value compares; None for a value of the wrong type."""

Kind = str
"""boolean, number, string, array, object or null."""


def comparison(op: str, operand: object) -> Holds:
    """What ``{"op": op, "value": operand}`` says of a value.

    *operand* has to be of a type that *op* takes.

    Raises:
        BadPattern: *operand* is a regex that RE2 does not read.
    """
    return OPERATORS[op](operand)


def kind(value: object) -> Kind | None:
    """The JSON type of *value*; None for what JSON or UTF-8 cannot write."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "string" if _is_text(value) else None
    if isinstance(value, int | float | Decimal):
        return "number" if isinstance(value, int) or _is_finite(value) else None
    if isinstance(value, list | tuple):
        return "array"
    return "object" if isinstance(value, Mapping) else None


def _is_finite(value: float | Decimal) -> bool:
    # math.isfinite would make a float of a decimal, and 1e400 infinite.
    return value.is_finite() if isinstance(value, Decimal) else math.isfinite(value)


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _all_texts(items: Iterable[object]) -> bool:
    """Each is a text. In one step, since a graph has hundreds of names and a policy many rules."""
    try:
        "\n".join(cast("Iterable[str]", items)).encode()
    except (TypeError, UnicodeEncodeError):
        return False
    return True


def _exact(number: object) -> int | Decimal:
    if isinstance(number, float):
        return Decimal(float.__repr__(number))
    return cast("int | Decimal", number)


def _same(operand: object, value: object) -> bool:
    """Both are the same JSON value. As deep as *operand* is, however deep *value* may be."""
    what = kind(operand)
    if what != kind(value):
        return False
    if what == "number":
        return _exact(operand) == _exact(value)
    if what == "array":
        ours, theirs = cast("tuple[object, ...]", operand), cast("tuple[object, ...]", value)
        return len(ours) == len(theirs) and all(map(_same, ours, theirs))
    if what == "object":
        own = cast("Mapping[object, object]", operand)
        other = cast("Mapping[object, object]", value)
        return own.keys() == other.keys() and all(_same(own[key], other[key]) for key in own)
    return operand == value


def _equal(operand: object) -> Holds:
    what = kind(operand)
    return lambda value: _same(operand, value) if kind(value) == what else None


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[object], Holds]:
    def build(operand: object) -> Holds:
        bound = _exact(operand)
        return lambda value: compare(_exact(value), bound) if kind(value) == "number" else None

    return build


def _among(operand: object) -> Holds:
    """Is it one of *operand*? Scalars are looked up, since both sides may be long."""
    items = cast("list[object]", operand)
    kinds = {kind(item) for item in items}
    scalars = {_key(item) for item in items if _key(item) is not None}
    others = [item for item in items if _key(item) is None]

    def holds(value: object) -> bool | None:
        what = kind(value)
        if what is None or (kinds and what not in kinds):
            return None
        key = _key(value)
        return any(_same(item, value) for item in others) if key is None else key in scalars

    return holds


def _key(value: object) -> tuple[Kind, object] | None:
    """What equal scalars have in common; None for arrays and objects."""
    what = kind(value)
    if what in {"number", "string", "boolean"}:
        return what, _exact(value)
    return None


def _contains(operand: object) -> Holds:
    what = kind(operand)

    def holds(value: object) -> bool | None:
        if isinstance(value, str):
            return operand in value if isinstance(operand, str) and _is_text(value) else None
        if not isinstance(value, list | tuple):
            return None
        items = cast("list[object]", value)
        if what == "string":
            return operand in items if _all_texts(items) else None
        if any(kind(item) != what for item in items):
            return None
        return any(_same(operand, item) for item in items)

    return holds


def _subset(operand: object) -> Holds:
    among = _among(operand)

    def holds(value: object) -> bool | None:
        if isinstance(value, str):
            return among(value)
        if not isinstance(value, list | tuple):
            return None
        answers = {among(item) for item in cast("list[object]", value)}
        return None if None in answers else False not in answers

    return holds


def _texts(test: Callable[[str], bool]) -> Holds:
    return lambda value: test(cast("str", value)) if kind(value) == "string" else None


def _glob(operand: object) -> Holds:
    """A text fits, or one text of a list does."""
    fits = any_glob([operand] if isinstance(operand, str) else cast("list[str]", operand))

    def holds(value: object) -> bool | None:
        if isinstance(value, list | tuple):
            items = cast("list[object]", value)
            if not _all_texts(items):
                return None
            return any(fits(cast("str", item)) for item in items)
        return fits(cast("str", value)) if kind(value) == "string" else None

    return holds


def _exists(operand: object) -> Holds:
    return lambda value: (value is not None) is operand


def _not(build: Callable[[object], Holds]) -> Callable[[object], Holds]:
    def negated(operand: object) -> Holds:
        holds = build(operand)

        def answer(value: object) -> bool | None:
            held = holds(value)
            return None if held is None else not held

        return answer

    return negated


OPERATORS: Mapping[str, Callable[[object], Holds]] = {
    "eq": _equal,
    "neq": _not(_equal),
    "in": _among,
    "not_in": _not(_among),
    "lt": _ordered(operator.lt),
    "lte": _ordered(operator.le),
    "gt": _ordered(operator.gt),
    "gte": _ordered(operator.ge),
    "regex": lambda operand: _texts(regex(cast("str", operand))),
    "contains": _contains,
    "exists": _exists,
    "glob": _glob,
    "subset_of": _subset,
}
"""What each operator makes of the value beside it."""
