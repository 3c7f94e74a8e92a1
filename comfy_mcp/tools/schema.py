"""Schemas as short as they can be said: a model reads them at every start."""

from __future__ import annotations

from typing import Any, cast

__all__ = ["slim"]

NAMES = frozenset({"properties", "$defs"})
"""Keywords whose keys are names chosen by us, not keywords."""


def slim(schema: Any) -> Any:
    """*schema* without generated titles, and without the null that a missing value stands for.

    Results never hold a null (what is not known is left out), so ``X or null, default null`` says
    no more than ``X`` does.
    """
    if isinstance(schema, list):
        return [slim(item) for item in cast("list[object]", schema)]
    if not isinstance(schema, dict):
        return schema
    found = {
        key: _named(content) if key in NAMES else slim(content)
        for key, content in cast("dict[str, Any]", schema).items()
        if not (key == "title" and isinstance(content, str))
    }
    return _without_null(found)


def _named(schemas: dict[str, Any]) -> dict[str, Any]:
    return {name: slim(schema) for name, schema in schemas.items()}


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    options = schema.get("anyOf")
    if not isinstance(options, list) or schema.get("default", ...) is not None:
        return schema
    rest = [one for one in cast("list[object]", options) if one != {"type": "null"}]
    if len(rest) != 1 or not isinstance(rest[0], dict):
        return schema
    own = {key: value for key, value in schema.items() if key not in {"anyOf", "default"}}
    return {**cast("dict[str, Any]", rest[0]), **own}
