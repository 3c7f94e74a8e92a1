"""Who listens, and what they are sent: the websocket side, one frame after the other."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import struct
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from aiohttp import WSMsgType, web

from comfy_mcp.embedded.noise import noise
from comfy_mcp.embedded.values import as_object

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.Image import Image

    from comfy_mcp.embedded.faults import Faults

__all__ = ["PREVIEW", "PREVIEW_WITH_METADATA", "Client", "Sockets", "preview_frame"]

PREVIEW = 1
PREVIEW_WITH_METADATA = 4
JPEG = 1
PREVIEW_SIDE = 512
CLOSE_SECONDS = 1.0
LOOK_SECONDS = 0.05


class Message(NamedTuple):
    """What a client is told, and the weather (`Faults.socket`) when it was said."""

    event: str
    data: Any
    weather: str


@dataclass(slots=True, eq=False)
class Client:
    """One connection; *flags* is what its first message said it can."""

    socket: web.WebSocketResponse
    line: asyncio.Transport | None
    flags: dict[str, Any] = field(default_factory=dict[str, Any])
    left: int | None = None  # messages until the connection is dropped, when it will be
    outbox: asyncio.Queue[Message] = field(default_factory=asyncio.Queue[Message])


@dataclass(slots=True)
class Sockets:
    """Connections by clientId, and the frames on their way.

    Frames leave one by one, so a client that does not read holds up all others: ComfyUI's way,
    unless `Faults.blocked_publisher` is off. *shared*: clientIds mean nothing, everybody is sent
    everything.
    """

    faults: Callable[[], Faults]
    changed: Callable[[], None]
    shared: bool = False
    clients: dict[str, Client] = field(default_factory=dict[str, Client])
    opened: set[Client] = field(default_factory=set[Client])
    outbox: asyncio.Queue[tuple[Message, str | None]] = field(
        default_factory=asyncio.Queue[tuple[Message, str | None]]
    )

    def send(self, event: str, data: Any, sid: str | None) -> None:
        """Have a message sent to one client, or to all; binary *data* is sent as it is."""
        self.outbox.put_nowait((self._said(event, data), None if self.shared else sid))

    def _said(self, event: str, data: Any) -> Message:
        return Message(event, data, self.faults().socket)

    async def publish(self) -> None:
        """Send what is in the outbox, for ever."""
        while True:
            message, sid = await self.outbox.get()
            one = [self.clients[sid]] if sid in self.clients else []
            for client in list(self.clients.values()) if sid is None else one:
                await self._post(client, message)

    async def _post(self, client: Client, message: Message) -> None:
        """Give a client a message, and wait until it is on its way if that holds up everybody."""
        client.outbox.put_nowait(message)
        if self.faults().blocked_publisher:
            await client.outbox.join()

    async def _send(self, client: Client) -> None:
        """Send what this client was given, for ever."""
        while True:
            message = await client.outbox.get()
            try:
                await _deliver(client, message)
            except ConnectionError:
                continue
            finally:
                client.outbox.task_done()

    async def serve(
        self,
        request: web.Request,
        hello: Callable[[str], list[tuple[str, dict[str, Any]]]],
        features: dict[str, Any] | None,
    ) -> web.WebSocketResponse:
        """Hold one connection; *hello* gives a new client's messages, *features* the handshake's.

        A second connection of the same client takes the first one's place without closing it, and
        the first one's end then silences the second: ComfyUI's way, too, unless
        `Faults.takeover_fixed` is on.
        """
        socket = web.WebSocketResponse(timeout=CLOSE_SECONDS, autoping=False, autoclose=False)
        await socket.prepare(request)
        asked = "" if self.shared else request.query.get("clientId", "")
        sid = asked or uuid.uuid4().hex
        client = self.clients[sid] = Client(socket, request.transport)
        self.opened.add(client)
        sender = asyncio.create_task(self._send(client))
        self.changed()
        try:
            for event, data in hello(sid):
                client.outbox.put_nowait(self._said(event, data))
            await self._listen(client, features)
        finally:
            if self.clients.get(sid) is client or not self.faults().takeover_fixed:
                self.clients.pop(sid, None)
            self.opened.discard(client)
            _abandon(sender, client)
            self.changed()
        return socket

    async def _listen(self, client: Client, features: dict[str, Any] | None) -> None:
        """Read until the other end closes; answer the first message and, unless stalled, pings."""
        first = features is not None
        async for message in client.socket:
            if message.type is WSMsgType.PING and self.faults().socket != "stalled":
                with contextlib.suppress(ConnectionError):
                    await client.socket.pong(message.data)
            if message.type is not WSMsgType.TEXT or not first:
                continue
            try:
                data = json.loads(message.data)
            except json.JSONDecodeError:
                continue
            first = False
            told = as_object(data) or {}
            if told.get("type") == "feature_flags":
                client.flags = as_object(told.get("data")) or {}
                client.outbox.put_nowait(self._said("feature_flags", features))
        while self.faults().socket == "stalled" and _alive(client):  # noqa: ASYNC110 - a transport tells nobody that it closed
            await asyncio.sleep(LOOK_SECONDS)
        await client.socket.close(drain=False)

    def supports(self, sid: str | None, feature: str) -> bool:
        """Whether that client said it can do *feature*."""
        client = self.clients.get(sid) if sid is not None else None
        return client is not None and client.flags.get(feature) is True

    def forget(self) -> None:
        """Lose who is connected and what was not sent."""
        self.clients.clear()
        while not self.outbox.empty():
            self.outbox.get_nowait()

    async def close(self) -> None:
        """Hang up on everybody; nobody is waited for long."""
        clients = list(self.opened)
        closing = [asyncio.ensure_future(each.socket.close(message=b"")) for each in clients]
        if closing:
            _, late = await asyncio.wait(closing, timeout=CLOSE_SECONDS)
            for each in late:
                each.cancel()
        for client in clients:
            if client.line is not None:
                client.line.abort()
        self.clients.clear()


async def _deliver(client: Client, message: Message) -> None:
    event, data, weather = message
    if weather in {"silent", "stalled"}:
        return
    for frame in noise(weather):
        await _frame(client.socket, frame)
    frame = data if isinstance(data, bytes) else json.dumps({"type": event, "data": data})
    await _frame(client.socket, frame)
    if weather == "dropped":
        await _drop(client, event)


async def _frame(socket: web.WebSocketResponse, frame: str | bytes) -> None:
    if isinstance(frame, bytes):
        await socket.send_bytes(frame)
    else:
        await socket.send_str(frame)


def _alive(client: Client) -> bool:
    return client.line is not None and not client.line.is_closing()


def _abandon(sender: asyncio.Task[None], client: Client) -> None:
    """End a client's sender, and whoever waits for what it did not send."""
    sender.cancel()
    while not client.outbox.empty():
        client.outbox.get_nowait()
        client.outbox.task_done()


async def _drop(client: Client, event: str) -> None:
    if event == "execution_start":
        client.left = 1
    elif client.left is not None:
        client.left = None
        await client.socket.close()


def preview_frame(picture: Image, metadata: dict[str, Any] | None) -> bytes:
    """A binary preview; with *metadata* in the newer form that names node and prompt."""
    small = picture.copy()
    small.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    buffer = io.BytesIO()
    small.convert("RGB").save(buffer, "JPEG", quality=85)
    if metadata is None:
        return struct.pack(">II", PREVIEW, JPEG) + buffer.getvalue()
    told = json.dumps({**metadata, "image_type": "image/jpeg"}).encode()
    return struct.pack(">II", PREVIEW_WITH_METADATA, len(told)) + told + buffer.getvalue()
