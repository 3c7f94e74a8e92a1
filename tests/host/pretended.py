"""A ComfyUI that is only what it says of its node classes and models, and questions to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from comfy_mcp.host.client import ComfyHost
from comfy_mcp.workflow import Asked, ClassInfo

__all__ = ["LISTS", "Pretended", "learnt", "told"]

LISTS = {
    "checkpoints": ["a.safetensors", "sub/b.ckpt"],
    "loras": ["c.safetensors"],
    "twins": ["d.pth"],
    "upscale_models": ["d.pth"],
    "empty": [],
}


@dataclass
class Pretended:
    """A ComfyUI that has these classes and models and nothing else."""

    classes: dict[str, Any] = field(default_factory=dict[str, Any])
    models: dict[str, Any] = field(default_factory=dict[str, Any])
    replaced: Any = None

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """Its answer."""
        route, _, name = request.raw_path.removeprefix("/api/").partition("/")
        name = unquote(name)
        if route == "object_info":
            return web.json_response({name: self.classes[name]} if name in self.classes else {})
        if route == "models" and not name:
            return web.json_response(list(self.models))
        if route == "models" and name in self.models:
            return web.json_response(self.models[name])
        if route == "node_replacements" and self.replaced is not None:
            return web.json_response(self.replaced)
        return web.Response(status=404)


def told(required: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A class as ComfyUI tells it."""
    return {"input": {"required": required or {}}, "python_module": "nodes", **more}


async def learnt(host: ComfyHost, *names: str) -> Mapping[str, ClassInfo | None]:
    """What the host says of these classes."""
    return (await host.known(Asked(classes=frozenset(names)))).classes
