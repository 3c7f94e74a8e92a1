"""A large JSON object, one member after the other.

Python reads a JSON text without ever letting go of the interpreter: in a thread, too, one of 30 MB
holds up everybody for half a second. Read member by member, nobody waits for more than one of them,
and no more than one is held as dictionaries.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

__all__ = ["members"]

_DECODER = json.JSONDecoder()
_SOMETHING = re.compile(r"[^ \t\n\r]|\Z")


def members(text: str) -> Iterator[tuple[str, Any]]:
    """The names and values of the object that *text* is, in their order.

    Raises:
        ValueError: it is no such text; what came before the fault was yielded.
        RecursionError: a value is too deep.
    """
    at = _after(text, _blank(text, 0), "{")
    more = text[at : at + 1] != "}"
    while more:
        name, at = _DECODER.raw_decode(text, at)
        if not isinstance(name, str):
            raise ValueError("a member has no name")  # noqa: TRY004 - of the text, not of a caller
        value, at = _DECODER.raw_decode(text, _after(text, _blank(text, at), ":"))
        yield name, value
        at = _blank(text, at)
        more = text[at : at + 1] == ","
        at = _blank(text, at + 1) if more else at
    if _blank(text, _after(text, at, "}")) != len(text):
        raise ValueError("something follows the object")


def _blank(text: str, at: int) -> int:
    """Where what is no white space begins, from *at* on."""
    found = _SOMETHING.search(text, at)
    return len(text) if found is None else found.start()


def _after(text: str, at: int, sign: str) -> int:
    """Where what follows *sign*, which has to be at *at*, begins."""
    if text[at : at + 1] != sign:
        raise ValueError(f"no {sign} where one has to be")
    return _blank(text, at + 1)
