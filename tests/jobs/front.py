"""A proxy before a ComfyUI that keeps the answers to submits back until it is told to let go."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

__all__ = ["Front"]


@dataclass
class Front:
    """Hands on to the ComfyUI at *behind*, but no websocket; listens at *url*."""

    behind: str
    session: aiohttp.ClientSession
    url: str = ""
    let_go: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer as ComfyUI does, but a submit only when it may be."""
        if request.path == "/ws":
            return web.Response(status=404)
        async with self.session.request(
            request.method, f"{self.behind}{request.path_qs}", data=await request.read()
        ) as told:
            body = await told.read()
        if (request.method, request.path) == ("POST", "/api/prompt"):
            await self.let_go.wait()
        return web.Response(status=told.status, body=body, content_type=told.content_type)
