"""What a path of a policy may name: the spaces, their fields, and of what type each is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from comfy_mcp.guard.policy import Path

__all__ = ["FIELDS", "SPACES", "Field", "Type", "type_at"]


class Type(StrEnum):
    """What is found at a path, in words for people."""

    NUMBER = "a number"
    FLAG = "true or false"
    TEXT = "a text"
    TEXTS = "a list of texts"
    MODELS = "a list of models for each folder (graph.models.checkpoints)"


@dataclass(frozen=True, slots=True)
class Field:
    """One field; *words* are all texts it can ever have, if they are few."""

    type: Type
    words: frozenset[str] = frozenset()


_GRAPH = {
    **dict.fromkeys(
        (
            *("steps", "total_steps", "width", "height", "megapixels", "batch", "frames"),
            *("nodes", "bytes", "queue_depth", "estimated_seconds"),
        ),
        Field(Type.NUMBER),
    ),
    **dict.fromkeys(
        ("node_classes", "unknown_classes", "output_prefixes", "api_nodes", "job_files"),
        Field(Type.TEXTS),
    ),
    "models": Field(Type.MODELS),
    "front": Field(Type.FLAG),
}

FIELDS: Mapping[str, Mapping[str, Field]] = {
    "graph": _GRAPH,
    "job": {"owner": Field(Type.TEXT, frozenset({"mine", "other agent", "human"}))},
    "grant": {
        "id": Field(Type.TEXT),
        "tags": Field(Type.TEXTS),
        "transport": Field(Type.TEXT),
    },
    "time": {
        "hour": Field(Type.NUMBER),
        "minute": Field(Type.NUMBER),
        "weekday": Field(Type.TEXT, frozenset({"mon", "tue", "wed", "thu", "fri", "sat", "sun"})),
        "date": Field(Type.TEXT),
        "utc_hour": Field(Type.NUMBER),
    },
}
"""The fields of each space; the arguments of a call (``args``) can be anything."""

SPACES = frozenset({"args", "gpu", *FIELDS})
"""What a path may begin with; ``gpu`` is another word for ``graph``."""


def type_at(path: Path) -> Field | None:
    """What is at *path*, whose field exists; None if that can be anything.

    Raises:
        LookupError: nothing can ever be there.
    """
    fields = FIELDS.get(path.space)
    if fields is None:
        return None
    name, *rest = path.steps
    field = fields[str(name)]
    if field.type is Type.MODELS:
        return _models(rest)
    if not rest:
        return field
    if field.type is Type.TEXTS and len(rest) == 1 and not isinstance(rest[0], str):
        return Field(Type.TEXT)
    raise LookupError


def _models(steps: list[str | int | None]) -> Field:
    """Below ``graph.models``: the names in one folder, as a list or one by one."""
    if not steps:
        return Field(Type.MODELS)
    folder, *rest = steps
    if isinstance(folder, str) and not rest:
        return Field(Type.TEXTS)
    if isinstance(folder, str) and len(rest) == 1 and not isinstance(rest[0], str):
        return Field(Type.TEXT)
    raise LookupError
