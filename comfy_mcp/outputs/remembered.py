"""The graph that a file of ComfyUI carries within itself.

Each format has a place of its own for it: PNG a ``tEXt`` chunk, animated PNG a ``comf`` chunk, WebP
its Exif, FLAC, Opus and WebM comments, MP3 a ``TXXX`` frame, MP4 its ``mdta`` keys. What they share
is the word ``prompt``, a few bytes of the format's own, and the graph as JSON; so that is looked
for. Whoever wrote the file may have written anything there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from comfy_mcp.outputs.tensors import header
from comfy_mcp.workflow import MAX_BYTES, MAX_NODES

__all__ = ["remembered_graph"]

MOST_PLACES = 50
"""Places that are tried; the word may stand in the graph itself."""

BETWEEN = 400
"""Bytes of a format between the word and the graph: MP4 has the names of all its values first."""

_NAMES = (b"prompt", b"PROMPT")

_BEGIN = re.compile(rb'\{\s*"')


def remembered_graph(data: bytes) -> dict[str, Any] | None:
    """The graph in API format that *data* carries; None if it carries none.

    Looks through the whole file: call it on a thread.
    """
    held = header(data)
    if held is not None:
        notes = held.get("__metadata__")
        said = cast("dict[str, Any]", notes).get("prompt") if isinstance(notes, dict) else None
        return _graph(said) if isinstance(said, str) else None
    for at in _places(data):
        found = _graph(data[at : at + MAX_BYTES].decode("utf-8", "replace"))
        if found is not None:
            return found
    return None


def _places(data: bytes) -> Iterator[int]:
    """Where JSON begins shortly after the word, each place once."""
    tried: set[int] = set()
    for name in _NAMES:
        at = data.find(name)
        while at >= 0 and len(tried) < MOST_PLACES:
            begin = at + len(name)
            for match in _BEGIN.finditer(data, begin, begin + BETWEEN):
                if match.start() not in tried:
                    tried.add(match.start())
                    yield match.start()
            at = data.find(name, begin)


def _graph(text: str) -> dict[str, Any] | None:
    try:
        value: object = json.JSONDecoder().raw_decode(text)[0]
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or not 0 < len(cast("dict[str, object]", value)) <= MAX_NODES:
        return None
    graph = cast("dict[str, Any]", value)
    return graph if all(map(_is_node, graph.values())) else None


def _is_node(value: object) -> bool:
    if not isinstance(value, Mapping):
        return False
    node = cast("Mapping[str, object]", value)
    return isinstance(node.get("class_type"), str) and isinstance(node.get("inputs"), Mapping)
