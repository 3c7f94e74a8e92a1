"""Which request Comfy Cloud answers by what: below /api only, but for the websocket."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from comfy_mcp.embedded.credential import refused
from comfy_mcp.embedded.models import FOLDERS
from comfy_mcp.embedded.routes import (
    cloud_files,
    cloud_jobs,
    cloud_queues,
    information,
    prompts,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from comfy_mcp.embedded.engine import Engine

__all__ = ["build_routes"]

KEPT = frozenset(
    {"/prompt", "/object_info", "/features", "/system_stats", "/workflow_templates", "/settings"}
)
"""ComfyUI's own routes that the cloud has as well."""


def build_routes(
    engine: Engine, storage: cloud_files.Storage, address: Callable[[], str]
) -> list[web.RouteDef]:
    """All routes; *address*: where its storage listens."""
    own = [*prompts.routes(engine), *information.routes(engine)]
    kept = [
        web.route(each.method, f"/api{each.path}", each.handler, **each.kwargs)
        for each in own
        if each.path in KEPT
    ]
    listen = [each for each in own if each.path == "/ws"]
    return [
        *listen,
        *kept,
        *cloud_jobs.routes(engine),
        *cloud_queues.routes(engine),
        *cloud_files.routes(engine.folders, storage, address),
        web.get("/api/experiment/models", _models),
        web.get("/api/user", _user),
        web.route("*", "/{path:.*}", _unknown),
    ]


async def _models(_request: web.Request) -> web.Response:
    return web.json_response([{"name": name, "folders": [name]} for name in FOLDERS])


async def _user(_request: web.Request) -> web.Response:
    return web.json_response({"status": "active"})


async def _unknown(_request: web.Request) -> web.Response:
    return refused(HTTPStatus.NOT_FOUND, "Not found")
