"""Notes every request that comes in, for tests that ask what a host saw."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aiohttp import web

from comfy_mcp.embedded.answers import bare
from comfy_mcp.embedded.credential import credential
from comfy_mcp.embedded.seen import Seen

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler, Middleware

    from comfy_mcp.embedded.host import EmbeddedHost

__all__ = ["watcher"]


def watcher(host: EmbeddedHost) -> Middleware:
    """Tells *host* of each request before it is handled."""

    @web.middleware
    async def watch(request: web.Request, handler: Handler) -> web.StreamResponse:
        keyed = credential(request) is not None
        host.saw(Seen(request.method, bare(request.path), await _body(request), keyed))
        return await handler(request)

    return watch


async def _body(request: web.Request) -> Any:
    """The parsed body; a form is left for its handler to read, which can be done only once."""
    if not request.can_read_body or request.content_type.startswith("multipart/"):
        return None
    try:
        return json.loads(await request.read())
    except ValueError:
        return None
