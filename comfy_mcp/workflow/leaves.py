"""Texts in the inputs of a node, however deep they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

from comfy_mcp.workflow.graph import as_link

__all__ = ["objects", "texts"]

_SINGLE = (int, float, type(None))


def texts(inputs: Mapping[str, object]) -> Iterator[tuple[str, str, str]]:
    """Each text: the input it stands in, the innermost key it stands under, and itself."""
    for name, value in inputs.items():
        if isinstance(value, str):
            yield name, name, value
        elif not isinstance(value, _SINGLE) and as_link(value) is None:
            for key, text in _inside(name, value):
                yield name, key, text


def _inside(name: str, value: object) -> Iterator[tuple[str, str]]:
    waiting: list[tuple[str, object]] = [(name, value)]
    while waiting:
        key, item = waiting.pop()
        if isinstance(item, str):
            yield key, item
        elif isinstance(item, Mapping):
            waiting.extend(cast("Mapping[str, object]", item).items())
        elif isinstance(item, list | tuple):
            waiting.extend((key, each) for each in cast("list[object]", item))


def objects(inputs: Mapping[str, object]) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Each object: the input it stands in, and itself, however deep it is."""
    for name, value in inputs.items():
        waiting: list[object] = [] if isinstance(value, (str, *_SINGLE)) else [value]
        while waiting:
            item = waiting.pop()
            if isinstance(item, Mapping):
                each = cast("Mapping[str, object]", item)
                yield name, each
                waiting.extend(each.values())
            elif isinstance(item, list | tuple):
                waiting.extend(cast("list[object]", item))
