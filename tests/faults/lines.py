"""What stands on the line between a server and ComfyUI: a relay that can be cut, or a stranger."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field

from comfy_mcp.accepting import no_more
from tests.faults.witness import WitnessedHost

__all__ = ["latecomer", "relay", "stranger"]

PIECE = 1 << 16
SUBMIT = b"POST /api/prompt "
PAGE = b"<html>hello</html>"
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 18\r\n"
    b"Connection: close\r\n\r\n" + PAGE
)

Cut = Callable[[], AbstractAsyncContextManager[None]]


@dataclass
class _Relay:
    """Passes bytes on between whoever connects and *port*.

    Submits wait for *through*, if there is such: until their sender has given up, and it is set.
    """

    port: int
    through: asyncio.Event | None = None
    server: asyncio.Server | None = None
    own_port: int = 0
    writers: set[asyncio.StreamWriter] = field(default_factory=set[asyncio.StreamWriter])
    tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    async def open(self) -> None:
        """Listen, on the same port as before."""
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", self.own_port)
        self.own_port = self.server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and break every connection."""
        if self.server is not None:
            await no_more(self.server.sockets)
            self.server.close()
        for writer in self.writers:
            writer.transport.abort()
        if self.through is not None:
            self.through.set()
        if self.tasks:
            await asyncio.wait(self.tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        # Known at once: a cut that comes while the other end is called breaks this one, too.
        self.writers.add(writer)
        there, back = await asyncio.open_connection("127.0.0.1", self.port)
        ends = {writer, back}
        self.writers |= ends
        try:
            first = b"" if self.through is None else await reader.read(PIECE)
            if self.through is not None and first.startswith(SUBMIT):
                whole = first + await reader.read()
                await self.through.wait()
                back.write(whole)
                await there.read(PIECE)
                return
            back.write(first)
            async with asyncio.TaskGroup() as group:
                group.create_task(_pass_on(reader, back))
                group.create_task(_pass_on(there, writer))
        finally:
            self.writers -= ends
            for end in ends:
                end.transport.abort()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while piece := await reader.read(PIECE):
            writer.write(piece)
            await writer.drain()
    writer.transport.abort()


@asynccontextmanager
async def relay(host: WitnessedHost) -> AsyncGenerator[tuple[str, Cut]]:
    """An address that leads to *host*, and a way to cut it for a while."""
    line = _Relay(host.port)

    @asynccontextmanager
    async def cut() -> AsyncGenerator[None]:
        await line.close()
        yield
        await line.open()

    await line.open()
    try:
        yield f"http://127.0.0.1:{line.own_port}", cut
    finally:
        await line.close()


@asynccontextmanager
async def latecomer(host: WitnessedHost) -> AsyncGenerator[tuple[str, asyncio.Event]]:
    """An address that leads to *host*, where submits arrive only when the event is set."""
    line = _Relay(host.port, asyncio.Event())
    assert line.through is not None
    await line.open()
    try:
        yield f"http://127.0.0.1:{line.own_port}", line.through
    finally:
        await line.close()


@asynccontextmanager
async def stranger(port: int) -> AsyncGenerator[list[str]]:
    """A web server that answers everything with its page; what methods it was asked with."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            asked.append(head.split(b" ", 1)[0].decode())
            writer.write(ANSWER)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield asked
    finally:
        await no_more(server.sockets)
        server.close()
        await server.wait_closed()
