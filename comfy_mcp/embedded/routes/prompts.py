"""POST /prompt, GET /prompt and the websocket: a job comes in, and its client listens."""

from __future__ import annotations

import asyncio
import time
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aiohttp import web

from comfy_mcp.embedded.answers import hang_up
from comfy_mcp.embedded.features import server_features
from comfy_mcp.embedded.queue import Item, number_of
from comfy_mcp.embedded.refusals import BAD_PROMPT_ID, NO_PROMPT
from comfy_mcp.embedded.validate import validate
from comfy_mcp.embedded.values import as_object, canonical

if TYPE_CHECKING:
    from comfy_mcp.embedded.engine import Engine
    from comfy_mcp.embedded.profiles import Profile

__all__ = ["routes"]

SECRETS = ("auth_token_comfy_org", "api_key_comfy_org")


def routes(engine: Engine) -> list[web.RouteDef]:
    """The routes of this file."""
    submit, features = _Submit(engine), server_features(engine.profile)

    async def remaining(_request: web.Request) -> web.Response:
        return web.json_response(engine.queue_info())

    async def listen(request: web.Request) -> web.StreamResponse:
        if engine.faults().socket == "refused":
            return web.Response(status=500)
        return await engine.sockets.serve(request, engine.hello, features)

    return [
        web.get("/prompt", remaining),
        web.post("/prompt", submit.handle),
        web.get("/ws", listen),
    ]


class _Submit:
    """POST /prompt."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def handle(self, request: web.Request) -> web.StreamResponse:
        faults = self._engine.faults()
        if faults.lose_answer == "before":
            return hang_up(request)
        self._engine.logger.info("got prompt")
        answer = self._take(await request.json(), request.headers.get("Comfy-Usage-Source"))
        if answer.status == HTTPStatus.OK and faults.answer_delay_ms:
            await asyncio.sleep(faults.answer_delay_ms / 1000)
        return hang_up(request) if faults.lose_answer == "after" else answer

    def _take(self, data: Any, usage: str | None) -> web.Response:
        """Judge and queue; nothing else happens on the host in between."""
        engine = self._engine
        if isinstance(data, (list, str)):  # in which ComfyUI looks for the word "prompt"
            engine.take_number()
            return _refused(NO_PROMPT)
        asked: dict[str, Any] = {} if engine.profile.cloud else data
        number = number_of(asked, engine.take_number)
        if "prompt" not in data:
            return _refused(NO_PROMPT)
        prompt = data["prompt"]
        prompt_id = _prompt_id(data, engine.profile)
        if prompt_id is None:
            return _refused(BAD_PROMPT_ID)
        if engine.profile.node_replacement:
            _read_for_replacements(prompt)
        targets = data.get("partial_execution_targets")
        verdict = validate(prompt, targets, engine.catalogue, engine.folders, engine.profile)
        extra = _extra_data(data, engine.profile)
        if usage and engine.profile.usage_source:
            extra.setdefault("comfy_usage_source", usage)
        if verdict.error is not None:
            engine.logger.warning("invalid prompt: %s", verdict.error)
            return _refused(verdict.error, verdict.node_errors)
        self._queue(Item(number, prompt_id, prompt, extra, verdict.outputs, {}))
        told = {"prompt_id": prompt_id, "number": number, "node_errors": verdict.node_errors}
        return web.json_response(told)

    def _queue(self, item: Item) -> None:
        engine, extra = self._engine, item.extra_data
        hidden: dict[str, Any] = {}
        if engine.profile.hides_credentials:
            hidden = {name: extra.pop(name) for name in SECRETS if name in extra}
        if engine.profile.create_time:
            extra["create_time"] = time.time_ns() // 1_000_000
        engine.queue.put(item._replace(secrets=hidden))
        engine.queue_updated()


def _prompt_id(data: dict[str, Any], profile: Profile) -> str | None:
    """The id of the new job; None if the one that was asked for is refused."""
    fresh = str(uuid.uuid4())
    if profile.prompt_ids == "ignored":
        return fresh
    if profile.prompt_ids == "any":
        return str(data.get("prompt_id", fresh))
    asked = data.get("prompt_id")
    if asked is None:
        return fresh
    return asked if canonical(asked) else None


def _read_for_replacements(prompt: dict[str, Any]) -> None:
    """Look at each node as ComfyUI does for replaced classes: a UI-format workflow is none."""
    for node in prompt.values():
        node.get("class_type")


def _extra_data(data: dict[str, Any], profile: Profile) -> Any:
    extra: Any = data.get("extra_data", {})
    if "client_id" in data:
        extra["client_id"] = data["client_id"]
    if profile.create_time and as_object(extra) is None:
        raise TypeError("extra_data is not an object")
    return extra


def _refused(error: dict[str, Any], node_errors: dict[str, Any] | None = None) -> web.Response:
    return web.json_response({"error": error, "node_errors": node_errors or {}}, status=400)
