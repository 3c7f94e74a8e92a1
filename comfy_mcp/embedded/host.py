"""The embedded host as one object: start it, look at it, make weather, stop it."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

from comfy_mcp.embedded.faults import Faults
from comfy_mcp.embedded.log import LogRing
from comfy_mcp.embedded.paths import Folders
from comfy_mcp.embedded.profiles import PROFILES, Profile
from comfy_mcp.embedded.queue import JobQueue
from comfy_mcp.embedded.seen import Seen
from comfy_mcp.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from types import TracebackType

    from comfy_mcp.embedded.server import Server

__all__ = ["CLOUD_KEY", "EmbeddedHost", "Seen"]

CLOUD_KEY = "comfyui-embedded"
"""What the profile "cloud" wants in X-API-Key."""


class EmbeddedHost:
    """A ComfyUI-compatible host on *host* and *port* (0: any free one).

    *folder* holds input, output and temp and is kept; None means a private one that goes at
    stop. *demo_nodes*: it also has node classes that no ComfyUI has, all called EmbeddedDemo...
    All methods belong to the event loop that started it.

    Raises:
        ConfigError: there is no such *profile*.
    """

    def __init__(
        self,
        *,
        profile: str = "0.33",
        faults: Faults = Faults(),  # noqa: B008 - a frozen value
        host: str = "127.0.0.1",
        port: int = 0,
        folder: Path | None = None,
        max_history: int = 10_000,
        demo_nodes: bool = False,
    ) -> None:
        self.profile = _profile(profile)
        self.faults = faults
        self.port = port
        self.demo_nodes = demo_nodes
        self.seen: list[Seen] = []
        self.log = LogRing(coloured=self.profile.coloured_log)
        self.queue = JobQueue(max_history)
        self._host = host
        self._folder = folder
        self._private: Path | None = None
        self._server: Server | None = None
        self._waiters: set[asyncio.Future[None]] = set()

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the port is taken.
        """
        # Here, so that importing the package loads neither aiohttp nor Pillow.
        from comfy_mcp.embedded.server import Server  # noqa: PLC0415 - see above

        if self._server is not None:
            return
        self.queue.clear()
        self.log.clear()
        if self._folder is None:
            self._private = Path(tempfile.mkdtemp(prefix="comfyui-embedded-"))
        server = Server(self, Folders.below(self.folder))
        try:
            self.port = await server.start(self._host, self.port)
        except OSError:
            self._remove_private()
            raise
        self._server = server

    async def stop(self) -> None:
        """Hang up and end, within a few seconds, whatever is running."""
        if self._server is None:
            return
        server, self._server = self._server, None
        await server.stop()
        self._remove_private()
        self.changed()

    async def restart(self) -> None:
        """Be a ComfyUI that was restarted: see `away`."""
        async with self.away():
            pass

    @contextlib.asynccontextmanager
    async def away(self) -> AsyncGenerator[None]:
        """Be killed, and started again on the same port at the end.

        Meanwhile nobody is listening. Queue, history, connections, cache, log and the server's
        numbers are lost, and temp files with them; input and output files stay. Does nothing
        before start and after stop.

        Raises:
            OSError: the port was taken meanwhile.
        """
        server = self._server
        if server is not None:
            await server.leave()
            self.changed()
        yield
        if server is not None and server is self._server:
            await server.come_back()
            self.changed()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """Where it listens."""
        name = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{name}:{self.port}"

    @property
    def folder(self) -> Path:
        """Where input, output and temp are; a private one only while it runs."""
        return self._private or self._folder or Path()

    @property
    def running(self) -> str | None:
        """The prompt_id that runs."""
        return self.queue.running[0].prompt_id if self.queue.running else None

    @property
    def pending(self) -> tuple[str, ...]:
        """The prompt_ids that wait, next first."""
        return self.queue.in_order()

    @property
    def finished(self) -> tuple[str, ...]:
        """The prompt_ids in the history, oldest first."""
        return tuple(self.queue.history)

    @property
    def node(self) -> str | None:
        """The id of the node that runs."""
        return self._server.node if self._server is not None else None

    @property
    def clients(self) -> tuple[str, ...]:
        """The clientIds that are connected."""
        return self._server.clients if self._server is not None else ()

    async def until(self, condition: Callable[[EmbeddedHost], bool], seconds: float = 10) -> None:
        """Wait until *condition* holds; it is asked at every change.

        Raises:
            TimeoutError: it did not within *seconds*.
        """
        async with asyncio.timeout(seconds):
            while not condition(self):
                waiter = asyncio.get_running_loop().create_future()
                self._waiters.add(waiter)
                try:
                    await waiter
                finally:
                    self._waiters.discard(waiter)

    def changed(self) -> None:
        """Have all conditions asked again."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def saw(self, seen: Seen) -> None:
        """Note a request."""
        self.seen.append(seen)
        self.changed()

    def _remove_private(self) -> None:
        if self._private is not None:
            with contextlib.suppress(OSError):
                shutil.rmtree(self._private)
            self._private = None


def _profile(name: str) -> Profile:
    if name not in PROFILES:
        known = ", ".join(PROFILES)
        raise ConfigError(f"There is no ComfyUI profile {name!r}; choose one of {known}.")
    return PROFILES[name]
