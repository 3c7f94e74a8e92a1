"""Strict JSON: values that know their JSON Pointer, and every fault collected on the way."""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, cast

from comfy_mcp.errors import Fault
from comfy_mcp.guard.node import Node, Pairs, Unreadable, clip

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MAX_BYTES", "MAX_DEPTH", "canonical", "read_json"]

MAX_BYTES = 1_048_576
"""Nobody writes a longer policy by hand; a longer file is most likely another one."""

MAX_DEPTH = 32
"""Deeper nesting has no meaning in a policy, and a parser's stack has an end."""

_LONGEST_NUMBER = 32
_TOKENS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]', re.DOTALL)


def read_json(text: str, where: str = "") -> Node:
    """The root of *text*, at pointer *where*; what is not strict JSON is noted among its faults.

    A text that is no JSON at all gives a root that has no value but a fault that says why.
    """
    faults: list[Fault] = []
    if _depth(text) > MAX_DEPTH:
        cause = f"objects and arrays are nested more than {MAX_DEPTH} deep."
        faults.append(Fault(where, cause, "Remove what is not part of a policy."))
        return Node(Unreadable(""), where, faults)
    try:
        value: object = json.loads(
            text,
            object_pairs_hook=Pairs,
            parse_constant=Unreadable,
            parse_float=_number,
            parse_int=_number,
        )
    except json.JSONDecodeError as error:
        cause = f"not JSON: {error.msg} (line {error.lineno}, column {error.colno})."
        faults.append(Fault(where, cause, "Correct the text at that place."))
        return Node(Unreadable(""), where, faults)
    root = Node(value, where, faults)
    for node in _walk(root):
        _check_strict(node)
    return root


def canonical(value: object) -> str:
    """*value* of a `Node` as JSON without white space, keys sorted, numbers as they were written.

    The number 1 and the string ``"1"`` differ in it: a condition tells them apart, too.
    """
    if isinstance(value, dict):
        members = sorted(cast("dict[str, object]", value).items())
        return "{" + ",".join(f"{json.dumps(key)}:{canonical(one)}" for key, one in members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(canonical(item) for item in cast("list[object]", value)) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value)


def _walk(node: Node) -> Iterator[Node]:
    yield node
    if isinstance(node.value, dict):
        for member in node.members().values():
            yield from _walk(member)
    elif isinstance(node.value, list):
        for item in node.items():
            yield from _walk(item)


def _check_strict(node: Node) -> None:
    value = node.value
    if isinstance(value, Unreadable):
        node.fault(f"{clip(value.text)} is no number of JSON.", "Write a finite number.")
    elif isinstance(value, str):
        _check_characters(node, value)
    elif isinstance(value, Pairs):
        for key in value:
            _check_characters(node.child(key, None), key)
        for key in value.repeated:
            node.child(key, None).fault(
                f'the key "{clip(key)}" stands here more than once.', "Keep one of them."
            )


def _check_characters(node: Node, text: str) -> None:
    if any("\ud800" <= character <= "\udfff" for character in text):
        node.fault(
            "the text holds half of a surrogate pair.", "Write the character itself, in UTF-8."
        )


def _number(text: str) -> object:
    # int() refuses very long texts and Decimal very large exponents, each with a ValueError of
    # its own that knows no place.
    if text.lstrip("-").isdigit() and len(text) <= _LONGEST_NUMBER:
        return int(text)
    try:
        return Decimal(text)
    except InvalidOperation:
        return Unreadable(text)


def _depth(text: str) -> int:
    deepest = depth = 0
    for token in _TOKENS.finditer(text):
        mark = token.group()
        if mark in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in "]}":
            depth -= 1
    return deepest
