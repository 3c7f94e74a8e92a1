"""A value of a policy file that knows its JSON Pointer, and every fault found on the way."""

from __future__ import annotations

import difflib
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, cast

from comfy_mcp.errors import Fault

if TYPE_CHECKING:
    from collections.abc import Collection

    from comfy_mcp.guard.vocabulary import Keys

__all__ = ["Node", "Pairs", "Unreadable", "clip", "nearest"]

_LONGEST_QUOTE = 60
_PLACES = {3: "three", 6: "six"}


class Pairs(dict[str, object]):
    """A JSON object that remembers which keys it had more than once."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        counted = Counter(key for key, _ in pairs)
        self.repeated = tuple(key for key, count in counted.items() if count > 1)


@dataclass(frozen=True, slots=True)
class Unreadable:
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
        if not isinstance(self.value, Unreadable):
            self.fault(f"expected {wanted}, found {_kind(self.value)}.", fix or f"Write {wanted}.")

    def child(self, key: str | int, value: object) -> Node:
        """The node of a member or item."""
        step = _visible(str(key)).replace("~", "~0").replace("/", "~1")
        return Node(value, f"{self.where}/{step}", self.faults)

    def members(self) -> dict[str, Node]:
        """The members of an object; an empty dict, and a fault, if this is none."""
        if not isinstance(self.value, Pairs):
            self.wrong_type("an object")
            return {}
        return {key: self.child(key, value) for key, value in self.value.items()}

    def known(self, keys: Keys) -> dict[str, Node]:
        """The members that this version supports; a fault for each other one."""
        return self.supported(self.members(), keys)

    def supported(self, members: dict[str, Node], keys: Keys) -> dict[str, Node]:
        """Those of *members* that are among *keys*; a fault for each other one."""
        for key, member in members.items():
            if key in keys.later:
                member.unsupported(f'"{key}"')
            elif key not in keys.now:
                member.fault(f'unknown key "{clip(key)}".', nearest(key, keys.now, keys.later))
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
            self.fault(f'"{clip(self.value)}" is not {words}.', nearest(self.value, allowed))
        else:
            self.wrong_type(words)
        return None

    def whole(self, least: int, most: int) -> int | None:
        """A whole number within bounds; None, and a fault, if this is none."""
        wanted = f"a whole number from {least} to {most}"
        if isinstance(self.value, bool) or not isinstance(self.value, int | Decimal):
            self.wrong_type(wanted)
        elif isinstance(self.value, Decimal) or not least <= self.value <= most:
            self.fault(f"{clip(str(self.value))} is not {wanted}.", f"Write {wanted}.")
        else:
            return self.value
        return None

    def millionths(self, least: Decimal, most: int) -> int | None:
        """A number within bounds, as whole millionths; None, and a fault, if this is none."""
        return self._scaled(least, most, 6)

    def thousandths(self, least: Decimal, most: int) -> int | None:
        """A number within bounds, as whole thousandths; None, and a fault, if this is none."""
        return self._scaled(least, most, 3)

    def _scaled(self, least: Decimal, most: int, places: int) -> int | None:
        wanted = f"a number from {least:f} to {most} with at most {_PLACES[places]} decimals"
        if isinstance(self.value, bool) or not isinstance(self.value, int | Decimal):
            self.wrong_type(wanted)
        elif not least <= self.value <= most or not _has_places(self.value, places):
            self.fault(f"{clip(str(self.value))} is not {wanted}.", f"Write {wanted}.")
        else:
            return int(self.value * 10**places)
        return None

    def flag(self) -> bool | None:
        """True or false; None, and a fault, if this is neither."""
        if isinstance(self.value, bool):
            return self.value
        self.wrong_type("true or false")
        return None

    def lacks(self, *keys: str) -> bool:
        """Note each of *keys* that this object does not have; whether there was one."""
        if not isinstance(self.value, Pairs):
            return False
        missing = [key for key in keys if key not in self.value]
        for key in missing:
            self.fault(f'the key "{key}" is missing.', f'Add "{key}".')
        return bool(missing)


def nearest(word: str, allowed: Collection[str], also: Collection[str] = ()) -> str:
    """The fix for a misspelt *word*: the nearest of all words, or else the *allowed* ones."""
    words = sorted({*allowed, *also})
    close = difflib.get_close_matches(word.lower(), words, n=1, cutoff=0.6)
    if close:
        return f'Did you mean "{close[0]}"?'
    return f"Use {_either(sorted(allowed))}."


def _has_places(number: int | Decimal, places: int) -> bool:
    return isinstance(number, int) or number == number.quantize(Decimal(1).scaleb(-places))


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'the string "{clip(value)}"'
    if isinstance(value, int | Decimal):
        return f"the number {clip(str(value))}"
    return "an object" if isinstance(value, dict) else "an array"


def clip(text: str) -> str:
    """Short enough for a message."""
    return _visible(text[:_LONGEST_QUOTE]) + ("..." if len(text) > _LONGEST_QUOTE else "")


def _visible(text: str) -> str:
    """Without characters that a terminal would obey or an encoder refuse."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _either(words: list[str]) -> str:
    quoted = [f'"{word}"' for word in words]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)
