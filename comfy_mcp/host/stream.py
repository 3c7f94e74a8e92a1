"""ComfyUI's websocket: a stream of events that reconnects, and is never relied upon.

Every connection has a client id of its own: ComfyUI lets a second socket with the same id take
over the first, and loses both when the first closes. Events of a job go to the id it was submitted
with, so after a reconnect older jobs are followed by looking, not by listening.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus
from uuid import uuid4

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidStatus,
    WebSocketException,
)

from comfy_mcp.host.cloud import is_cloud, socket_url
from comfy_mcp.host.events import Event, meaning
from comfy_mcp.host.inbox import Inbox
from comfy_mcp.settings import Address

__all__ = ["EventStream"]

MAX_FRAME = 256 * 1024 * 1024
"""Custom nodes send pictures and whole states in one frame."""

QUEUED_FRAMES = 4
"""Frames that wait to be read here before ComfyUI is made to wait: a state of 300 nodes is big."""

STEADY_SECONDS = 10.0
"""A connection that lasted so long was a good one: the next failure is a first one."""

_UNTOLD = logging.getLogger("comfy_mcp.host.socket")
"""The library writes requests with our key in them to its log, for debugging."""
_UNTOLD.setLevel(logging.WARNING)


class _Direct(connect):
    """Goes where it is told and nowhere else: a redirect would carry our API key to a stranger."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Take a redirect for the failure that it is."""
        return exc


FAILURES = (OSError, TimeoutError, InvalidHandshake, WebSocketException)


class EventStream:
    """Keeps one socket open while it is wanted and hands every event to *heard*.

    *dropped* is called when a connection is gone or could not be had, or when so much came that
    something of it had to go: time to look oneself. *broke* is called when one that was open is
    gone, as at ComfyUI's restart.
    *pause*: seconds before the second and, at most, before a later try; each is up to a quarter
    longer by chance (*chance*: a number from 0 to 1), so that servers do not come back in step.
    *ping_seconds*: ComfyUI sends no pings, so we do: without an answer in that time after that
    time, the connection counts as gone.
    """

    def __init__(
        self,
        address: Address,
        heard: Callable[[Event], None],
        *,
        dropped: Callable[[], None] = lambda: None,
        broke: Callable[[], None] = lambda: None,
        open_seconds: float = 5.0,
        pause: tuple[float, float] = (0.5, 15.0),
        ping_seconds: float = 20.0,
        chance: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._address = address
        self._heard = heard
        self._dropped = dropped
        self._broke = broke
        self._open_seconds = open_seconds
        self._pause = pause
        self._ping_seconds = ping_seconds
        self._chance = chance
        self._sleep = sleep
        self._token = is_cloud(address)
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
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            try:
                await self._listen()
            except InvalidStatus as error:
                self._token = self._token or _wants_token(error)
            except FAILURES:
                pass
            finally:
                was_open, self.client_id = self.client_id is not None, None
                self._dropped()
            if was_open:
                self._broke()
            # A failed attempt is an answer, too: nobody waits for a socket that is not to be had.
            self._settled.set()
            pause = least if clock() - began > STEADY_SECONDS else pause
            await self._sleep(pause * (1 + self._chance() / 4))
            pause = min(pause * 2, most)

    async def _listen(self) -> None:
        client_id = str(uuid4())
        async with _Direct(
            socket_url(self._address, client_id, token=self._token),
            additional_headers=dict(self._address.headers),
            max_size=MAX_FRAME,
            max_queue=QUEUED_FRAMES,
            open_timeout=self._open_seconds,
            close_timeout=1,
            ping_interval=self._ping_seconds,
            ping_timeout=self._ping_seconds,
            compression=None,
            proxy=None,
            logger=_UNTOLD,
        ) as socket:
            self.client_id = client_id
            self._settled.set()
            await self._hear(socket)

    async def _hear(self, socket: ClientConnection) -> None:
        inbox = Inbox()
        reading = asyncio.create_task(self._read(inbox), name="comfyui-frames")
        try:
            with suppress(ConnectionClosed):
                async for frame in socket:
                    if not inbox.put(frame):
                        self._dropped()
            inbox.close()
            await reading
        finally:
            reading.cancel()

    async def _read(self, inbox: Inbox) -> None:
        while (frame := await inbox.take()) is not None:
            event = meaning(frame)
            if event is not None:
                self._heard(event)
            # A flood must not keep everybody else from their turn.
            await asyncio.sleep(0)


def _wants_token(error: InvalidStatus) -> bool:
    """Whether this was Comfy Cloud's way to say that the key does not stand in the address."""
    response = error.response
    if response.status_code != HTTPStatus.UNAUTHORIZED:
        return False
    try:
        said: object = json.loads(response.body or b"")
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and {"code", "message"} <= said.keys()
