"""Which inputs of a failed node are worth telling: short plain values, never secrets or pictures.

``current_inputs`` of an ``execution_error`` has all of them, as ``{name: [values]}``: several
values where ComfyUI runs a node once for each element. Tensors and models stand there as Python
prints them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import cast

from comfy_mcp.host.cleaning import clean, cut, private, word

__all__ = ["MAX_INPUTS", "told_inputs"]

MAX_INPUTS = 8
MAX_VALUE = 100
MAX_ELEMENTS = 3
TELLING = 3
"""Characters: a shorter value is in many messages by chance."""

_MOST_LOOKED_AT = 200
"""Inputs: a node that takes any number of them can have thousands."""

_NO_VALUE = re.compile(r"tensor\(|\barray\(|\bat 0x[0-9a-f]+|^<[\w.]+|^[\[{(].*<")
"""What Python prints for something that is no plain value."""


def told_inputs(current: object, message: str) -> dict[str, str]:
    """At most eight inputs as text, those that *message* mentions first."""
    if not isinstance(current, Mapping):
        return {}
    given = cast("Mapping[object, object]", current)
    told = [
        (name, value)
        for name, values in list(given.items())[:_MOST_LOOKED_AT]
        if isinstance(name, str) and not private(name) and (value := _value(values)) is not None
    ]
    told.sort(key=lambda pair: not _mentioned(pair, message))
    return {word(name): value for name, value in told[:MAX_INPUTS]}


def _value(values: object) -> str | None:
    elements = cast("list[object]", values) if isinstance(values, list) else [values]
    texts = [_text(one) for one in elements[:MAX_ELEMENTS]]
    plain = [text for text in texts if text is not None]
    if not plain or len(plain) < len(texts):
        return None
    more = len(elements) - len(plain)
    return cut(", ".join(plain), MAX_VALUE) + (f" and {more} more" if more else "")


def _text(value: object) -> str | None:
    """A number or a short text; None for what is neither."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return word(value)
    if not isinstance(value, str) or len(value) > MAX_VALUE or _NO_VALUE.search(value):
        return None
    return clean(value, MAX_VALUE)


def _mentioned(pair: tuple[str, str], message: str) -> bool:
    """Whether *message* has the name or the value as words of their own."""
    name, value = pair
    words = [name, *([value] if len(value) >= TELLING else [])]
    return any(re.search(rf"(?<!\w){re.escape(one)}(?!\w)", message) for one in words)
