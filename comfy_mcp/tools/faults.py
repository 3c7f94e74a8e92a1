"""What is wrong with the arguments of a call, in the words of this server; pure.

Names and reasons only: a value may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from comfy_mcp.workflow.flaws import shown

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

__all__ = ["PATTERNS", "WORDS", "faults_in"]

MOST = 5

NAME = "must be small letters, digits, - and _, beginning with a letter or digit, at most 64 in all"
KEY = "must be 1 to 128 printable ASCII characters without spaces"
CURSOR = "must be the next_cursor of the page before"

PATTERNS: Mapping[str, str] = MappingProxyType(
    {
        r"^[a-z0-9][a-z0-9_-]{0,63}$": NAME,
        r"^[A-Za-z0-9_-]{1,64}$": "must be a prompt_id as run_workflow and list_jobs give it",
        r"^swp_[A-Za-z0-9]{1,60}$": "must be a sweep_id as run_sweep gives it (swp_...)",
        r"^apr_[0-9a-f]{16}$": "must be an approval_id as it was given (apr_...)",
        r"^[!-~]{1,128}$": KEY,
        r"^[0-9]{1,18}$": CURSOR,
        r"^[0-9]{1,4}$": CURSOR,
    }
)
"""What an argument with that pattern may be."""

WORDS: Mapping[str, str] = MappingProxyType(
    {
        "missing": "must be given",
        "string_type": "must be a text",
        "dict_type": "must be an object",
        "list_type": "must be a list",
        "int_type": "must be a whole number",
        "int_parsing": "must be a whole number",
        "int_from_float": "must be a whole number",
        "float_type": "must be a number",
        "float_parsing": "must be a number",
        "finite_number": "must be a finite number",
        "bool_type": "must be true or false",
        "bool_parsing": "must be true or false",
        "greater_than_equal": "must be at least {ge}",
        "less_than_equal": "must be at most {le}",
        "string_too_short": "must have at least {min_length} characters",
        "string_too_long": "must have at most {max_length} characters",
        "too_short": "must have at least {min_length} in it",
        "too_long": "must have at most {max_length} in it",
        "literal_error": "must be {expected}",
    }
)
"""By pydantic's name of a fault; what is not here is told in its words."""

BRANCH = re.compile(r"str|int|float|bool|dict|list|constrained-\w+|(?:dict|list)\[.*\]")
"""How pydantic names one of several types that an argument may have."""


def faults_in(error: ValidationError) -> str:
    """What is wrong: the first few arguments by name, each with its reason."""
    found: dict[str, list[ErrorDetails]] = {}
    for fault in error.errors(include_url=False, include_input=False):
        found.setdefault(str(fault["loc"][0]) if fault["loc"] else "", []).append(fault)
    told = dict.fromkeys(words for faults in found.values() for words in _told(faults))
    return "; ".join(list(told)[:MOST])


def _told(faults: list[ErrorDetails]) -> Iterator[str]:
    """Each fault of one argument; of several types that it may have, the one it comes near to."""
    branches = {str(fault["loc"][1]) for fault in faults if _is_branch(fault)}
    if not branches:
        yield from (_line(fault["loc"], [_words(fault)]) for fault in faults)
        return
    deepest = max(len(fault["loc"]) for fault in faults)
    near = [fault for fault in faults if len(fault["loc"]) == deepest]
    # What has the type of one of them is meant as that one.
    near = [fault for fault in near if not fault["type"].endswith("_type")] or near
    reasons: dict[tuple[int | str, ...], list[str]] = {}
    for fault in near:
        place = (fault["loc"][0], *fault["loc"][2:])
        reasons.setdefault(place, []).append(_words(fault))
    yield from (_line(place, words) for place, words in reasons.items())


def _is_branch(fault: ErrorDetails) -> bool:
    place = fault["loc"]
    return len(place) > 1 and BRANCH.fullmatch(str(place[1])) is not None


def _line(place: tuple[int | str, ...], reasons: Iterable[str]) -> str:
    first, *more = dict.fromkeys(reasons)
    rest = "".join(f" or {one.removeprefix('must be ')}" for one in more)
    return f"{'.'.join(shown(str(part)) for part in place)} {first}{rest}"


def _words(fault: ErrorDetails) -> str:
    known: Mapping[str, Any] = fault.get("ctx") or {}
    if fault["type"] == "string_pattern_mismatch":
        pattern = str(known["pattern"])
        return PATTERNS.get(pattern, f"must be as {pattern} says")
    words = WORDS.get(fault["type"])
    if words is None:
        return f"cannot be used: {fault['msg']}"
    return words.format_map({name: _plain(value) for name, value in known.items()})


def _plain(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value
