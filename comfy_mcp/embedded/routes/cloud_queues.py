"""Comfy Cloud's older routes, all deprecated there: the queue, the interrupt, the history."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aiohttp import web

from comfy_mcp.embedded.credential import refused
from comfy_mcp.embedded.routes.cloud_jobs import CloudJobs
from comfy_mcp.embedded.values import as_object

if TYPE_CHECKING:
    from comfy_mcp.embedded.engine import Engine
    from comfy_mcp.embedded.queue import Item

__all__ = ["routes"]


def routes(engine: Engine) -> list[web.RouteDef]:
    """The routes of this file."""
    handlers = _Queues(engine)
    return [
        web.get("/api/queue", handlers.show),
        web.post("/api/queue", handlers.change),
        web.post("/api/interrupt", handlers.interrupt),
        web.get("/api/history_v2", handlers.history),
        web.get("/api/history_v2/{id}", handlers.entry),
        web.post("/api/history", handlers.forget),
    ]


class _Queues:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._jobs = CloudJobs(engine)

    async def show(self, _request: web.Request) -> web.Response:
        """Items in order, first place 1: another tuple than ComfyUI's, without extra_data."""
        queue = self._engine.queue
        places = [*queue.running, *sorted(queue.pending, key=lambda item: item[:2])]
        shown = [_shown(place, item) for place, item in enumerate(places, 1)]
        running = len(queue.running)
        return web.json_response(
            {"queue_running": shown[:running], "queue_pending": shown[running:]}
        )

    async def change(self, request: web.Request) -> web.Response:
        """Cancel jobs, running ones too; clear those that wait."""
        data = await _object(request)
        if data is None or not set(data) <= {"delete", "clear"}:
            return refused(HTTPStatus.BAD_REQUEST, "Invalid request body")
        clear = data.get("clear") is True
        for item in list(self._engine.queue.pending) if clear else ():
            self._jobs.cancelled(item.prompt_id)
        deleted = [each for each in data.get("delete", ()) if self._jobs.cancelled(each)]
        return web.json_response({"deleted": deleted, "cleared": clear})

    async def interrupt(self, _request: web.Request) -> web.Response:
        """Cancel the first active job; a body is not looked at, so it may be a waiting one."""
        first = self._jobs.first_active()
        if first is not None:
            self._jobs.cancelled(first)
        return web.Response()

    async def history(self, request: web.Request) -> web.Response:
        """The list form, newest first, without graphs."""
        query = request.query
        start = int(query.get("offset", "0"))
        most = int(query["max_items"]) if "max_items" in query else None
        entries = list(reversed(self._engine.queue.history.items()))[start:]
        told = [{"prompt_id": key, **_entry(entry, whole=False)} for key, entry in entries[:most]]
        return web.json_response({"history": told})

    async def entry(self, request: web.Request) -> web.Response:
        prompt_id = request.match_info["id"]
        entry = self._engine.queue.history.get(prompt_id)
        if entry is None:
            return refused(HTTPStatus.NOT_FOUND, "Prompt not found")
        return web.json_response({prompt_id: _entry(entry, whole=True)})

    async def forget(self, request: web.Request) -> web.Response:
        data = await _object(request)
        if data is None:
            return refused(HTTPStatus.BAD_REQUEST, "Invalid request body")
        history = self._engine.queue.history
        for prompt_id in list(history) if data.get("clear") is True else data.get("delete", ()):
            history.pop(prompt_id, None)
        self._engine.changed()
        return web.Response()


async def _object(request: web.Request) -> dict[str, Any] | None:
    try:
        return as_object(await request.json())
    except ValueError:
        return None


def _shown(place: int, item: Item) -> list[Any]:
    created = {"create_time": item.extra_data.get("create_time")}
    return [place, item.prompt_id, item.prompt, item.outputs, created]


def _entry(entry: dict[str, Any], *, whole: bool) -> dict[str, Any]:
    number, prompt_id, prompt, extra_data, outputs = entry["prompt"]
    told = {"priority": number, "prompt_id": prompt_id, "extra_data": extra_data}
    if whole:
        told |= {"prompt": prompt, "outputs_to_execute": outputs}
    return {**entry, "create_time": extra_data.get("create_time"), "prompt": told}
