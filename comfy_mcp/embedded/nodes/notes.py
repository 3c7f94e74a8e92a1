"""What a saved file remembers: the graph it came from, and what the client added."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from comfy_mcp.embedded.nodes.base import Context

__all__ = ["notes"]


def notes(context: Context) -> dict[str, str]:
    """By name, each as JSON: ``prompt`` first."""
    extra = context.extra_pnginfo or {}
    return {"prompt": json.dumps(context.prompt)} | {
        key: json.dumps(value) for key, value in extra.items()
    }
