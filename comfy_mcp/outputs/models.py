"""Files of 3D models, by their headers: how much is in a GLB."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any, cast

from comfy_mcp.outputs.seen import Seen

__all__ = ["look_at_model"]

MAX_HEADER = 8 * 1024 * 1024
"""Bytes of a GLB's JSON that are read."""

MAX_PARTS = 100_000
"""Primitives whose vertices are counted."""

_COUNTED = ("meshes", "materials", "textures", "animations", "nodes")

_TRIANGLES = 4


def look_at_model(data: bytes) -> Seen:
    """Meshes, vertices, triangles of a GLB or glTF; of other models nothing but the size."""
    scene = _scene(data)
    if scene is None:
        return Seen({"bytes": len(data)})
    facts: dict[str, object] = {
        name: len(cast("list[object]", found))
        for name in _COUNTED
        if isinstance(found := scene.get(name), list) and found
    }
    vertices, triangles = _amounts(scene)
    return Seen({"bytes": len(data), **facts, "vertices": vertices, "triangles": triangles})


def _scene(data: bytes) -> Mapping[str, Any] | None:
    text = _json_chunk(data) if data[:4] == b"glTF" else data
    if text is None or len(text) > MAX_HEADER or text.lstrip()[:1] != b"{":
        return None
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return cast("Mapping[str, Any]", found) if isinstance(found, dict) else None


def _json_chunk(data: bytes) -> bytes | None:
    try:
        length, kind = struct.unpack_from("<I4s", data, 12)
    except struct.error:
        return None
    if kind != b"JSON" or length > min(MAX_HEADER, len(data)):
        return None
    return data[20 : 20 + length]


def _amounts(scene: Mapping[str, Any]) -> tuple[int, int]:
    accessors = _items(scene, "accessors")
    vertices = triangles = 0
    parts = (part for mesh in _items(scene, "meshes") for part in _items(mesh, "primitives"))
    for part, _ in zip(parts, range(MAX_PARTS), strict=False):
        attributes: Any = part.get("attributes")
        points = 0
        if isinstance(attributes, dict):
            points = _count(accessors, cast("dict[str, Any]", attributes).get("POSITION"))
        vertices += points
        if part.get("mode", _TRIANGLES) == _TRIANGLES:
            triangles += (_count(accessors, part.get("indices")) or points) // 3
    return vertices, triangles


def _items(holder: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = holder.get(name)
    items = cast("list[object]", found) if isinstance(found, list) else []
    return [cast("dict[str, Any]", item) for item in items if isinstance(item, dict)]


def _count(accessors: list[dict[str, Any]], place: object) -> int:
    if not isinstance(place, int) or not 0 <= place < len(accessors):
        return 0
    count = accessors[place].get("count")
    return count if isinstance(count, int) and count > 0 else 0
