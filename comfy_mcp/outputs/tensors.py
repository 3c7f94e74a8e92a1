"""Latents and other tensors in the safetensors format, by their headers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from comfy_mcp.outputs.seen import Seen

__all__ = ["header", "look_at_tensors"]

MAX_HEADER = 4 * 1024 * 1024
"""Bytes of a header that are read."""

LISTED = 20
"""Tensors that are told."""

_NOTES = "__metadata__"

_LENGTH = 8


def look_at_tensors(data: bytes) -> Seen:
    """Names, shapes and types of the first tensors, and how many there are."""
    found = header(data)
    facts: dict[str, object] = {"bytes": len(data)}
    if found is None:
        return Seen({**facts, "note": "It is no safetensors file, so nothing more is known of it."})
    names = [name for name in found if name != _NOTES]
    facts["tensors"] = len(names)
    facts["first"] = [told for name in names[:LISTED] if (told := _told(name, found[name]))]
    return Seen(facts)


def header(data: bytes) -> Mapping[str, Any] | None:
    """The JSON header of a safetensors file; None if it is none."""
    length = int.from_bytes(data[:_LENGTH], "little")
    if len(data) < _LENGTH or not 0 < length <= min(MAX_HEADER, len(data) - _LENGTH):
        return None
    try:
        found: object = json.loads(data[_LENGTH : _LENGTH + length])
    except (ValueError, RecursionError):
        return None
    return cast("Mapping[str, Any]", found) if isinstance(found, dict) else None


def _told(name: str, entry: object) -> str | None:
    if not isinstance(entry, dict):
        return None
    told = cast("dict[str, Any]", entry)
    shape, kind = told.get("shape"), told.get("dtype")
    if not isinstance(shape, list) or not isinstance(kind, str):
        return None
    sides = "x".join(str(side) for side in cast("list[object]", shape)[:8])
    return f"{name[:80]}: {sides[:80]} {kind[:16]}"
