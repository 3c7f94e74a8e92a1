"""Patterns over text: RE2 expressions and globs. Neither can take longer than the text is long."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable
from functools import lru_cache

import re2

__all__ = ["BadPattern", "any_glob", "regex"]

_MANY = 4096
_OPTIONS = re2.Options()
# RE2 would write its own complaints to stderr.
_OPTIONS.log_errors = False


class BadPattern(ValueError):
    """A text that RE2 does not read; the message is a clause that says why and where."""


def regex(pattern: str) -> Callable[[str], bool]:
    """Whether *pattern* is found anywhere in a text (which has no half surrogate pairs).

    ``^`` and ``$`` mean the ends of the text, and ``.`` no line break, unless flags say otherwise.

    Raises:
        BadPattern: RE2 does not read *pattern*.
    """
    try:
        compiled = re2.compile(pattern, options=_OPTIONS)
    except re2.error as error:
        raise BadPattern(_explained(pattern, error)) from None
    return lambda text: compiled.search(text.encode()) is not None


def any_glob(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Whether one of *patterns* fits a whole text: ``*`` any characters, ``?`` exactly one.

    Everything else, brackets too, means itself, so that a pattern fits its own text.
    """
    every = frozenset(patterns)
    plain = frozenset(one for one in every if "*" not in one and "?" not in one)
    globs = tuple(_glob(one) for one in sorted(every - plain))
    return lambda text: text in plain or any(glob.match(text) for glob in globs)


@lru_cache(maxsize=_MANY)
def _glob(pattern: str) -> re.Pattern[str]:
    # What fnmatch makes of a glob looks back at nothing: one pass for each star.
    return re.compile(fnmatch.translate(pattern.replace("[", "[[]")))


def _explained(pattern: str, error: re2.error) -> str:
    said = error.args[0] if error.args else b""
    why = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    cause, colon, part = why.partition(": ")
    at = pattern.find(part) if colon and part else -1
    if at < 0:
        return why or "it is too large"
    return f'{cause} at "{part}", character {at + 1}'
