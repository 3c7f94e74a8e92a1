"""Who listens, and what they are sent: the websocket side, one frame after the other."""

from __future__ import annotations

import asyncio
import io
import json
import struct
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web

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


@dataclass(slots=True)
class Client:
    """One connection; *flags* is what its first message said it can."""

    socket: web.WebSocketResponse
    flags: dict[str, Any] = field(default_factory=dict[str, Any])
    left: int | None = None  # messages until the connection is dropped, when it will be


@dataclass(slots=True)
class Sockets:
    """Connections by clientId, and the frames on their way.

    Frames leave one by one, so a client that does not read holds up all others: ComfyUI's way.
    """

    faults: Callable[[], Faults]
    changed: Callable[[], None]
    clients: dict[str, Client] = field(default_factory=dict[str, Client])
    opened: set[web.WebSocketResponse] = field(default_factory=set[web.WebSocketResponse])
    outbox: asyncio.Queue[tuple[str, Any, str | None]] = field(
        default_factory=asyncio.Queue[tuple[str, Any, str | None]]
    )

    def send(self, event: str, data: Any, sid: str | None) -> None:
        """Have a message sent to one client, or to all; binary *data* is sent as it is."""
        self.outbox.put_nowait((event, data, sid))

    async def publish(self) -> None:
        """Send what is in the outbox, for ever."""
        while True:
            await self.deliver(*await self.outbox.get())

    async def deliver(self, event: str, data: Any, sid: str | None) -> None:
        """Send one message now."""
        clients = [self.clients[sid]] if sid in self.clients else []
        for client in list(self.clients.values()) if sid is None else clients:
            await self._deliver(client, event, data)

    async def _deliver(self, client: Client, event: str, data: Any) -> None:
        faults = self.faults()
        if faults.socket == "silent":
            return
        try:
            if isinstance(data, bytes):
                await client.socket.send_bytes(data)
            else:
                await client.socket.send_str(json.dumps({"type": event, "data": data}))
        except ConnectionError:
            return
        if faults.socket == "dropped":
            await _drop(client, event)

    async def serve(
        self,
        request: web.Request,
        hello: Callable[[str], list[tuple[str, dict[str, Any]]]],
        features: dict[str, Any] | None,
    ) -> web.WebSocketResponse:
        """Hold one connection; *hello* gives a new client's messages, *features* the handshake's.

        A second connection of the same client takes the first one's place without closing it, and
        the first one's end then silences the second: ComfyUI's way, too.
        """
        socket = web.WebSocketResponse(timeout=CLOSE_SECONDS)
        await socket.prepare(request)
        sid = request.query.get("clientId", "") or uuid.uuid4().hex
        client = self.clients[sid] = Client(socket)
        self.opened.add(socket)
        self.changed()
        try:
            for event, data in hello(sid):
                await self.deliver(event, data, sid)
            await self._listen(client, sid, features)
        finally:
            self.clients.pop(sid, None)
            self.opened.discard(socket)
            self.changed()
        return socket

    async def _listen(self, client: Client, sid: str, features: dict[str, Any] | None) -> None:
        first = features is not None
        async for message in client.socket:
            if message.type != WSMsgType.TEXT or not first:
                continue
            try:
                data = json.loads(message.data)
            except json.JSONDecodeError:
                continue
            first = False
            told = as_object(data) or {}
            if told.get("type") == "feature_flags":
                client.flags = as_object(told.get("data")) or {}
                await self.deliver("feature_flags", features, sid)

    def supports(self, sid: str | None, feature: str) -> bool:
        """Whether that client said it can do *feature*."""
        client = self.clients.get(sid) if sid is not None else None
        return client is not None and client.flags.get(feature) is True

    async def close(self) -> None:
        """Hang up on everybody; nobody is waited for long."""
        sockets = list(self.opened)
        closing = [asyncio.ensure_future(each.close(message=b"")) for each in sockets]
        if closing:
            _, late = await asyncio.wait(closing, timeout=1)
            for each in late:
                each.cancel()
        self.clients.clear()


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
