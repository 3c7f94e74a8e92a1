"""The HTTP side of an embedded host: one application, its worker, their life."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from comfy_mcp.accepting import no_more
from comfy_mcp.embedded.access import access_check
from comfy_mcp.embedded.credential import key_check
from comfy_mcp.embedded.engine import Engine
from comfy_mcp.embedded.features import MAX_UPLOAD
from comfy_mcp.embedded.host import CLOUD_KEY
from comfy_mcp.embedded.nodes import catalogue
from comfy_mcp.embedded.routes import build_routes
from comfy_mcp.embedded.routes.cloud import build_routes as cloud_routes
from comfy_mcp.embedded.routes.cloud_files import Storage
from comfy_mcp.embedded.spoil import Spoiler
from comfy_mcp.embedded.watch import watcher
from comfy_mcp.embedded.worker import Worker

if TYPE_CHECKING:
    from comfy_mcp.embedded.host import EmbeddedHost
    from comfy_mcp.embedded.paths import Folders

__all__ = ["Server"]

STOP_SECONDS = 2.0


class Server:
    """What runs between start and stop."""

    def __init__(self, host: EmbeddedHost, folders: Folders) -> None:
        self._host = host
        self._engine = Engine(
            host.profile,
            lambda: host.faults,
            catalogue(host.profile, demo_nodes=host.demo_nodes),
            folders,
            host.queue,
            host.log,
            host.changed,
        )
        self._web_root = Path(tempfile.mkdtemp(prefix="comfyui-embedded-web-"))
        self._runner: web.AppRunner | None = None
        self._door: asyncio.Server | None = None
        self._address = ("", 0)
        self._tasks: list[asyncio.Task[None]] = []
        self._worker = Worker(self._engine)
        self._spoiler = Spoiler(lambda: host.faults)
        self._storage = Storage(folders, secrets.token_bytes(16))
        self._storage_runner: web.AppRunner | None = None
        self._storage_door: asyncio.Server | None = None
        self._storage_url = ""

    @property
    def node(self) -> str | None:
        """The node that runs."""
        return self._worker.node

    @property
    def clients(self) -> tuple[str, ...]:
        """Who is connected."""
        return tuple(self._engine.sockets.clients)

    async def start(self, host: str, port: int) -> int:
        """Listen; the port that was got."""
        self._runner = web.AppRunner(
            self._application(),
            access_log=None,
            logger=self._engine.logger,
            shutdown_timeout=STOP_SECONDS,
        )
        await self._runner.setup()
        try:
            self._door = await _opened(self._runner, host, port)
        except OSError:
            await self.stop()
            raise
        if self._host.profile.cloud:
            await self._open_storage(host)
        self._begin()
        self._address = (host, _port(self._door))
        return self._address[1]

    async def stop(self) -> None:
        """End everything, within a few seconds."""
        for task in self._tasks:
            # First: what waits must not begin, and end at once, while requests are still answered.
            task.cancel()
        self._engine.signal.abandoned.set()
        self._spoiler.end()
        await self._engine.sockets.close()
        await _shut(self._door, self._storage_door)
        self._door = self._storage_door = None
        for runner in (self._runner, self._storage_runner):
            if runner is not None:
                await runner.cleanup()
        await self._end()
        shutil.rmtree(self._web_root, ignore_errors=True)

    async def leave(self) -> None:
        """Be killed: nothing listens, every connection drops; all that a process knows is lost."""
        await _shut(self._door)
        self._door = None
        self._hang_up()
        await self._end()
        self._engine.forget()

    async def come_back(self) -> None:
        """Listen again on the same port; what was temporary is gone.

        Raises:
            OSError: the port was taken meanwhile.
        """
        for each in self._engine.folders.temp.iterdir():
            shutil.rmtree(each) if each.is_dir() else each.unlink()
        if self._runner is None:
            raise RuntimeError("the host was stopped")
        self._door = await _opened(self._runner, *self._address)
        self._begin()

    def _hang_up(self) -> None:
        """Drop every connection without a word, as the end of a process does."""
        self._engine.signal.abandoned.set()
        self._spoiler.end()
        server = self._runner.server if self._runner is not None else None
        for each in list(server.connections) if server is not None else ():
            if each.transport is not None:
                each.transport.abort()

    def _begin(self) -> None:
        self._worker = Worker(self._engine)
        work = (self._worker.work(), self._engine.sockets.publish())
        self._tasks = [asyncio.create_task(each) for each in work]

    async def _end(self) -> None:
        if not self._tasks:
            return
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._tasks = []
        # A node that is still at it ends at its next check; until then it may write files.
        idle = asyncio.get_running_loop().run_in_executor(self._worker.threads, int)
        await asyncio.wait({idle}, timeout=STOP_SECONDS)
        self._worker.threads.shutdown(wait=False, cancel_futures=True)

    def _application(self) -> web.Application:
        profile, engine = self._host.profile, self._engine
        middlewares = [
            watcher(self._host),
            self._spoiler.middleware(),
            key_check(CLOUD_KEY) if profile.cloud else access_check(profile),
        ]
        app = web.Application(client_max_size=MAX_UPLOAD, middlewares=middlewares)
        if profile.cloud:
            app.add_routes(cloud_routes(engine, self._storage, lambda: self._storage_url))
        else:
            app.add_routes(build_routes(engine))
            app.router.add_static("/", self._web_root)
        return app

    async def _open_storage(self, host: str) -> None:
        """Listen where files are given out: another port, so another origin."""
        app = web.Application(middlewares=[watcher(self._host)])
        app.add_routes(self._storage.routes())
        self._storage_runner = web.AppRunner(app, access_log=None, logger=self._engine.logger)
        await self._storage_runner.setup()
        self._storage_door = await _opened(self._storage_runner, host, 0)
        name = f"[{host}]" if ":" in host else host
        self._storage_url = f"http://{name}:{_port(self._storage_door)}"


async def _opened(runner: web.AppRunner, host: str, port: int) -> asyncio.Server:
    """Let in on *port* of *host* who comes; 0: any free port."""
    if runner.server is None:
        raise RuntimeError("the runner was not set up")
    return await asyncio.get_running_loop().create_server(runner.server, host, port)


async def _shut(*doors: asyncio.Server | None) -> None:
    """Listen no more; who was let in until now is a connection like any other."""
    opened = [each for each in doors if each is not None]
    await no_more(socket for door in opened for socket in door.sockets)
    for door in opened:
        door.close()


def _port(door: asyncio.Server) -> int:
    return int(door.sockets[0].getsockname()[1])
