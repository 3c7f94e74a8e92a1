"""Wrong answers to order: what a proxy, a broken line or a sick server makes of a request."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatchcase
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aiohttp import web

from comfy_mcp.embedded.answers import FileAnswer, bare, hang_up
from comfy_mcp.embedded.values import as_list, as_object

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from aiohttp.typedefs import Handler, Middleware

    from comfy_mcp.embedded.faults import BadAnswer, Faults

__all__ = ["Spoiler"]

PIECE = 64 * 1024
PAGE = (
    "<html>\n<head><title>{status} {phrase}</title></head>\n"
    "<body>\n<center><h1>{status} {phrase}</h1></center>\n<hr><center>a proxy</center>\n"
    "</body>\n</html>\n"
)
TOO_LARGE = "Maximum request body size 104857600 exceeded."
"""aiohttp's words for 413, which ComfyUI leaves as they are."""

INVENTED = b'{"prompt_id": "f0f0f0f0-0000-4000-8000-000000000000", "number": 0, "node_errors": {}}'
"""The body for a request that is not carried out, where one is needed."""


class Trouble(Exception):
    """Raised so that aiohttp answers 500 in its own way."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request, and the right answer to it if it was carried out."""

    request: web.Request
    bad: BadAnswer
    answer: web.StreamResponse | None

    async def body(self) -> bytes:
        """The right answer's body, or an invented one."""
        if isinstance(self.answer, FileAnswer):
            return await asyncio.to_thread(self.answer.path.read_bytes)
        body = self.answer.body if isinstance(self.answer, web.Response) else None
        return body if isinstance(body, bytes) and body else INVENTED

    def headers(self) -> dict[str, str]:
        """The right answer's type."""
        kind = "application/json" if self.answer is None else self.answer.content_type
        return {"Content-Type": kind}


class Spoiler:
    """Gives the wrong answers that *faults* order, and counts them.

    The count starts anew when other wrong answers are ordered.
    """

    def __init__(self, faults: Callable[[], Faults]) -> None:
        self._faults = faults
        self._ordered: tuple[BadAnswer, ...] = ()
        self._given: Counter[int] = Counter()
        self._over = asyncio.Event()

    def end(self) -> None:
        """Let go of every request that is kept waiting: the host stops, or restarts."""
        self._over.set()
        self._over = asyncio.Event()

    def middleware(self) -> Middleware:
        """To be put before everything that answers."""

        @web.middleware
        async def spoil(request: web.Request, handler: Handler) -> web.StreamResponse:
            bad = self._next(request)
            if bad is None:
                return await handler(request)
            if bad.what in {"slow", "mute"}:
                return await self._late(bad, request, handler)
            answer = await _answered(request, handler) if _carried(bad, request) else None
            spoiled = BY_NAME.get(bad.what, _status)
            return await spoiled(Exchange(request, bad, answer))

        return spoil

    def _next(self, request: web.Request) -> BadAnswer | None:
        """The wrong answer that is due, noted as given."""
        ordered = self._faults().http
        if ordered is not self._ordered:
            self._ordered, self._given = ordered, Counter()
        path = bare(request.path)
        for place, bad in enumerate(ordered):
            spent = bad.times is not None and self._given[place] >= bad.times
            right_method = bad.method in {"*", request.method}
            if right_method and not spent and fnmatchcase(path, bad.path):
                self._given[place] += 1
                return bad
        return None

    async def _late(
        self, bad: BadAnswer, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        over = self._over
        now = bad.after and not _handshake(request)
        answer = await _answered(request, handler) if now else None
        seconds = bad.delay_ms / 1000 if bad.what == "slow" else None
        try:
            async with asyncio.timeout(seconds):
                await over.wait()
        except TimeoutError:
            return await handler(request) if answer is None else answer
        return hang_up(request)


def _handshake(request: web.Request) -> bool:
    return request.headers.get("Upgrade", "").lower() == "websocket"


def _carried(bad: BadAnswer, request: web.Request) -> bool:
    """Whether the request is carried out: ordered so, or because its right answer is needed."""
    return not _handshake(request) and (bad.after or bad.what == "huge" or request.method == "GET")


async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as answer:
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)


async def _status(exchange: Exchange) -> web.StreamResponse:
    number, _, kind = exchange.bad.what.partition(" ")
    status = HTTPStatus(int(number))
    if kind:
        error = {"type": kind, "message": status.phrase}
        return web.json_response({"error": error}, status=status)
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        raise Trouble("ordered by the weather")
    if status is HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return web.Response(status=status, text=TOO_LARGE)
    page = PAGE.format(status=status.value, phrase=status.phrase)
    return web.Response(status=status, text=page, content_type="text/html")


async def _html(_exchange: Exchange) -> web.StreamResponse:
    page = PAGE.format(status=200, phrase="Please sign in")
    return web.Response(text=page, content_type="text/html")


async def _reset(exchange: Exchange) -> web.StreamResponse:
    """Drop the connection as a crashed peer does: the other end reads "reset", not an end."""
    transport = exchange.request.transport
    line = None if transport is None else transport.get_extra_info("socket")
    if line is not None:
        linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    return hang_up(exchange.request)


async def _truncated(exchange: Exchange) -> web.StreamResponse:
    """Half the body that Content-Length promises, and the end of the connection."""
    body = await exchange.body()
    answer = web.StreamResponse(headers=exchange.headers())
    answer.content_length = len(body)
    await answer.prepare(exchange.request)
    await answer.write(body[: len(body) // 2])
    if exchange.request.transport is not None:
        exchange.request.transport.close()
    return answer


async def _huge(exchange: Exchange) -> web.StreamResponse:
    """The right body and blanks after it, in chunks: its length is not told."""
    body = await exchange.body()
    answer = web.StreamResponse(headers=exchange.headers())
    await answer.prepare(exchange.request)
    await answer.write(body)
    left = exchange.bad.size - len(body)
    while left > 0:
        await answer.write(b" " * min(left, PIECE))
        left -= PIECE
    return answer


async def _wrong_types(exchange: Exchange) -> web.StreamResponse:
    try:
        told = json.loads(await exchange.body())
    except ValueError:
        told = []
    return web.json_response(_twisted(told))


def _twisted(told: Any) -> Any:
    """The same keys, and below each a value of another type."""
    known = as_object(told)
    if known is None:
        return _other(told)
    return {name: _other(value) for name, value in known.items()}


def _other(value: object) -> object:
    if as_object(value) is not None:
        return [7, "nothing"]
    if as_list(value) is not None:
        return {"nothing": 7}
    return 7 if isinstance(value, str) else "nothing"


BY_NAME: Mapping[str, Callable[[Exchange], Awaitable[web.StreamResponse]]] = {
    "html": _html,
    "truncated": _truncated,
    "wrong_types": _wrong_types,
    "huge": _huge,
    "reset": _reset,
}
