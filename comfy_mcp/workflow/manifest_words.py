"""What is wrong with a manifest, told so that whoever wrote it can mend it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, get_args

from comfy_mcp.workflow.accept import Kind
from comfy_mcp.workflow.flaws import listed, nearest, sentence, shown

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

__all__ = ["fault_in_words"]

KINDS: tuple[str, ...] = get_args(Kind)

MEANT: Mapping[str, str] = MappingProxyType(
    {
        "str": "string",
        "text": "string",
        "int": "integer",
        "float": "number",
        "bool": "boolean",
        "enum": "choice",
        "combo": "choice",
    }
)
"""Names of types elsewhere, and what they are here."""

UNIONS: Mapping[str, str] = MappingProxyType(
    {
        "default": "must be a text, a number, or true or false",
        "min": "must be a number",
        "max": "must be a number",
    }
)
"""Fields of a parameter that take several types."""

NAME = "must be small letters, digits and _, beginning with a letter, at most 64 in all"

WORDS: Mapping[str, str] = MappingProxyType(
    {
        "string_type": "must be a text",
        "int_type": "must be a whole number",
        "tuple_type": "must be a list",
        "model_type": "must be an object",
        "string_pattern_mismatch": NAME,
        "string_too_short": "must have at least {min_length} characters",
        "string_too_long": "must have at most {max_length} characters",
        "too_short": "must have at least {min_length} in it",
        "too_long": "must have at most {max_length} in it",
        "greater_than_equal": "must be at least {ge}",
        "less_than_equal": "must be at most {le}",
    }
)
"""By pydantic's name of a fault; what is not here is told in its words."""


def fault_in_words(fault: ErrorDetails, fields: Mapping[int, Sequence[str]]) -> str:
    """One sentence: where it is, and what must be there.

    *fields* are the names of what may stand at a place, by how many steps lead to it.
    """
    place = fault["loc"]
    # After the field's name pydantic has the type that it tried.
    several = UNIONS.get(str(place[2])) if len(place) > 3 else None  # noqa: PLR2004 - parameters.0.default.int
    if several is not None:
        return sentence(f"{_where(place[:3])}: {several}")
    return sentence(f"{_where(place)}: {_words(fault, fields.get(len(place), ()))}")


def _where(place: Sequence[int | str]) -> str:
    return ".".join(shown(str(part)) for part in place) or "manifest"


def _words(fault: ErrorDetails, fields: Sequence[str]) -> str:
    kind, said = fault["type"], fault["input"]
    if kind == "literal_error":
        return f"must be one of: {listed(KINDS)}; not {_quoted(said)}{_meant(said)}"
    if kind == "extra_forbidden":
        name = str(fault["loc"][-1])
        close = nearest(name, fields)
        return (
            f"there is no such key; did you mean {close}?"
            if close
            else (f"there is no such key. There are: {listed(fields)}" if fields else "no such key")
        )
    known: Mapping[str, Any] = fault.get("ctx") or {}
    words = WORDS.get(kind)
    return words.format_map(known) if words else fault["msg"].removeprefix("Value error, ")


def _quoted(value: object) -> str:
    return f'"{shown(value)}"' if isinstance(value, str) else "that"


def _meant(value: object) -> str:
    if not isinstance(value, str):
        return ""
    name = value.casefold()[:64]
    close = MEANT.get(name) or nearest(name, KINDS)
    return f'; did you mean "{close}"?' if close else ""
