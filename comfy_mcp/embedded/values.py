"""What came as JSON, told apart."""

from __future__ import annotations

import uuid
from typing import Any, TypeGuard

__all__ = ["as_list", "as_object", "canonical"]


def as_object(value: object) -> dict[str, Any] | None:
    """The value if it is a JSON object."""
    return value if _is_object(value) else None


def as_list(value: object) -> list[Any] | None:
    """The value if it is a JSON list."""
    return value if _is_list(value) else None


def canonical(value: object) -> bool:
    """Whether *value* is a UUID in its canonical lowercase form."""
    try:
        return isinstance(value, str) and str(uuid.UUID(value)) == value
    except ValueError:
        return False


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)
