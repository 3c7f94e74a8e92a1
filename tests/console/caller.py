"""Whoever speaks HTTP to a console over a socket of its own, and says exactly what a test wants."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from comfy_mcp.console.app import Console

SECONDS = 20
"""The most that any answer may take here."""

SOON = 10
"""Less than any pause after which something would happen by itself."""


FIRST = 4_096
"""Bytes of a request that a socket takes though nobody reads yet: all headers of a small one."""


@dataclass(frozen=True)
class Said:
    """One answer."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def values(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        """The value of a header that is there at most once."""
        found = [value for known, value in self.headers if known.lower() == name.lower()]
        assert len(found) <= 1, found
        return found[0] if found else None


@dataclass
class Terminal:
    """What the operator can read."""

    said: list[str] = field(default_factory=list)

    def __call__(self, words: str) -> None:
        """Print."""
        self.said.append(words)

    @property
    def key(self) -> str:
        """The key of the link that was printed last."""
        return re.findall(r"/#key=(\S+)", "\n".join(self.said))[-1]


@dataclass
class Caller:
    """Speaks to the console on *port*; *cookie* and *token* are those of its session, if any."""

    port: int
    cookie: str = ""
    token: str = ""

    @property
    def host(self) -> str:
        """What a browser writes in Host."""
        return f"127.0.0.1:{self.port}"

    @property
    def origin(self) -> str:
        """What a browser writes in Origin."""
        return f"http://{self.host}"

    def headers(self, method: str, more: Mapping[str, str | None] | None = None) -> dict[str, str]:
        """Those of the console's own page, with *more* laid over them; None takes one away."""
        own: dict[str, str | None] = {"Host": self.host, "Connection": "close"}
        if self.cookie:
            own |= {"Cookie": self.cookie, "X-CSRF-Token": self.token or None}
        if method == "POST":
            own |= {"Origin": self.origin, "Content-Type": "application/json"}
            own["Sec-Fetch-Site"] = "same-origin"
        own |= more or {}
        return {name: value for name, value in own.items() if value is not None}

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str | None] | None = None,
        address: str = "127.0.0.1",
    ) -> Said:
        """One request with the headers of the console's own page and *headers* over them."""
        content = b"" if body is None else json.dumps(body).encode()
        if method == "POST":
            content = content or b"{}"
        told = self.headers(method, {"Content-Length": str(len(content)), **(headers or {})})
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {told[name]}" for name in told), "", ""]
        return await self.raw("\r\n".join(lines).encode("latin-1") + content, address)

    async def get(self, path: str, headers: Mapping[str, str | None] | None = None) -> Said:
        """GET, as the page does."""
        return await self.ask("GET", path, None, headers)

    async def post(
        self, path: str, body: Any = None, headers: Mapping[str, str | None] | None = None
    ) -> Said:
        """POST, as the page does."""
        return await self.ask("POST", path, body, headers)

    async def raw(self, request: bytes, address: str = "127.0.0.1") -> Said:
        """Exactly these bytes; the first answer, once the console has hung up."""
        first, rest = request[:FIRST], request[FIRST:]
        connection = connected(self.port, address, first)
        async with asyncio.timeout(SECONDS), connection as (reader, writer):
            writer.write(rest)
            await writer.drain()
            return read(await reader.read())

    async def sign_in(self, key: str) -> Said:
        """Use a link, and keep what a browser would."""
        said = await self.post("/api/sign-in", {"key": key})
        if said.status == 200:
            self.cookie = (said.header("Set-Cookie") or "").partition(";")[0]
            self.token = said.values["token"]
        return said

    @asynccontextmanager
    async def events(self) -> AsyncGenerator[Stream]:
        """The stream of events; *over* of it tells when the console has hung up."""
        told = self.headers("GET", {"X-CSRF-Token": None})
        lines = [
            f"GET /api/events?t={self.token} HTTP/1.1",
            *(f"{name}: {told[name]}" for name in told),
            "",
            "",
        ]
        async with connected(self.port) as (reader, writer):
            writer.write("\r\n".join(lines).encode())
            async with asyncio.timeout(SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            yield Stream(reader, writer, int(head.split()[1]))


@dataclass
class Stream:
    """Server-sent events as they come."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    status: int

    async def state(self) -> dict[str, Any]:
        """The next snapshot."""
        async with asyncio.timeout(SECONDS):
            while True:
                line = await self.reader.readuntil(b"\n")
                if line.startswith(b"data: "):
                    return json.loads(line[6:])

    async def until(self, name: str, wanted: Any) -> dict[str, Any]:
        """The first snapshot of which *wanted* holds; *name* is for who reads a failure."""
        last: dict[str, Any] = {}
        try:
            async with asyncio.timeout(SECONDS):
                while True:
                    last = await self.state()
                    if wanted(last):
                        return last
        except TimeoutError:
            raise AssertionError(f"{name} did not come; last: {last}") from None

    async def over(self) -> None:
        """Wait until the console hangs up, which is before it would speak anyway."""
        async with asyncio.timeout(SOON):
            while await self.reader.read(1 << 16):
                pass


@asynccontextmanager
async def connected(
    port: int, address: str = "127.0.0.1", first: bytes = b""
) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection; *first* is there before the console looks, so that it is never too slow."""
    end = socket.create_connection((address, port), SECONDS)
    end.sendall(first)
    reader, writer = await asyncio.open_connection(sock=end, limit=1 << 24)
    try:
        yield reader, writer
    finally:
        writer.close()
        # It may have hung up on us, which some tests are about.
        with suppress(ConnectionError):
            await writer.wait_closed()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something in this process of which nobody is told."""
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0)


async def signed_in(console: Console, terminal: Terminal) -> Caller:
    """Somebody with a new link."""
    console.door.offer()
    caller = Caller(console.place.port)
    said = await caller.sign_in(terminal.key)
    assert said.status == 200, said
    return caller


def read(answer: bytes) -> Said:
    """The first answer in *answer*."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    pairs = tuple((line.partition(":")[0], line.partition(":")[2].strip()) for line in lines)
    return Said(int(status.split()[1]), pairs, body)
