"""Words of others as a person may safely read them: nothing invisible, one line, cut, quoted.

What an agent writes is data. It may hold escapes that move a cursor, marks that turn the direction
of a line, characters that nobody sees, markup, line ends that forge a row, and any amount of text.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

__all__ = [
    "MOST_LABEL",
    "MOST_NAME",
    "MOST_TEXT",
    "MOST_WHOLE",
    "Quoted",
    "bounded",
    "compact",
    "name",
    "plain",
    "quote",
    "seen",
    "value",
]

MOST_TEXT = 2_000
"""Characters of a text that an agent wrote; the rest is counted."""

MOST_WHOLE = 65_536
"""Characters of a text where somebody wants to see everything."""

MOST_NAME = 200
"""Characters of a name: a workflow's, a model's, a node class's, a file's."""

MOST_LABEL = 120
"""Characters of a name that stands among words of ours."""

LEAST_READ = 1_000
"""Characters that are looked at of any text, else twice as many as may be shown.

What is behind them only counts as cut: nobody shall pay for a flood of words that nobody reads.
"""

MOST_MARKS = 4
"""Combining marks on one character; more of them paint over the lines around."""

_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
"""Unicode categories of what is not seen, or moves what is."""

_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)
"""Marks and letters that leave no trace on a screen, so that text could hide in them."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+@/\\|#:-]*")
"""What cannot be taken for a sentence."""

_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Quoted:
    """*text* as it may be shown; *cut* characters of it are left out at the end.

    *hidden* is how many characters that nobody would have seen were taken out.
    """

    text: str
    cut: int = 0
    hidden: int = 0

    @property
    def in_marks(self) -> str:
        """In quotation marks, with what was left out said behind them."""
        marked = json.dumps(self.text, ensure_ascii=False)
        more = [f"{self.cut} more characters"] if self.cut else []
        more += [f"{self.hidden} invisible left out"] if self.hidden else []
        return f"{marked} ({', '.join(more)})" if more else marked


def quote(value: object, most: int = MOST_TEXT, *, exact: bool = False) -> Quoted:
    """*value* as one line of at most *most* visible characters; what is no text as compact JSON.

    *exact*: with every space that it has, else with one for each stretch and none at the ends.
    """
    text = value if isinstance(value, str) else compact(value)
    read = max(LEAST_READ, 2 * most)
    visible, hidden = seen(text[:read])
    line = visible if exact else _SPACE.sub(" ", visible).strip()
    return Quoted(line[:most], max(0, len(line) - most) + max(0, len(text) - read), hidden)


def plain(value: object, most: int = MOST_NAME) -> str:
    """*value* as one clean line, with ``... (+12 characters)`` in place of what is cut."""
    quoted = quote(value, most)
    return f"{quoted.text}... (+{quoted.cut} characters)" if quoted.cut else quoted.text


def name(value: object, most: int = MOST_LABEL) -> str:
    """A name that others chose: as it is if it looks like one, else in quotation marks.

    So that a name that is a sentence is not taken for one of ours.
    """
    text = value if isinstance(value, str) else compact(value)
    return (
        text
        if len(text) <= most and _NAME.fullmatch(text)
        else quote(text, most, exact=True).in_marks
    )


def value(given: object, most: int = MOST_LABEL) -> str:
    """A value as people read it: a text in quotation marks, everything else as JSON."""
    if isinstance(given, str):
        return quote(given, most, exact=True).in_marks
    return plain(given, most)


def seen(text: str) -> tuple[str, int]:
    """*text* without what nobody sees, white space made spaces, and how much was taken out."""
    if text.isascii() and text.isprintable():
        return text, 0
    kept: list[str] = []
    marks = 0
    for one in text:
        shown, is_mark = _shown(one)
        marks = marks + 1 if is_mark else 0
        if shown and marks <= MOST_MARKS:
            kept.append(shown)
    return "".join(kept), len(text) - len(kept)


@lru_cache(4_096)
def _shown(one: str) -> tuple[str, bool]:
    """What is shown for a character, "" for nothing, and whether it is a combining mark."""
    if one in "\t\n\r\v\f\x85\u2028\u2029":
        return " ", False
    kind = unicodedata.category(one)
    if kind in _UNSEEN or _BLANK.match(one):
        return "", False
    return one, kind in {"Mn", "Me"}


def compact(value: object) -> str:
    """*value* as JSON on one line."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(", ", ": "), default=str)
    except (ValueError, RecursionError):
        return "(too deep to be shown)"


def bounded(value: object, most: int = MOST_NAME, items: int = 100, depth: int = 4) -> Any:
    """*value* as clean JSON values: texts cut to *most*, lists and objects to *items*."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else plain(value, most)
    if isinstance(value, str) or depth == 0:
        return plain(value, most)
    if isinstance(value, Mapping):
        pairs = list(cast("Mapping[object, object]", value).items())[:items]
        return {plain(key, most): bounded(one, most, items, depth - 1) for key, one in pairs}
    if isinstance(value, Sequence):
        several = list(cast("Sequence[object]", value))[:items]
        return [bounded(one, most, items, depth - 1) for one in several]
    return plain(value, most)
