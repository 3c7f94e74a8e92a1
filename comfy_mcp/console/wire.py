"""HTTP as the console speaks it: small, bounded in time and size, without a word about itself."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from aiohttp import web

from comfy_mcp.console.answers import HEADERS, Refusal, refused

__all__ = ["MAX_BODY", "Answer", "body_of", "server"]

log = logging.getLogger(__name__)

Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

MAX_BODY = 64 * 1024
MAX_LINE = 8 * 1024
"""Bytes of the first line, and of each header."""

BODY_S = 10.0
"""How long a body may take."""

IDLE_S = 75.0
"""How long a connection may be quiet, or take for the headers of one request."""

LINGER_S = 1.0

MOST_CONNECTIONS = 128

_UNTOLD = logging.getLogger("comfy_mcp.console.wire.aiohttp")
"""What aiohttp says of broken requests would repeat them, maybe with a key in them."""
_UNTOLD.setLevel(logging.CRITICAL)


def server(answer: Answer) -> web.Server:
    """A server for `asyncio` to listen with; *answer* is asked for every request that can be read.

    A handler whose client has gone is cancelled.
    """
    return _Server(answer, request_factory=_request, handler_cancellation=True)


async def body_of(request: web.BaseRequest) -> bytes:
    """The whole body.

    Raises:
        Refusal: it is too long, in bytes or in time.
    """
    if (request.content_length or 0) > MAX_BODY:
        raise _too_large()
    read = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
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

    def __call__(self) -> web.RequestHandler:
        made = _Handler(
            self,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=IDLE_S,
            logger=_UNTOLD,
            access_log=None,  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - aiohttp's own way to have none
            max_line_size=MAX_LINE,
            max_field_size=MAX_LINE,
            lingering_time=LINGER_S,
            auto_decompress=False,
        )
        if len(self.connections) >= MOST_CONNECTIONS:
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

    async def _prepare_hook(self, resp: web.StreamResponse) -> None:
        for name, value in HEADERS.items():
            resp.headers.setdefault(name, value)
        resp.headers.popall("Server", None)


def _request(*parts: Any) -> web.BaseRequest:
    message, payload, protocol, writer, task = parts
    return _Request(message, payload, protocol, writer, task, asyncio.get_running_loop())


def _hang_up(handler: web.RequestHandler) -> None:
    with suppress(Exception):
        handler.force_close()
