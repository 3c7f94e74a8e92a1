"""Why a requirement failed, or a denial matched: a sentence, and the number that would do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast

from comfy_mcp.guard.case import Case
from comfy_mcp.guard.in_force import Check
from comfy_mcp.guard.lookup import MISSING, WRONG, values
from comfy_mcp.guard.policy import Condition

__all__ = ["asked_in_words", "denied_in_words", "required_in_words"]

Told = tuple[str, Mapping[str, Any] | None]

_MANY = 200
_MOST = 10**18
_NUMERIC = frozenset({"lt", "lte", "gt", "gte"})
_OPS = {
    "eq": "be {}",
    "neq": "not be {}",
    "in": "be one of {}",
    "not_in": "be none of {}",
    "lt": "be below {}",
    "lte": "be at most {}",
    "gt": "be above {}",
    "gte": "be at least {}",
    "regex": "match {}",
    "contains": "contain {}",
    "glob": "fit {}",
    "subset_of": "have nothing but {}",
}


def required_in_words(case: Case, check: Check, failed: Condition) -> Told:
    """What must hold, and what is there instead."""
    if failed.op == "exists":
        must = "be given" if failed.value is True else "be left out"
    else:
        must = _OPS.get(failed.op, f"{failed.op} {{}}").format(_text(failed.value))
    found = values(case, failed.path)
    reason = f"{_named(check)}{failed.path.text} must {must}; it is {_found(found)}."
    return reason, _fix(failed, found, "lte")


def denied_in_words(case: Case, check: Check) -> Told:
    """What it is about. What that is compared with is told of numbers only.

    A pattern that is told is a pattern that is got round.
    """
    conditions = check.predicate.conditions
    if not conditions:
        return f"{_named(check)}The policy denies every such call.", None
    parts = [_denied(case, condition) for condition in conditions]
    fix = None
    if len(conditions) == 1:
        fix = _fix(conditions[0], values(case, conditions[0].path), "gt")
    return f"{_named(check)}The policy denies this because of {' and '.join(parts)}.", fix


def asked_in_words(conditions: tuple[Condition, ...]) -> str:
    """When a person is asked; as of a denial, only numbers are told."""
    return " and ".join(
        f"{one.path.text} {_OPS[one.op].format(_text(one.value)).removeprefix('be ')}"
        if one.op in _NUMERIC
        else one.path.text
        for one in conditions
    )


def _denied(case: Case, condition: Condition) -> str:
    if condition.op not in _NUMERIC:
        return condition.path.text
    must = _OPS[condition.op].format(_text(condition.value)).removeprefix("be ")
    return f"{condition.path.text} {must} (it is {_found(values(case, condition.path))})"


def _named(check: Check) -> str:
    return f"{check.predicate.name}: " if check.predicate.name else ""


def _found(found: list[object]) -> str:
    if not found or all(value is MISSING or value is None for value in found):
        return "missing"
    if len(found) > 1:
        return f"{len(found)} values"
    value = found[0]
    if value is WRONG:
        return "of another type"
    # What an agent sent may be large: it is not written out only to be cut.
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, Mapping):
        return "an object"
    return _text(value[:_MANY] if isinstance(value, str) else value)


def _text(value: object) -> str:
    """A value as JSON, cut; whatever cannot be written is named by its type."""
    try:
        text = json.dumps(value, default=_plain)
    except (TypeError, ValueError, RecursionError):
        return type(value).__name__
    return text if len(text) <= _MANY else f"{text[:_MANY]}..."


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, object]", value))
    raise TypeError


def _fix(condition: Condition, found: list[object], op: str) -> Mapping[str, Any] | None:
    """How large a number may be, where the policy says that of one number."""
    if condition.op != op or len(found) != 1:
        return None
    got, most = _number(found[0]), _number(condition.value)
    if got is None or most is None:
        return None
    return {"path": condition.path.text, "got": got, "max": most}


def _number(value: object) -> int | float | None:
    """A number that every JSON reader takes; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    if isinstance(value, Decimal):
        value = float(value)
        value = int(value) if value.is_integer() else value
    return value if abs(value) < _MOST else None
