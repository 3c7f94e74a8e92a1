"""JSON values that others wrote, read without trust: what is not of its kind is empty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

__all__ = ["items", "mapping", "objects"]


def mapping(value: object) -> Mapping[str, Any]:
    """*value* if it is an object, else an empty one."""
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def items(value: object) -> list[object]:
    """*value* if it is a list, else an empty one."""
    return list(cast("list[object]", value)) if isinstance(value, list | tuple) else []


def objects(value: object) -> list[Mapping[str, Any]]:
    """The objects in *value* if it is a list."""
    return [cast("Mapping[str, Any]", one) for one in items(value) if isinstance(one, Mapping)]
