"""The queue, the history, and what stops or clears: plain ComfyUI, always answered with 200."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from comfy_mcp.embedded.engine import Engine

__all__ = ["routes"]


def routes(engine: Engine) -> list[web.RouteDef]:
    """The routes of this file."""
    handlers = _Queues(engine)
    return [
        web.get("/queue", handlers.show),
        web.post("/queue", handlers.change),
        web.post("/interrupt", handlers.interrupt),
        web.post("/free", handlers.free),
        web.get("/history", handlers.history),
        web.get("/history/{prompt_id}", handlers.entry),
        web.post("/history", handlers.forget),
    ]


class _Queues:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def show(self, _request: web.Request) -> web.Response:
        queue = self._engine.queue
        return web.json_response(
            {
                "queue_running": [item.shown() for item in queue.running],
                "queue_pending": [item.shown() for item in queue.pending],
            }
        )

    async def change(self, request: web.Request) -> web.Response:
        data = await request.json()
        if data.get("clear"):
            self._engine.queue.pending.clear()
            self._engine.queue_updated()
        for prompt_id in data.get("delete", ()):
            self._engine.dequeue(prompt_id)
        return web.Response()

    async def interrupt(self, request: web.Request) -> web.Response:
        try:
            data: Any = await request.json()
        except json.JSONDecodeError:
            data = {}
        prompt_id = data.get("prompt_id")
        if prompt_id and self._engine.profile.targeted_interrupt:
            self._engine.interrupt_if_running(prompt_id)
        else:
            self._engine.interrupt()
        return web.Response()

    async def free(self, request: web.Request) -> web.Response:
        data = await request.json()
        if data.get("free_memory", False):
            self._engine.free_memory = True
            self._engine.work.set()
        return web.Response()

    async def history(self, request: web.Request) -> web.Response:
        query = request.query
        most = int(query["max_items"]) if "max_items" in query else None
        offset = int(query["offset"]) if "offset" in query else -1
        return web.json_response(self._engine.queue.entries(most, offset))

    async def entry(self, request: web.Request) -> web.Response:
        prompt_id = request.match_info["prompt_id"]
        entry = self._engine.queue.history.get(prompt_id)
        return web.json_response({} if entry is None else {prompt_id: entry})

    async def forget(self, request: web.Request) -> web.Response:
        data = await request.json()
        history = self._engine.queue.history
        if data.get("clear"):
            history.clear()
        for prompt_id in data.get("delete", ()):
            history.pop(prompt_id, None)
        self._engine.changed()
        return web.Response()
