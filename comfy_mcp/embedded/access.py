"""Who may ask: ComfyUI's check against pages of other sites, for servers on loopback."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aiohttp import web

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler, Middleware

    from comfy_mcp.embedded.profiles import Profile

__all__ = ["access_check"]


def access_check(profile: Profile) -> Middleware:
    """Refuses what a browser sends on behalf of another site; answers OPTIONS itself."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        cross_site = request.headers.get("Sec-Fetch-Site") == "cross-site"
        if cross_site and profile.fetch_site_check:
            return web.Response(status=403)
        if _foreign(request.headers.get("Host"), request.headers.get("Origin")):
            return web.Response(status=403)
        if request.method == "OPTIONS":
            return web.Response()
        return await handler(request)

    return check


def _foreign(host: str | None, origin: str | None) -> bool:
    """Whether *origin* is another site than the loopback *host*.

    Raises:
        ValueError: a port is none, which ComfyUI answers with 500.
    """
    if host is None or origin is None:
        return False
    ours, theirs = urlsplit("//" + host.lower()), urlsplit(origin.lower())
    our_name: str | None = host.lower() if theirs.port is not None else ours.hostname
    their_name: str | None = theirs.netloc if ours.port is not None else theirs.hostname
    if not _loopback(ours.hostname) or not our_name or not their_name:
        return False
    return our_name != their_name


def _loopback(name: str | None) -> bool:
    if name == "localhost":
        return True
    try:
        return name is not None and ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
