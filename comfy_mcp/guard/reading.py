"""Strict JSON: values that know their JSON Pointer, and every fault collected on the way."""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, cast

from comfy_mcp.errors import Fault

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from comfy_mcp.guard.vocabulary import Keys

__all__ = ["MAX_BYTES", "MAX_DEPTH", "Node", "nearest", "read_json"]

MAX_BYTES = 1_048_576
"""Nobody writes a longer policy by hand; a longer file is most likely another one."""

MAX_DEPTH = 32
"""Deeper nesting has no meaning in a policy, and a parser's stack has an end."""

_LONGEST_NUMBER = 32
_LONGEST_QUOTE = 60
_TOKENS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]', re.DOTALL)


class _Pairs(dict[str, object]):
    """A JSON object that remembers which keys it had more than once."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        counted = Counter(key for key, _ in pairs)
        self.repeated = tuple(key for key, count in counted.items() if count > 1)


@dataclass(frozen=True, slots=True)
class _Unreadable:
    """Stands for a number that JSON does not have, until its place is known."""

    text: str


@dataclass(frozen=True, slots=True)
class Node:
    """One JSON value and its JSON Pointer; all nodes of a document share one list of faults."""

    value: object
    where: str = ""
    faults: list[Fault] = field(default_factory=list[Fault])

    def fault(self, cause: str, fix: str) -> None:
        """Note what is wrong here and how to put it right."""
        self.faults.append(Fault(self.where, cause, fix))

    def wrong_type(self, wanted: str, fix: str = "") -> None:
        """Note that this is not *wanted*; silent about what was told when the text was read."""
        if not isinstance(self.value, _Unreadable):
            self.fault(f"expected {wanted}, found {_kind(self.value)}.", fix or f"Write {wanted}.")

    def child(self, key: str | int, value: object) -> Node:
        """The node of a member or item."""
        step = _visible(str(key)).replace("~", "~0").replace("/", "~1")
        return Node(value, f"{self.where}/{step}", self.faults)

    def members(self) -> dict[str, Node]:
        """The members of an object; an empty dict, and a fault, if this is none."""
        if not isinstance(self.value, _Pairs):
            self.wrong_type("an object")
            return {}
        return {key: self.child(key, value) for key, value in self.value.items()}

    def known(self, keys: Keys) -> dict[str, Node]:
        """The members that this version supports; a fault for each other one."""
        members = self.members()
        for key, member in members.items():
            if key in keys.later:
                member.unsupported(f'"{key}"')
            elif key not in keys.now:
                member.fault(f'unknown key "{_clip(key)}".', nearest(key, keys.now, keys.later))
        return {key: member for key, member in members.items() if key in keys.now}

    def unsupported(self, what: str, fix: str = "") -> None:
        """Note something of the language that a later version will have."""
        self.fault(
            f"{what} is not supported by this version yet.",
            fix or "Remove it; deny the tools that must not be used without it.",
        )

    def items(self) -> list[Node]:
        """The items of an array; an empty list, and a fault, if this is none."""
        value = self.value
        if not isinstance(value, list):
            self.wrong_type("an array")
            return []
        return [self.child(at, item) for at, item in enumerate(cast("list[object]", value))]

    def text(self, longest: int) -> str | None:
        """A string of at most *longest* characters; None, and a fault, if this is none."""
        if not isinstance(self.value, str):
            self.wrong_type("a string")
            return None
        if len(self.value) > longest:
            self.fault(
                f"the text has {len(self.value)} characters, {longest} are allowed.", "Shorten it."
            )
            return None
        return self.value

    def choice(self, allowed: Collection[str]) -> str | None:
        """One of the *allowed* words; None, and a fault, if this is none."""
        if isinstance(self.value, str) and self.value in allowed:
            return self.value
        words = _either(sorted(allowed))
        if isinstance(self.value, str):
            self.fault(f'"{_clip(self.value)}" is not {words}.', nearest(self.value, allowed))
        else:
            self.wrong_type(words)
        return None

    def whole(self, least: int, most: int) -> int | None:
        """A whole number within bounds; None, and a fault, if this is none."""
        wanted = f"a whole number from {least} to {most}"
        if isinstance(self.value, bool) or not isinstance(self.value, int | Decimal):
            self.wrong_type(wanted)
        elif isinstance(self.value, Decimal) or not least <= self.value <= most:
            self.fault(f"{_clip(str(self.value))} is not {wanted}.", f"Write {wanted}.")
        else:
            return self.value
        return None

    def millionths(self, least: Decimal, most: int) -> int | None:
        """A number within bounds, as whole millionths; None, and a fault, if this is none."""
        wanted = f"a number from {least:f} to {most} with at most six decimals"
        if isinstance(self.value, bool) or not isinstance(self.value, int | Decimal):
            self.wrong_type(wanted)
        elif not least <= self.value <= most or not _has_six_decimals(self.value):
            self.fault(f"{_clip(str(self.value))} is not {wanted}.", f"Write {wanted}.")
        else:
            return int(self.value * 1_000_000)
        return None


def read_json(text: str, where: str = "") -> Node:
    """The root of *text*, at pointer *where*; what is not strict JSON is noted among its faults.

    A text that is no JSON at all gives a root that has no value but a fault that says why.
    """
    faults: list[Fault] = []
    if _depth(text) > MAX_DEPTH:
        cause = f"objects and arrays are nested more than {MAX_DEPTH} deep."
        faults.append(Fault(where, cause, "Remove what is not part of a policy."))
        return Node(_Unreadable(""), where, faults)
    try:
        value: object = json.loads(
            text,
            object_pairs_hook=_Pairs,
            parse_constant=_Unreadable,
            parse_float=_number,
            parse_int=_number,
        )
    except json.JSONDecodeError as error:
        cause = f"not JSON: {error.msg} (line {error.lineno}, column {error.colno})."
        faults.append(Fault(where, cause, "Correct the text at that place."))
        return Node(_Unreadable(""), where, faults)
    root = Node(value, where, faults)
    for node in _walk(root):
        _check_strict(node)
    return root


def nearest(word: str, allowed: Collection[str], also: Collection[str] = ()) -> str:
    """The fix for a misspelt *word*: the nearest of all words, or else the *allowed* ones."""
    words = sorted({*allowed, *also})
    close = difflib.get_close_matches(word.lower(), words, n=1, cutoff=0.6)
    if close:
        return f'Did you mean "{close[0]}"?'
    return f"Use {_either(sorted(allowed))}."


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
    if isinstance(value, _Unreadable):
        node.fault(f"{_clip(value.text)} is no number of JSON.", "Write a finite number.")
    elif isinstance(value, str):
        _check_characters(node, value)
    elif isinstance(value, _Pairs):
        for key in value:
            _check_characters(node.child(key, None), key)
        for key in value.repeated:
            node.child(key, None).fault(
                f'the key "{_clip(key)}" stands here more than once.', "Keep one of them."
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
        return _Unreadable(text)


def _has_six_decimals(number: int | Decimal) -> bool:
    return isinstance(number, int) or number == number.quantize(Decimal("0.000001"))


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


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'the string "{_clip(value)}"'
    if isinstance(value, int | Decimal):
        return f"the number {_clip(str(value))}"
    return "an object" if isinstance(value, dict) else "an array"


def _clip(text: str) -> str:
    """Short enough for a message."""
    return _visible(text[:_LONGEST_QUOTE]) + ("..." if len(text) > _LONGEST_QUOTE else "")


def _visible(text: str) -> str:
    """Without characters that a terminal would obey or an encoder refuse."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _either(words: list[str]) -> str:
    quoted = [f'"{word}"' for word in words]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)
