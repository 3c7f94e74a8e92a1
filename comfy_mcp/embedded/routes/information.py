"""What the host says of itself: nodes, models, version, features, log."""

from __future__ import annotations

import os
import platform
import sys
from typing import TYPE_CHECKING, Any

from aiohttp import web

from comfy_mcp.embedded.describe import described
from comfy_mcp.embedded.features import server_features
from comfy_mcp.embedded.models import FOLDERS

if TYPE_CHECKING:
    from comfy_mcp.embedded.engine import Engine
    from comfy_mcp.embedded.profiles import Profile

__all__ = ["internal", "routes"]

DEVICE = "embedded demo sampler (no GPU)"
PAGE = """<!doctype html><meta charset="utf-8"><title>Embedded demo host</title>
<body style="font-family: sans-serif; max-width: 40em; margin: 4em auto">
<h1>Embedded demo host</h1>
<p>This answers like ComfyUI and runs a few dozen of its nodes, without a GPU and without models.
Its sampler paints; it does not diffuse.</p>
"""


def routes(engine: Engine) -> list[web.RouteDef]:
    """The routes of this file."""
    handlers = _Information(engine)
    found = [
        web.get("/", handlers.page),
        web.get("/object_info", handlers.nodes),
        web.get("/object_info/{name}", handlers.node),
        web.get("/system_stats", handlers.stats),
        web.get("/models", handlers.model_folders),
        web.get("/models/{folder}", handlers.models),
        web.get("/embeddings", handlers.embeddings),
        *_empty(("/extensions", []), ("/settings", {}), ("/i18n", {})),
        *_empty(("/users", {"storage": "server", "migrated": True})),
    ]
    if engine.profile.feature_flags:
        found.append(web.get("/features", handlers.features))
    if engine.profile.node_replacement:
        found += _empty(("/node_replacements", {}))
    return found


def internal(engine: Engine) -> list[web.RouteDef]:
    """The routes that have no twin below /api."""

    async def log(_request: web.Request) -> web.Response:
        size = {"cols": 80, "rows": 24}
        return web.json_response({"entries": engine.log.entries(), "size": size})

    async def text(_request: web.Request) -> web.Response:
        told = "".join(f"{each['t']} - {each['m']}" for each in engine.log.entries())
        return web.json_response(told)

    async def files(request: web.Request) -> web.Response:
        kind = request.match_info["kind"]
        folder = engine.folders.of(kind)
        if folder is None:
            return web.json_response({"error": "Invalid directory type"}, status=400)
        shown = (each for each in folder.iterdir() if each.is_file())
        newest = sorted(shown, key=lambda each: -each.stat().st_mtime)
        return web.json_response([f"{each.name} [{kind}]" for each in newest])

    return [
        web.get("/internal/logs", text),
        web.get("/internal/logs/raw", log),
        web.get("/internal/files/{kind}", files),
    ]


class _Information:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def page(self, _request: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    async def nodes(self, _request: web.Request) -> web.Response:
        engine = self._engine
        told = {name: described(node, engine.folders) for name, node in engine.catalogue.items()}
        return web.json_response(told)

    async def node(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        node = self._engine.catalogue.get(name)
        told = {} if node is None else {name: described(node, self._engine.folders)}
        return web.json_response(told)

    async def model_folders(self, _request: web.Request) -> web.Response:
        return web.json_response(list(FOLDERS))

    async def models(self, request: web.Request) -> web.Response:
        folder = request.match_info["folder"]
        if folder not in FOLDERS:
            return web.Response(status=404)
        return web.json_response(list(FOLDERS[folder]))

    async def embeddings(self, _request: web.Request) -> web.Response:
        return web.json_response([])

    async def features(self, _request: web.Request) -> web.Response:
        return web.json_response(server_features(self._engine.profile))

    async def stats(self, _request: web.Request) -> web.Response:
        return web.json_response(_stats(self._engine.profile))


def _stats(profile: Profile) -> dict[str, Any]:
    total, free = _memory()
    device = {
        "name": DEVICE,
        "type": "cpu",
        "index": None,
        "vram_total": total,
        "vram_free": free,
        "torch_vram_total": total,
        "torch_vram_free": free,
    }
    system: dict[str, Any] = {
        "os": sys.platform if profile.since("0.4.0") else os.name,
        "ram_total": total,
        "ram_free": free,
        "comfyui_version": profile.version,
        "required_frontend_version": None,
        "installed_templates_version": None,
        "required_templates_version": None,
        "python_version": platform.python_version(),
        "pytorch_version": "none (embedded)",
        "embedded_python": False,
        "argv": ["embedded"],
    }
    if profile.since("0.19.0"):
        system |= {"comfy_package_versions": [], "deploy_environment": "embedded"}
    if profile.cloud:
        system["cloud_version"] = "embedded"
    return {"system": system, "devices": [device]}


def _memory() -> tuple[int, int]:
    """Bytes of memory, all and free; zeros where the system does not tell."""
    names = ("SC_PAGE_SIZE", "SC_PHYS_PAGES", "SC_AVPHYS_PAGES")
    if any(name not in getattr(os, "sysconf_names", {}) for name in names):
        return 0, 0
    page, pages, free = (os.sysconf(name) for name in names)
    return page * pages, page * free


def _empty(*answers: tuple[str, Any]) -> list[web.RouteDef]:
    """Routes that always say the same."""

    def fixed(content: Any) -> Any:
        async def answer(_request: web.Request) -> web.Response:
            return web.json_response(content)

        return answer

    return [web.get(path, fixed(content)) for path, content in answers]
