"""Puts the rooms together: the only place that knows every concrete class.

Nothing is contacted and nothing heavy is imported before a tool needs it, so that a client's first
question is answered at once.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import secrets
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import anyio
from mcp.server.caching import CacheHint
from mcp.server.lowlevel import NotificationOptions
from mcp.server.stdio import stdio_server

from comfy_mcp import __version__
from comfy_mcp.guard.gate import Gate
from comfy_mcp.guard.loading import Loaded, load
from comfy_mcp.library import Library, shipped_folder
from comfy_mcp.settings import Address, Settings
from comfy_mcp.store.sqlite import SqliteStore
from comfy_mcp.tools.front import GuardedServer
from comfy_mcp.workflow import MAX_DRAWN_SEED

if TYPE_CHECKING:
    from comfy_mcp.jobs.manager import Jobs

__all__ = ["Services", "build", "serve"]

log = logging.getLogger(__name__)

INSTRUCTIONS = """\
Runs ComfyUI workflows (pictures, video, sound) on somebody's GPU, under that person's policy.
run_workflow starts a job and waits; get_job follows it; view_output shows a result; cancel_job and
interrupt_execution stop your own jobs, verified. "[POLICY DENIED]" is the owner's decision: tell
the user, honour retry_after_s, and do not look for a way round it."""


def now_ms() -> int:
    """Whole milliseconds since the Unix epoch."""
    return time.time_ns() // 1_000_000


class Services:
    """The services of one server process; opens ComfyUI, or the embedded host, when first asked."""

    def __init__(self, settings: Settings, loaded: Loaded) -> None:
        self.settings = settings
        self.store = SqliteStore(settings.state)
        self.library = Library((*settings.workflows, shipped_folder()))
        self.gate = Gate(
            loaded,
            self.store,
            now_ms=now_ms,
            new_id=lambda: secrets.token_hex(8),
            reconcile=self._reconcile,
        )
        self.pictures = anyio.CapacityLimiter(2)
        self.preparing = anyio.CapacityLimiter(4)
        self._jobs: Jobs | None = None
        self._opening = anyio.Lock()
        self._open = AsyncExitStack()

    async def jobs(self) -> Jobs:
        """Every job on the ComfyUI host."""
        async with self._opening:
            if self._jobs is None:
                self._jobs = await self._connect()
        return self._jobs

    def new_prompt_id(self) -> str:
        """A canonical lowercase UUID: newer versions of ComfyUI take no other."""
        return str(uuid4())

    def draw_seed(self) -> int:
        """A seed for a workflow."""
        return secrets.randbelow(MAX_DRAWN_SEED + 1)

    async def close(self) -> None:
        """Give back connections, the embedded host and the state; jobs on a real host run on."""
        await self._open.aclose()
        await self.store.close()

    async def _connect(self) -> Jobs:
        manager: Any = await anyio.to_thread.run_sync(import_module, "comfy_mcp.jobs.manager")
        client: Any = await anyio.to_thread.run_sync(import_module, "comfy_mcp.host.client")
        address = self.settings.address or await self._embedded()
        host = client.ComfyHost(address, now_ms=now_ms)
        self._open.push_async_callback(host.close)
        label = address.base if self.settings.address else f"embedded:{uuid4()}"
        jobs: Jobs = manager.Jobs(host, self.store, label=label, now_ms=now_ms)
        self._open.push_async_callback(jobs.close)
        return jobs

    async def _embedded(self) -> Address:
        embedded: Any = await anyio.to_thread.run_sync(import_module, "comfy_mcp.embedded")
        host = await self._open.enter_async_context(embedded.EmbeddedHost())
        return Address(host.url)

    async def _reconcile(self, grant: str) -> None:
        await (await self.jobs()).judge.reconcile(grant)


def build(settings: Settings) -> tuple[GuardedServer, Services]:
    """The server that *settings* describe, and its services, which its lifespan closes.

    Raises:
        ConfigError: a policy file cannot be used.
    """
    loaded = load(settings.policies)
    services = Services(settings, loaded)

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncGenerator[Services]:
        try:
            yield services
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(10):
                await services.close()

    server = GuardedServer(
        services,
        settings.grant,
        name="comfy-mcp-guard",
        title="ComfyUI, guarded",
        version=__version__,
        instructions=_instructions(loaded.warnings),
        lifespan=lifespan,
        log_level="WARNING",
        cache_hints={"tools/list": CacheHint(ttl_ms=0, scope="private")},
    )
    return server, services


def serve(settings: Settings) -> None:
    """Speak MCP on stdin and stdout until the client goes.

    Raises:
        ConfigError: a policy file cannot be used.
    """
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.WARNING,
        format="comfy-mcp-guard: %(levelname)s: %(message)s",
    )
    log.setLevel(logging.INFO)
    server, services = build(settings)
    announce(settings, services.gate.loaded)
    # The SDK's types live as long as this process: every collection would look through them again.
    gc.freeze()
    gc.enable()
    anyio.run(_run_stdio, server, settings.protocol == "legacy")


def announce(settings: Settings, loaded: Loaded) -> None:
    """Say on stderr which policy is in force, and what is odd about it or the environment."""
    for source in loaded.sources:
        log.info("policy in force: %s", source)
    for warning in (*loaded.warnings, *settings.warnings):
        log.warning("%s", warning)


def _instructions(warnings: tuple[str, ...]) -> str:
    """What a client reads at the start; clients cut this at 2 kB."""
    lines = [INSTRUCTIONS, *(f"Warning about the policy: {text}" for text in warnings)]
    return "\n".join(lines)[:1_900]


async def _run_stdio(server: GuardedServer, legacy: bool) -> None:
    low = server._lowlevel_server  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    options = low.create_initialization_options(NotificationOptions(tools_changed=True))
    async with stdio_server() as (reader, writer):
        # Once the wire has its own descriptors, a stray print must not reach it, not even at exit.
        with contextlib.redirect_stdout(sys.stderr):
            if not legacy:
                await low.run(reader, writer, options)
                return
            from mcp.server.runner import serve_loop  # noqa: PLC0415 - only for old clients

            async with low.lifespan(low) as state:
                await serve_loop(low, reader, writer, lifespan_state=state, init_options=options)
