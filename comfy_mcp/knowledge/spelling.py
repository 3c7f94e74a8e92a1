"""Names, types and numbers that a host tells, as they may be shown: exact, and bounded."""

from __future__ import annotations

import math

from comfy_mcp.quoting import plain, quote

__all__ = ["NAME", "kind_in_words", "name_as_it_is", "number_or_none"]

NAME = 200
"""Characters of a name; nothing that can be used has a longer one."""

WIDEST = 60
"""Characters of a type: one that takes many file formats names them all."""


def name_as_it_is(text: str) -> str:
    """A name exactly as it is, less what nobody would see."""
    if len(text) <= NAME and text.isascii() and text.isprintable():
        return text
    return quote(text, NAME, exact=True).text


def kind_in_words(kind: str) -> str:
    """A type; of very many in one the first and how many there are."""
    several = kind.split(",")
    if len(kind) <= WIDEST or len(several) == 1:
        return plain(kind, WIDEST)
    return f"{plain(several[0], WIDEST)},... ({len(several)} types)"


def number_or_none(value: object) -> float | int | None:
    """*value* if it is a number that JSON has."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) else None
