"""The HTTP side of an embedded host: one application, its worker, their life."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from comfy_mcp.embedded.access import access_check
from comfy_mcp.embedded.engine import Engine
from comfy_mcp.embedded.features import MAX_UPLOAD
from comfy_mcp.embedded.nodes import catalogue
from comfy_mcp.embedded.routes import build_routes
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
        self._tasks: list[asyncio.Task[None]] = []
        self._worker = Worker(self._engine)

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
            await web.TCPSite(self._runner, host, port).start()
        except OSError:
            await self.stop()
            raise
        self._begin()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """End everything, within a few seconds."""
        self._engine.signal.abandoned.set()
        await self._engine.sockets.close()
        if self._runner is not None:
            await self._runner.cleanup()
        await self._end()
        shutil.rmtree(self._web_root, ignore_errors=True)

    async def restart(self) -> None:
        """Lose queue, history and connections; keep the port."""
        self._engine.signal.abandoned.set()
        await self._end()
        await self._engine.sockets.close()
        self._engine.forget()
        for each in self._engine.folders.temp.iterdir():
            shutil.rmtree(each) if each.is_dir() else each.unlink()
        self._begin()

    def _begin(self) -> None:
        self._worker = Worker(self._engine)
        work = (self._worker.work(), self._engine.sockets.publish())
        self._tasks = [asyncio.create_task(each) for each in work]

    async def _end(self) -> None:
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
        middlewares = [watcher(self._host), access_check(self._host.profile)]
        app = web.Application(client_max_size=MAX_UPLOAD, middlewares=middlewares)
        app.add_routes(build_routes(self._engine))
        app.router.add_static("/", self._web_root)
        return app
