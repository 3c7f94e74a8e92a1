"""Who may ask Comfy Cloud: whoever brings the key, and anybody for what is public."""

from __future__ import annotations

import hmac
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler, Middleware

__all__ = ["credential", "key_check", "refused"]

PUBLIC = frozenset({"/api/system_stats"})


def credential(request: web.Request) -> str | None:
    """The key that came along: in X-API-Key, as a bearer or, for a websocket, in ?token=."""
    bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
    return request.headers.get("X-API-Key") or bearer or request.query.get("token") or None


def key_check(key: str) -> Middleware:
    """Lets only requests with that *key* through."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        told = credential(request) or ""
        if request.path in PUBLIC or hmac.compare_digest(told.encode(), key.encode()):
            return await handler(request)
        return refused(HTTPStatus.UNAUTHORIZED, "Authentication required")

    return check


def refused(status: HTTPStatus, message: str) -> web.Response:
    """An error as all routes but POST /prompt tell it."""
    return web.json_response({"code": status.name, "message": message}, status=status)
