"""Texts that the editor changes before it sends them."""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["MARK", "chosen", "replaced"]

MARK = "%"
"""Where it is not in a text, `replaced` has nothing to do."""

_ESCAPED = re.compile(r"\\([{}|])")
_PLACE = re.compile(r"%([^%]{1,300})%")
_LINE_END = re.compile(r"[\n\r\u2028\u2029]|\Z")
_NO_FILE = re.compile(r'[/?<>\\:*|"\x00-\x1f\x7f]')
_DATE = re.compile(r"d{1,2}|M{1,2}|h{1,2}|m{1,2}|s{1,2}|y{2,4}")
_CLOCK = {"d": "%day%", "M": "%month%", "h": "%hour%", "m": "%minute%", "s": "%second%"}


def chosen(text: str) -> tuple[str, bool]:
    """*text* as the editor sends it: without comments, and with one of each ``{this|that}``.

    The editor draws one; the first is taken here. Returns the text, and whether there was a choice
    between several.
    """
    out: list[str] = []
    taking = [True]  # of each open brace: whether what stands in it is kept
    several = False
    left = iter(_without_comments(text))
    for char in left:
        kept = char
        if char == "\\":
            kept += next(left, "")
        elif char == "{":
            taking.append(taking[-1])
            continue
        elif len(taking) > 1 and char == "}":
            taking.pop()
            continue
        elif len(taking) > 1 and char == "|":
            several = several or taking[-2]
            taking[-1] = False
            continue
        if taking[-1]:
            out.append(kept)
    return _ESCAPED.sub(r"\1", "".join(out)), several


def _without_comments(text: str) -> str:
    out: list[str] = []
    at = 0
    while (start := text.find("/", at)) >= 0:
        out.append(text[at:start])
        at = start + 1
        end = text.find("*/", start + 2) if text.startswith("/*", start) else -1
        if end >= 0:
            at = end + 2
        elif text.startswith("//", start):
            found = _LINE_END.search(text, start)
            at = found.start() if found is not None else len(text)
        else:
            out.append("/")
            if text.startswith("/*", start):  # nothing ends it, nor any that comes later
                rest = text[at:]
                return "".join([*out, _without_line_comments(rest)])
    out.append(text[at:])
    return "".join(out)


def _without_line_comments(text: str) -> str:
    return re.sub(r"//[^\n\r\u2028\u2029]*", "", text)


def replaced(text: str, value_of: Callable[[str, str], object | None]) -> str:
    """The beginning of a file's name with the values that it names between signs of per cent.

    ``%KSampler.seed%`` becomes what *value_of* says of node and widget; ``%date:yyyy-MM-dd%``
    becomes what ComfyUI itself replaces by its clock; all else stays.
    """

    def one(match: re.Match[str]) -> str:
        told = match[1]
        if told.startswith("date:"):
            return _DATE.sub(lambda part: _CLOCK.get(part[0][0], "%year%"), told[5:])
        node, dot, widget = told.partition(".")
        value = value_of(node, widget) if dot and "." not in widget else None
        return match[0] if value is None else _NO_FILE.sub("_", _told(value))

    return _PLACE.sub(one, text)


def _told(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
