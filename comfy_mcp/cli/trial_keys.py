"""The keys of a file of tests, and what is wrong with a value of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from comfy_mcp.cli.arguments import nearest
from comfy_mcp.cli.times import read as read_time
from comfy_mcp.guard.question import Effect

__all__ = ["CALL", "EXPECTED", "NUMBERS", "OWNERS", "TOP", "Check"]

Check = Callable[[object], str | None]
"""Says what is wrong with a value; None: nothing."""

NUMBERS = frozenset(
    (
        *("steps", "total_steps", "width", "height", "megapixels", "batch", "frames"),
        *("nodes", "bytes"),
    )
)
"""Facts that a test may set."""

MAX_TIMES = 10_000
MAX_SECONDS = 10 * 365 * 86_400


def _text(value: object) -> str | None:
    return None if isinstance(value, str) and value else "it must be a text."


def _object(value: object) -> str | None:
    return None if isinstance(value, dict) else "it must be an object."


def _seconds(value: object) -> str | None:
    sound = isinstance(value, int | float) and not isinstance(value, bool)
    sound = sound and 0 <= cast("float", value) <= MAX_SECONDS
    return None if sound else "it must be a number of seconds."


def _whole(least: int, most: int) -> Check:
    def check(value: object) -> str | None:
        sound = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
        return None if sound else f"it must be a whole number from {least} to {most}."

    return check


def _one_of(*words: str) -> Check:
    def check(value: object) -> str | None:
        return None if value in words else f"it must be one of: {', '.join(words)}."

    return check


def _time(value: object) -> str | None:
    if not isinstance(value, str):
        return "it must be a text."
    try:
        read_time(value)
    except ValueError as error:
        return f"{error}."
    return None


def _numbers(value: object) -> str | None:
    if not isinstance(value, dict):
        return "it must be an object."
    for name, number in cast("dict[str, object]", value).items():
        if name not in NUMBERS:
            return f'there is no number "{name[:80]}". {nearest(name, sorted(NUMBERS))}'
        if not isinstance(number, int | float) or isinstance(number, bool) or number < 0:
            return f'"{name}" must be a number.'
    return None


def _names(value: object) -> str | None:
    names = cast("list[object]", value) if isinstance(value, list) else None
    sound = names is not None and all(isinstance(name, str) for name in names)
    return None if sound else "it must be a list of node classes."


OWNERS = {"mine": "mine", "other": "other agent", "other agent": "other agent", "human": "human"}

EXPECTED: Mapping[str, Check] = {
    "expect": _one_of(*(effect.value for effect in Effect)),
    "code": _text,
    "rule": _text,
    "retry_after_s": _seconds,
}

CALL: Mapping[str, Check] = {
    "tool": _text,
    "args": _object,
    "grant": _text,
    "owner": _one_of(*OWNERS),
    "at": _time,
    "after": _seconds,
    "times": _whole(1, MAX_TIMES),
    "queue_depth": _whole(0, 1_000_000),
    "facts": _numbers,
    "partner_nodes": _names,
    "job_seconds": _seconds,
    **EXPECTED,
}

TOP = ["$schema", "description", "policy", "tests"]
