"""What a parameter of each type takes: words on what is wrong with a value, or nothing."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from comfy_mcp.workflow.checks import kind_of
from comfy_mcp.workflow.flaws import listed, nearest, shown
from comfy_mcp.workflow.values import MAX_INT, MIN_INT, has_control, survey

__all__ = ["MAX_LENGTH", "MAX_SEED", "Kind", "Limits", "problem_with"]

Kind = Literal["string", "integer", "number", "boolean", "choice", "seed", "image"]

MAX_LENGTH = 20_000
MAX_SEED = MAX_INT
_MAX_FILE_NAME = 1024
_MAX_EXACT = 2**53
_NUMERAL = re.compile(r"-?[0-9]{1,16}(\.[0-9]{1,16})?")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a value has to keep within; None means no limit beyond that of the type."""

    min: float | None = None
    max: float | None = None
    max_length: int | None = None
    choices: tuple[str, ...] = ()


def problem_with(value: object, kind: Kind, limits: Limits) -> str | None:
    """Say what is wrong with *value* as "must ...", or None if the *kind* takes it."""
    return _CHECKS[kind](value, limits)


def _integer(value: object, limits: Limits) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return _wrong_type("an integer", value)
    return _range_problem(value, limits) or _range_problem(value, _ANY_INTEGER)


def _number(value: object, limits: Limits) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _wrong_type("a number", value)
    if isinstance(value, float) and not math.isfinite(value):
        return "must be a finite number, not NaN or Infinity"
    whole = _range_problem(value, _ANY_INTEGER) if isinstance(value, int) else None
    return _range_problem(value, limits) or whole


def _seed(value: object, _limits: Limits) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return _wrong_type("an integer", value)
    return _range_problem(value, _ANY_SEED)


def _boolean(value: object, _limits: Limits) -> str | None:
    return None if isinstance(value, bool) else _wrong_type("a boolean (true or false)", value)


def _string(value: object, limits: Limits) -> str | None:
    if not isinstance(value, str):
        return _wrong_type("a string", value)
    most = MAX_LENGTH if limits.max_length is None else limits.max_length
    if len(value) > most:
        return f"must have at most {most} characters, not {len(value)}"
    _, fault = survey(value, len(value) + 2)
    return None if fault is None else f"must be Unicode text, but it {fault}"


def _choice(value: object, limits: Limits) -> str | None:
    if not isinstance(value, str):
        return _wrong_type("a string", value)
    if value in limits.choices:
        return None
    close = nearest(value, limits.choices)
    hint = f'; did you mean "{close}"?' if close else ""
    return f'must be one of: {listed(limits.choices)}; not "{shown(value)}"{hint}'


def _image(value: object, limits: Limits) -> str | None:
    most = _MAX_FILE_NAME if limits.max_length is None else limits.max_length
    fault = _string(value, Limits(max_length=most))
    if fault is not None or not isinstance(value, str):
        return fault
    if not value.strip() or has_control(value) or "\\" in value:
        return 'must be a file name such as "photo.png", without backslashes or control characters'
    # ComfyUI reads the mark without a space before it, too, and then cuts a character off the name.
    if value.rstrip().endswith(("[output]", "[temp]", "[input]")):
        return (
            "must be a file of ComfyUI's input folder, without a mark such as [output]; upload it"
        )
    if ".." in value or ":" in value or any(part in {"", "."} for part in value.split("/")):
        return (
            'must stay in ComfyUI\'s input folder: "name.png" or "folder/name.png", no ".." or ":"'
        )
    return None


def _wrong_type(wanted: str, value: object) -> str:
    hint = ""
    if isinstance(value, str) and "string" not in wanted and _NUMERAL.fullmatch(value):
        hint = f"; write {value} without quotes"
    elif isinstance(value, float) and value.is_integer() and abs(value) <= _MAX_EXACT:
        hint = f"; write {int(value)}, not {value}" if wanted == "an integer" else ""
    return f"must be {wanted}, not {kind_of(value)}{hint}"


def _range_problem(value: float, limits: Limits) -> str | None:
    low, high = limits.min, limits.max
    if (low is None or low <= value) and (high is None or value <= high):
        return None
    got = f", not {value}" if abs(value) <= MAX_INT or isinstance(value, float) else ""
    if low is None:
        return f"must be at most {high}{got}"
    if high is None:
        return f"must be at least {low}{got}"
    return f"must be between {low} and {high}{got}"


_ANY_INTEGER = Limits(min=MIN_INT, max=MAX_INT)
_ANY_SEED = Limits(min=0, max=MAX_SEED)

_CHECKS: dict[Kind, Callable[[object, Limits], str | None]] = {
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "choice": _choice,
    "seed": _seed,
    "image": _image,
}
