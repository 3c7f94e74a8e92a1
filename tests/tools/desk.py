"""A client at a server, and what tests say to it and ask of the host."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcp import Client

from comfy_mcp.embedded import EmbeddedHost
from comfy_mcp.guard.catalog import TOOLS
from comfy_mcp.server import Services

WORKFLOWS = Path(__file__).parent.parent / "fixtures" / "workflows"

EVERYTHING: dict[str, Any] = {
    "version": "1",
    "default": "deny",
    "tools": {name: {} for name in TOOLS},
}


@dataclass
class Desk:
    """One client at one server; *services* is what stands behind it."""

    client: Client
    services: Services
    progress: list[tuple[float, str]] = field(default_factory=list)

    async def call(self, tool: str, **arguments: Any) -> Any:
        """Call a tool; the raw result."""

        async def heard(value: float, _total: float | None, words: str | None) -> None:
            self.progress.append((value, words or ""))

        return await self.client.call_tool(tool, arguments, progress_callback=heard)

    async def ask(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool that has to succeed; its structured content."""
        result = await self.call(tool, **arguments)
        assert not result.is_error, result.content
        return result.structured_content

    async def refusal(self, tool: str, **arguments: Any) -> tuple[str, dict[str, Any]]:
        """Call a tool that has to fail; its words, and the object that goes with them."""
        result = await self.call(tool, **arguments)
        assert result.is_error, result.structured_content
        assert result.structured_content is None
        if len(result.content) == 1:
            return result.content[0].text, {}
        return result.content[0].text, json.loads(result.content[1].text)


Sit = Callable[..., AbstractAsyncContextManager[Desk]]


def graph(name: str) -> dict[str, Any]:
    """One of the workflows that a ComfyUI runs without models."""
    return json.loads((WORKFLOWS / f"{name}.json").read_text())


def card(color: int, prefix: str = "card") -> dict[str, Any]:
    """A small picture in one colour: quick, and cached by nobody else's colour."""
    values = {"width": 64, "height": 64, "batch_size": 1, "color": color}
    return {
        "1": {"class_type": "EmptyImage", "inputs": values},
        "2": {
            "class_type": "SaveImage",
            "inputs": {"images": ["1", 0], "filename_prefix": prefix},
        },
    }


def sent(host: EmbeddedHost) -> list[str]:
    """Every request that could change something."""
    return [f"{seen.method} {seen.path}" for seen in host.seen if seen.method != "GET"]
