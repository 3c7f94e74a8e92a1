"""Where a run came from, as JSON that is kept with its job: to tell it, and to repeat it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from comfy_mcp.workflow.digest import digest
from comfy_mcp.workflow.facts import Facts
from comfy_mcp.workflow.graph import Graph
from comfy_mcp.workflow.manifest import Manifest

__all__ = ["INLINE", "MOST_BYTES", "base_digest", "models_of", "origin_text", "read_origin"]

INLINE = "inline"
"""In place of a name, of a graph that was given itself."""

MOST_BYTES = 2_000_000
"""Of an origin; what is longer is kept without what makes it long."""

MOST_MODELS = 200

HEAVY = ("graph", "manifest", "params", "values")
"""What is left out of an origin that is too long, in this order."""


def base_digest(graph: Graph, manifest: Manifest | None) -> str:
    """What a workflow is before its parameters are put in, and where they go.

    What they may be is not part of it: whoever puts them in anew holds to what is allowed then.
    """
    fills = [
        [one.name, sorted([target.node, target.input] for target in one.fills)]
        for one in (manifest.parameters if manifest is not None else ())
    ]
    return digest({"graph": graph.to_json(), "fills": fills})


def models_of(facts: Facts) -> dict[str, list[str]]:
    """The model files by folder, each once, the first of very many."""
    left = MOST_MODELS
    found: dict[str, list[str]] = {}
    for folder, used in facts.models.items():
        names = sorted({one.name for one in used})[:left]
        left -= len(names)
        if names:
            found[folder] = names
    return found


def origin_text(origin: Mapping[str, Any]) -> str:
    """*origin* as JSON of at most `MOST_BYTES`; what was left out stands under ``left_out``."""
    kept = dict(origin)
    left_out: list[str] = []
    text = _json(kept)
    for name in HEAVY:
        if len(text.encode()) <= MOST_BYTES:
            return text
        if kept.get(name):
            kept[name] = None
            left_out.append(name)
            text = _json({**kept, "left_out": left_out})
    return text if len(text.encode()) <= MOST_BYTES else ""


def read_origin(text: str) -> dict[str, Any] | None:
    """An origin as it was kept; None for what is none."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
