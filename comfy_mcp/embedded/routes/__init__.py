"""Which request is answered by what; every route also answers below /api."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from comfy_mcp.embedded.routes import files, information, jobs, prompts, queues, templates, userdata

if TYPE_CHECKING:
    from comfy_mcp.embedded.engine import Engine

__all__ = ["build_routes"]


def build_routes(engine: Engine) -> list[web.RouteDef]:
    """All routes that a ComfyUI of this version has; more specific ones first."""
    routes = [
        *prompts.routes(engine),
        *queues.routes(engine),
        *jobs.routes(engine),
        *files.routes(engine),
        *information.routes(engine),
        *userdata.routes(engine),
        *templates.routes(engine),
    ]
    mirrored = [
        web.route(each.method, "/api" + each.path, each.handler, **each.kwargs) for each in routes
    ]
    return [*mirrored, *routes, *templates.static(engine), *information.internal(engine)]
