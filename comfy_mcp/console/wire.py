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

__all__ = ["MAX_BODY", "Answer", "Bounds", "body_of", "server", "trust"]

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

    *head_s* is how many seconds the headers of a request may take, from the beginning of a new
    connection or from their own first byte; *body_s* how many a body may take, *idle_s* how many a
    connection may be quiet between two requests; *connections* is how many there may be.
    """

    head_s: float = 5.0
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


def trust(request: web.BaseRequest) -> None:
    """Somebody signed in asks: the connection is not given up for the sake of others."""
    handler = request.protocol
    if isinstance(handler, _Handler):
        handler.trusted = True


def _too_large() -> Refusal:
    return Refusal(413, f"More than {MAX_BODY} bytes are not read.", "Write less.")


class _Server(web.Server):
    """Gives each connection a handler of ours; has no more than so many connections.

    If there is one too many the oldest goes that has shown no session: whoever holds many of them
    open keeps nobody out.
    """

    def __init__(self, answer: Answer, bounds: Bounds) -> None:
        super().__init__(answer, request_factory=_request, handler_cancellation=True)
        self._bounds = bounds

    def __call__(self) -> web.RequestHandler:
        made = _Handler(
            self,
            self._bounds.head_s,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=self._bounds.idle_s,
            logger=_UNTOLD,
            access_log=None,  # pyright: ignore[reportArgumentType] - aiohttp's own way to have none
            max_line_size=MAX_LINE,
            max_field_size=MAX_LINE,
            lingering_time=LINGER_S,
            auto_decompress=False,
        )
        self._make_room(made)
        return made

    def _make_room(self, made: _Handler) -> None:
        kept = [one for one in self.connections if isinstance(one, _Handler) and not one.given_up]
        excess = len(kept) + 1 - self._bounds.connections
        if excess <= 0:
            return
        gone = [one for one in kept if not one.trusted][:excess] or [made]
        for one in gone:
            one.given_up = True
            # The new one has its connection only in the next round of the loop.
            asyncio.get_running_loop().call_later(0, _hang_up, one)


class _Handler(web.RequestHandler):
    """One connection; what cannot be read is answered as everything else is."""

    __slots__ = ("_head_s", "_heads", "_timer", "given_up", "trusted")

    def __init__(self, manager: web.Server, head_s: float, **options: Any) -> None:
        super().__init__(manager, **options)
        self._head_s = head_s
        self._heads = 0
        """Requests whose headers had come when the timer was set."""
        self._timer: asyncio.TimerHandle | None = None
        self.given_up = False
        self.trusted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """From now on headers are waited for, and not for long."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Headers are there, or a beginning of some."""
        super().data_received(data)
        if self._request_count > self._heads:
            self._forget()
        elif self._timer is None and self._is_idle():
            self._wait()

    def connection_lost(self, exc: BaseException | None) -> None:
        """There is nothing to be waited for."""
        self._forget()
        super().connection_lost(exc)

    def _is_idle(self) -> bool:
        """Whether the next thing to come is a request, not the body of one."""
        return self._waiter is not None and not self._waiter.done()

    def _wait(self) -> None:
        self._heads = self._request_count
        self._timer = asyncio.get_running_loop().call_later(self._head_s, _hang_up, self)

    def _forget(self) -> None:
        self._heads = self._request_count
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

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
