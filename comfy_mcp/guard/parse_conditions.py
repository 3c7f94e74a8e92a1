"""Predicates and conditions of a policy file; each condition becomes a function."""

from __future__ import annotations

from collections.abc import Callable, Collection
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from comfy_mcp.guard.comparison import OPERATORS, comparison, kind
from comfy_mcp.guard.fields import Field, Type, type_at
from comfy_mcp.guard.node import clip, nearest
from comfy_mcp.guard.parse_paths import path
from comfy_mcp.guard.parse_words import LONGEST_TEXT, reason
from comfy_mcp.guard.patterns import BadPattern
from comfy_mcp.guard.policy import Condition, Path, Predicate
from comfy_mcp.guard.vocabulary import CONDITION, PREDICATE

if TYPE_CHECKING:
    from comfy_mcp.guard.node import Node

__all__ = ["conditions", "predicates"]

_LONGEST_REGEX = 256

_SCALARS = frozenset({"eq", "neq", "in", "not_in", "exists"})
_FITTING = {
    Type.NUMBER: _SCALARS | {"lt", "lte", "gt", "gte"},
    Type.FLAG: _SCALARS,
    Type.TEXT: _SCALARS | {"regex", "contains", "glob", "subset_of"},
    Type.TEXTS: frozenset({"contains", "glob", "subset_of", "eq", "neq", "exists"}),
    Type.MODELS: frozenset({"exists"}),
}
_KINDS = {Type.NUMBER: "number", Type.FLAG: "boolean", Type.TEXT: "string"}


def predicates(node: Node) -> tuple[Predicate, ...]:
    """The entries of ``require`` or ``deny_if``; a bare condition is a predicate of one."""
    return tuple(_predicate(item) for item in node.items())


def conditions(node: Node) -> tuple[Condition, ...]:
    """Conditions that hold together, without those that are at fault."""
    read = (_condition(item) for item in node.items())
    return tuple(condition for condition in read if condition is not None)


def _predicate(node: Node) -> Predicate:
    members = node.members()
    if isinstance(node.value, dict) and "conditions" not in members:
        return _bare(node, members)
    parts = node.supported(members, PREDICATE)
    found = conditions(parts["conditions"]) if "conditions" in parts else ()
    name = parts["name"].text(LONGEST_TEXT) if "name" in parts else None
    return Predicate(node.where, found, name, reason(parts))


def _bare(node: Node, members: dict[str, Node]) -> Predicate:
    if not members.keys() & CONDITION.now:
        node.fault(
            "this is neither a condition nor a list of conditions.",
            'Write {"path", "op", "value"}, or {"conditions": [...]}.',
        )
        return Predicate(node.where)
    condition = _condition(node)
    named = members.get("name")
    name = named.value if named and isinstance(named.value, str) else None
    return Predicate(node.where, (condition,) if condition else (), name)


def _condition(node: Node) -> Condition | None:
    members = node.members()
    for key in sorted(members.keys() & {"reason", "on_deny"}):
        members[key].fault(
            f'a condition has no "{key}".', 'Put it beside "conditions": [...], or into the rule.'
        )
    parts = {key: part for key, part in members.items() if key not in {"reason", "on_deny"}}
    return _compiled(node, node.supported(parts, CONDITION))


def _compiled(node: Node, parts: dict[str, Node]) -> Condition | None:
    if "name" in parts:
        parts["name"].text(LONGEST_TEXT)
    where = path(parts["path"]) if "path" in parts else None
    op = parts["op"].choice(OPERATORS) if "op" in parts else None
    if node.lacks("path", "op", "value") or op is None:
        return None
    value = parts["value"]
    if not _takes(op, value) or where is None or not _can_hold(parts, where, op):
        return None
    if kind(value.value) is None:
        # What is no value of JSON was told when the text was read.
        return None
    try:
        holds = comparison(op, value.value)
    except BadPattern as bad:
        value.fault(
            f"this is no regular expression of RE2: {bad}.",
            "Correct it; RE2 has no look-around and no back-references.",
        )
        return None
    return Condition(node.where, where, op, _frozen(value.value), holds)


def _takes(op: str, value: Node) -> bool:
    """The operator can do something with this value; a fault if not."""
    before = len(value.faults)
    _VALUES.get(op, _any)(value)
    return len(value.faults) == before


def _any(value: Node) -> None:
    if value.value is None:
        value.fault(
            "nothing compares with null, which counts as absent.",
            'Write {"op": "exists", "value": false}, or true.',
        )


def _several(value: Node) -> None:
    for item in value.items():
        _any(item)


def _number(value: Node) -> None:
    if kind(value.value) != "number":
        value.wrong_type("a number")


def _flag(value: Node) -> None:
    value.flag()


def _regex(value: Node) -> None:
    value.text(_LONGEST_REGEX)


def _globs(value: Node) -> None:
    if isinstance(value.value, list):
        for item in value.items():
            item.text(LONGEST_TEXT)
    elif isinstance(value.value, str):
        value.text(LONGEST_TEXT)
    else:
        value.wrong_type("a string or an array of strings")


_VALUES: dict[str, Callable[[Node], None]] = {
    **dict.fromkeys(("in", "not_in", "subset_of"), _several),
    **dict.fromkeys(("lt", "lte", "gt", "gte"), _number),
    "exists": _flag,
    "regex": _regex,
    "glob": _globs,
}


def _can_hold(parts: dict[str, Node], where: Path, op: str) -> bool:
    """What is at *where* can be compared so; a fault if every call would be refused."""
    field = type_at(where)
    if field is None or op == "exists":
        return True
    fitting = _FITTING[field.type]
    if op not in fitting:
        parts["op"].fault(
            f'{where.text} is {field.type}: "{op}" cannot compare it.', _either(fitting)
        )
        return False
    value = parts["value"]
    items = value.items() if op in {"in", "not_in", "subset_of"} else [value]
    # A list, so that every wrong item is told, not only the first.
    return False not in [_is_one(field, where, op, item) for item in items]


def _is_one(field: Field, where: Path, op: str, value: Node) -> bool:
    """*value* is something that *field* can be; a fault if it never is."""
    wanted = _KINDS.get(field.type, "array" if op in {"eq", "neq"} else "string")
    if op != "glob" and kind(value.value) != wanted:
        value.wrong_type(
            f"{_A[wanted]}, since {where.text} is {field.type}", f"Write {_A[wanted]}."
        )
        return False
    if op in {"contains", "glob", "regex"} or not field.words or value.value in field.words:
        return True
    said = clip(str(value.value))
    value.fault(f'{where.text} is never "{said}".', nearest(said, field.words))
    return False


_A = {
    "number": "a number",
    "boolean": "true or false",
    "string": "a string",
    "array": "an array",
}


def _either(words: Collection[str]) -> str:
    return "Use " + ", ".join(sorted(words)) + "."


def _frozen(value: object) -> object:
    """*value* as it was written, without anything that could change."""
    if isinstance(value, dict):
        members = cast("dict[str, object]", value)
        return MappingProxyType({key: _frozen(member) for key, member in members.items()})
    if isinstance(value, list):
        return tuple(_frozen(item) for item in cast("list[object]", value))
    return value
