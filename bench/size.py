"""What the list of tools costs a model's context, in bytes of compact JSON."""

from __future__ import annotations

import json
from typing import Any

from bench.figures import Figure
from bench.pipe import MODERN, Pipe
from bench.places import OURS, Place

__all__ = ["measure"]

READ = ("name", "description", "inputSchema")
"""What clients put before a model; output schemas and hints stay with the client."""


def measure(place: Place) -> list[Figure]:
    """Bytes of what a model reads, and of that with output schemas."""
    with Pipe(OURS, place, MODERN) as pipe:
        pipe.greet()
        tools: list[dict[str, Any]] = pipe.ask("tools/list")["tools"]
    what = f"tools/list of {len(tools)} tools"
    return [
        Figure(f"{what}: as a model reads it", _bytes(tools, READ), "bytes", goal=24_000),
        Figure(f"{what}: with output schemas", _bytes(tools, (*READ, "outputSchema")), "bytes"),
        Figure(f"{what}: all of it", _bytes(tools, None), "bytes"),
    ]


def _bytes(tools: list[dict[str, Any]], keys: tuple[str, ...] | None) -> int:
    shown = [{k: v for k, v in tool.items() if keys is None or k in keys} for tool in tools]
    return len(json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode())
