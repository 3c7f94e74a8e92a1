"""HTTP as the console speaks it: small, bounded in time and size, without a word about itself."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from comfy_mcp.console.answers import HEADERS, Refusal, refused

__all__ = ["MAX_BODY", "Answer", "Bounds", "body_of", "server"]

log = logging.getLogger(__name__)

Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

MAX_BODY = 64 * 1024
MAX_LINE = 8 * 1024
"""Bytes of the first line, and of each header."""

LINGER_S = 1.0

_UNTOLD = logging.getLogger("comfy_mcp.console.wire.aiohttp")
"""What aiohttp says of broken requests would repeat them, maybe with a key in them."""
_UNTOLD.setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much anybody may ask of the console.

    *body_s* is how many seconds a body may take, *idle_s* how many a connection may be quiet, or
    take for the headers of one request; *connections* is how many there may be.
    """

    body_s: float = 10.0
    idle_s: float = 75.0
    connections: int = 128


def server(answer: Answer, bounds: Bounds) -> web.Server:
    """A server for `asyncio` to listen with; *answer* is asked for every request that can be read.

    A handler whose client has gone is cancelled.
    """
    return _Server(answer, bounds)


async def body_of(request: web.BaseRequest, seconds: float) -> bytes:
    """The whole body.

    Raises:
        Refusal: it is too long, in bytes or in time.
    """
    if (request.content_length or 0) > MAX_BODY:
        raise _too_large()
    read = bytearray()
    try:
        async with asyncio.timeout(seconds):
            while part := await request.content.readany():
                read += part
                if len(read) > MAX_BODY:
                    raise _too_large()
    except TimeoutError:
        raise Refusal(408, "The request took too long.", "Try again.") from None
    except (web.RequestPayloadError, ConnectionError):
        raise Refusal(400, "The request broke off.", "Try again.") from None
    return bytes(read)


def _too_large() -> Refusal:
    return Refusal(413, f"More than {MAX_BODY} bytes are not read.", "Write less.")


class _Server(web.Server):
    """Gives each connection a handler of ours; has no more than so many connections."""

    def __init__(self, answer: Answer, bounds: Bounds) -> None:
        super().__init__(answer, request_factory=_request, handler_cancellation=True)
        self._bounds = bounds

    def __call__(self) -> web.RequestHandler:
        made = _Handler(
            self,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=self._bounds.idle_s,
            logger=_UNTOLD,
            access_log=None,  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - aiohttp's own way to have none
            max_line_size=MAX_LINE,
            max_field_size=MAX_LINE,
            lingering_time=LINGER_S,
            auto_decompress=False,
        )
        if len(self.connections) >= self._bounds.connections:
            asyncio.get_running_loop().call_later(0, _hang_up, made)
        return made


class _Handler(web.RequestHandler):
    """One connection; what cannot be read is answered as everything else is."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,  # noqa: ARG002 - it may repeat what was sent
        message: str | None = None,  # noqa: ARG002 - as above
    ) -> web.StreamResponse:
        """No word of what was sent, and none of where it failed."""
        if request.writer.output_size > 0:
            raise ConnectionError("An answer had begun already.")
        unread = "That request cannot be read."
        failed = "The console failed at this; its terminal may say more."
        client = status < 500  # noqa: PLR2004 - whose fault it is
        return refused(Refusal(status, unread if client else failed, "Load the page again."))


class _Request(web.BaseRequest):
    """A request whose answers carry our headers, whoever made them, and none about the program."""

    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.popall("Server", None)


def _request(*parts: Any) -> web.BaseRequest:
    message, payload, protocol, writer, task = parts
    return _Request(message, payload, protocol, writer, task, asyncio.get_running_loop())


def _hang_up(handler: web.RequestHandler) -> None:
    with suppress(Exception):
        handler.force_close()
