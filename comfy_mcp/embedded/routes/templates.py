"""Workflows that come with ComfyUI, and with custom node packs: /templates, /workflow_templates.

The core ones are whatever JSON files are in the folder ``templates`` of the host; without it the
package is as good as not installed. A pack's are in ``custom_nodes/PACK/example_workflows``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from comfy_mcp.embedded.answers import FileAnswer
from comfy_mcp.embedded.paths import lexically

if TYPE_CHECKING:
    from pathlib import Path

    from comfy_mcp.embedded.engine import Engine

__all__ = ["routes", "static"]

FOLDERS = ("example_workflows", "example", "examples", "workflow", "workflows")
"""Where a pack may keep them."""


def routes(engine: Engine) -> list[web.RouteDef]:
    """The routes that also answer below /api."""
    return [web.get("/workflow_templates", _Templates(engine).packs)]


def static(engine: Engine) -> list[web.RouteDef]:
    """The routes that answer under one address only."""
    handlers = _Templates(engine)
    return [
        web.get("/templates/{path:.*}", handlers.core),
        web.get("/api/workflow_templates/{pack}/{path:.*}", handlers.of_pack),
    ]


class _Templates:
    def __init__(self, engine: Engine) -> None:
        base = engine.folders.output.parent
        self._core = base / "templates"
        self._packs = base / "custom_nodes"

    async def packs(self, _request: web.Request) -> web.Response:
        found = await asyncio.to_thread(self._listed)
        return web.json_response(found)

    def _listed(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for folder in FOLDERS:
            for path in sorted(self._packs.glob(f"*/{folder}/*.json")):
                found.setdefault(path.parent.parent.name, []).append(path.stem)
        return found

    async def core(self, request: web.Request) -> web.StreamResponse:
        return _file(self._core, request.match_info["path"])

    async def of_pack(self, request: web.Request) -> web.StreamResponse:
        pack, path = request.match_info["pack"], request.match_info["path"]
        folders = (lexically(self._packs, pack, folder) for folder in FOLDERS)
        there = [each for each in folders if each is not None and each.is_dir()]
        for folder in there:
            try:
                return _file(folder, path)
            except web.HTTPNotFound:
                continue
        raise web.HTTPNotFound


def _file(folder: Path, name: str) -> FileAnswer:
    path = lexically(folder, name)
    if path is None or not path.is_file():
        raise web.HTTPNotFound
    return FileAnswer(path)
