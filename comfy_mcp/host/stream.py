"""ComfyUI's websocket: a stream of events that reconnects, and is never relied upon.

Every connection has a client id of its own: ComfyUI lets a second socket with the same id take
over the first, and loses both when the first closes. Events of a job go to the id it was submitted
with, so after a reconnect older jobs are followed by looking, not by listening.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from uuid import uuid4

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, WebSocketException

from comfy_mcp.host.events import Event, meaning
from comfy_mcp.settings import Address

__all__ = ["EventStream"]

MAX_FRAME = 256 * 1024 * 1024
"""Custom nodes send pictures and whole states in one frame."""


class _Direct(connect):
    """Goes where it is told and nowhere else: a redirect would carry our API key to a stranger."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Take a redirect for the failure that it is."""
        return exc


FAILURES = (OSError, TimeoutError, InvalidHandshake, WebSocketException)


class EventStream:
    """Keeps one socket open while it is wanted and hands every event to *heard*.

    *dropped* is called when a connection is gone or could not be had: time to look oneself.
    """

    def __init__(
        self,
        address: Address,
        heard: Callable[[Event], None],
        *,
        dropped: Callable[[], None] = lambda: None,
        open_seconds: float = 5.0,
        pause: tuple[float, float] = (0.5, 15.0),
    ) -> None:
        self._address = address
        self._heard = heard
        self._dropped = dropped
        self._open_seconds = open_seconds
        self._pause = pause
        self._task: asyncio.Task[None] | None = None
        self._settled = asyncio.Event()
        self.client_id: str | None = None

    async def ready(self) -> str:
        """The client id to submit with: of an open socket if it can be had soon, else a new one."""
        if self._task is None or self._task.done():
            self._settled.clear()
            self._task = asyncio.create_task(self._run(), name="comfyui-events")
        with suppress(TimeoutError):
            async with asyncio.timeout(self._open_seconds):
                await self._settled.wait()
        return self.client_id or str(uuid4())

    async def close(self) -> None:
        """Close the socket, if there is one."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        least, most = self._pause
        pause = least
        while True:
            try:
                await self._listen()
                pause = least
            except FAILURES:
                pause = min(pause * 2, most)
            finally:
                self.client_id = None
                self._dropped()
            # A failed attempt is an answer, too: nobody waits for a socket that is not to be had.
            self._settled.set()
            await asyncio.sleep(pause)

    async def _listen(self) -> None:
        client_id = str(uuid4())
        async with _Direct(
            f"{self._address.socket}?clientId={client_id}",
            additional_headers=dict(self._address.headers),
            max_size=MAX_FRAME,
            open_timeout=self._open_seconds,
            close_timeout=1,
            ping_interval=20,
            ping_timeout=20,
            compression=None,
            proxy=None,
        ) as socket:
            self.client_id = client_id
            self._settled.set()
            await self._hear(socket)

    async def _hear(self, socket: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            async for frame in socket:
                event = meaning(frame)
                if event is not None:
                    self._heard(event)
