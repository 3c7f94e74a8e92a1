"""Puts the rooms together: the only place that knows every concrete class.

Nothing is contacted and nothing heavy is imported before a tool needs it, so that a client's first
question is answered at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import secrets
import sys
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

import anyio
from mcp.server.caching import CacheHint
from mcp.server.stdio import stdio_server

from comfy_mcp import __version__
from comfy_mcp.errors import StateError
from comfy_mcp.guard.gate import Gate
from comfy_mcp.guard.loading import Loaded
from comfy_mcp.guard.source import PolicySource
from comfy_mcp.knowledge import Knowledge
from comfy_mcp.library import Library, SavedWorkflows, shipped_folder
from comfy_mcp.notify import Webhooks, webhook_key
from comfy_mcp.program import command
from comfy_mcp.settings import EMBEDDED, Address, Settings, default_state
from comfy_mcp.shelf import Shelf
from comfy_mcp.store.folder import FILE
from comfy_mcp.store.protocol import ApprovalRow
from comfy_mcp.store.sqlite import SqliteStore
from comfy_mcp.tools.eliciting import ASK_SECONDS
from comfy_mcp.tools.front import GuardedServer
from comfy_mcp.tools.instructions import instructions
from comfy_mcp.tools.table import offered
from comfy_mcp.tools.trace import trace_decision
from comfy_mcp.workflow import MAX_DRAWN_SEED

if TYPE_CHECKING:
    from comfy_mcp.jobs.manager import Jobs

__all__ = ["Services", "build", "now_ms", "serve"]

log = logging.getLogger(__name__)


Result = TypeVar("Result")

LAST_SECONDS = 4.0
"""For a submit or a stop that is under way when the client goes; clients kill a slow server."""


def now_ms() -> int:
    """Whole milliseconds since the Unix epoch."""
    return time.time_ns() // 1_000_000


class Services:
    """The services of one server process; opens ComfyUI, or the embedded host, when first asked."""

    def __init__(self, settings: Settings, now_ms: Callable[[], int] = now_ms) -> None:
        self.settings = settings
        self._now_ms = now_ms
        self.source = PolicySource(
            settings.policies, on_bad="freeze" if settings.on_bad_reload == "freeze" else "keep"
        )
        self.store = SqliteStore(settings.state)
        # Another process has another embedded host: their jobs have nothing to do with each other.
        self.label = settings.address.label if settings.address else f"embedded:{uuid4()}"
        self.library = Library((*settings.workflows, shipped_folder()))
        self.shelf = Shelf(
            self.library, SavedWorkflows(settings.state / "workflows", now_ms=now_ms)
        )
        self.knowledge = Knowledge()
        self.gate = Gate(
            self.source,
            self.store,
            now_ms=now_ms,
            new_id=lambda: secrets.token_hex(8),
            reconcile=self._reconcile,
            told=trace_decision,
            host=self.label,
            parked=self._parked,
            command=self._command,
            offered=offered(settings.toolsets, read_only=settings.read_only),
        )
        self.webhooks = Webhooks(
            lambda: self.source.current.policy.webhooks,
            lambda: webhook_key(settings.state),
            now_ms=now_ms,
            command=self._command,
        )
        self.pictures = anyio.CapacityLimiter(2)
        self.preparing = anyio.CapacityLimiter(4)
        self._outdated = ""
        self._jobs: Jobs | None = None
        self._opening = anyio.Lock()
        self._open = AsyncExitStack()
        self._adopting: asyncio.Task[None] | None = None
        self._kept: set[asyncio.Task[Any]] = set()

    def _parked(self, row: ApprovalRow) -> None:
        """A request to a person was made: those who are to be told are told, some time."""
        log.info("%s asks a person: %s", row.grant, self._command(row.approval_id))
        self.webhooks.tell(row)

    def _command(self, approval_id: str) -> str:
        words = ("approvals", "show", approval_id)
        return command(*words, state=self.settings.state, default_state=default_state())

    @property
    def place(self) -> str:
        """Where ComfyUI is, without credentials, or ``embedded``."""
        return self.settings.address.base if self.settings.address else EMBEDDED

    async def jobs(self) -> Jobs:
        """Every job on the ComfyUI host."""
        async with self._opening:
            if self._jobs is None:
                self._jobs = await self._connect()
                self._adopting = asyncio.create_task(_adopt(self._jobs))
        return self._jobs

    async def take_over(self) -> None:
        """Connect if earlier processes left jobs on this ComfyUI unfinished; else stay idle.

        Raises:
            StateError: the journal cannot be read.
        """
        address = self.settings.address
        # Looking must not make a state where none is.
        if address is None or not await anyio.Path(self.settings.state, FILE).exists():
            return
        if await self.store.unfinished(host=address.label):
            await self.jobs()

    async def outdate_requests(self) -> None:
        """End what was asked of people under a policy that has been edited since.

        Raises:
            StateError: the state cannot be used; tried again at the next look.
        """
        revision = self.source.current.revision
        # Looking must not make a state where none is.
        if revision == self._outdated or not await anyio.Path(self.settings.state, FILE).exists():
            return
        await self.gate.requests.outdate(self.gate.grant(self.settings.grant))
        self._outdated = revision

    def keep(self, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        """Do *work* in a task that outlives the call that began it, if not for long the server."""
        task = asyncio.create_task(work)
        self._kept.add(task)
        task.add_done_callback(self._let_go)
        return task

    def _let_go(self, task: asyncio.Task[Any]) -> None:
        self._kept.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            # Whoever waited for it was told; where nobody did any more, this says so.
            log.debug("Work of a call ended so: %s", error)

    def new_prompt_id(self) -> str:
        """A canonical lowercase UUID: newer versions of ComfyUI take no other."""
        return str(uuid4())

    def draw_seed(self) -> int:
        """A seed for a workflow."""
        return secrets.randbelow(MAX_DRAWN_SEED + 1)

    async def close(self) -> None:
        """Give back connections, the embedded host and the state; jobs on a real host run on."""
        if self._adopting is not None:
            self._adopting.cancel()
            await asyncio.wait([self._adopting])
        await self._finish()
        await self.webhooks.close()
        await self._open.aclose()
        await self.store.close()

    async def _finish(self) -> None:
        """Let what cancelled calls left to do come to its end, for a moment."""
        if self._kept:
            _, late = await asyncio.wait(self._kept, timeout=LAST_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _connect(self) -> Jobs:
        manager: Any = await anyio.to_thread.run_sync(import_module, "comfy_mcp.jobs.manager")
        client: Any = await anyio.to_thread.run_sync(import_module, "comfy_mcp.host.client")
        address = self.settings.address or await self._embedded()
        host = client.ComfyHost(address, now_ms=self._now_ms)
        self._open.push_async_callback(host.close)
        label = self.label
        jobs: Jobs = manager.Jobs(
            host, self.store, label=label, now_ms=self._now_ms, overtime=self.gate.overtime
        )
        self._open.push_async_callback(jobs.close)
        return jobs

    async def _embedded(self) -> Address:
        embedded: Any = await anyio.to_thread.run_sync(import_module, "comfy_mcp.embedded")
        host = await self._open.enter_async_context(embedded.EmbeddedHost())
        return Address(host.url)

    async def _reconcile(self, grant: str) -> None:
        await (await self.jobs()).judge.reconcile(grant)


def build(
    settings: Settings,
    *,
    look_seconds: float = 1.0,
    ask_seconds: float = ASK_SECONDS,
    now_ms: Callable[[], int] = now_ms,
) -> tuple[GuardedServer, Services]:
    """The server that *settings* describe, and its services, which its lifespan closes.

    *now_ms* is the clock. Every call looks whether the policy's files have changed; besides,
    somebody looks every *look_seconds*, so that clients learn of changes while nobody calls. A
    client may take *ask_seconds* to answer for its user, where the policy lets it.

    Raises:
        ConfigError: a policy file cannot be used.
    """
    services = Services(settings, now_ms)

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncGenerator[Services]:
        looking = asyncio.create_task(_look(server, services, look_seconds))
        taking = asyncio.create_task(_take_over(services, look_seconds))
        try:
            yield services
        finally:
            looking.cancel()
            taking.cancel()
            with anyio.CancelScope(shield=True), anyio.move_on_after(10):
                await asyncio.wait([looking, taking])
                await services.close()

    server = GuardedServer(
        services,
        settings.grant,
        ask_seconds=ask_seconds,
        name="comfy-mcp-guard",
        title="ComfyUI, guarded",
        version=__version__,
        instructions=instructions(services.gate, settings.grant),
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
    announce(settings, services.source.current)
    services.source.on_change(_announce_change)
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


def _announce_change(old: Loaded, new: Loaded) -> None:
    """Say on stderr that another policy is in force, and what is odd about it that was not."""
    log.info("policy read again: %s (revision %s)", ", ".join(new.sources), _short(new.revision))
    for warning in new.warnings:
        if warning not in old.warnings:
            log.warning("%s", warning)


def _short(revision: str) -> str:
    return revision.removeprefix("sha256:")[:12]


async def _look(server: GuardedServer, services: Services, every: float) -> None:
    """Look at the policy's files from time to time, and tell clients what they would miss.

    A change that a call noticed is told at once.
    """
    noticed = asyncio.Event()
    services.source.on_change(lambda _old, _new: noticed.set())
    while True:
        with anyio.move_on_after(every):
            await noticed.wait()
        noticed.clear()
        try:
            await services.source.refresh()
            await services.outdate_requests()
            await server.tell_changes()
        except Exception:
            log.exception("The tools that are offered could not be looked at; trying again.")


async def _take_over(services: Services, after: float) -> None:
    """Soon after the start, when the client's first questions are answered."""
    await asyncio.sleep(after)
    try:
        await services.take_over()
    except StateError:
        log.exception("Whether earlier processes left jobs unfinished cannot be seen.")


async def _adopt(jobs: Jobs) -> None:
    """Follow the jobs that earlier processes left unfinished; calls do not wait for it."""
    try:
        await jobs.adopt()
    except Exception:
        log.exception("Unfinished jobs of earlier processes could not all be taken over.")


async def _run_stdio(server: GuardedServer, legacy: bool) -> None:
    # The SDK has no public name for it, and its own stdio run cannot be given streams.
    low = server._lowlevel_server  # noqa: SLF001 - as above  # pyright: ignore[reportPrivateUsage]
    options = low.create_initialization_options()
    async with stdio_server() as (reader, writer):
        # Once the wire has its own descriptors, a stray print must not reach it, not even at exit.
        with contextlib.redirect_stdout(sys.stderr):
            if not legacy:
                await low.run(reader, writer, options)
                return
            from mcp.server.runner import serve_loop  # noqa: PLC0415 - only for old clients

            async with low.lifespan(low) as state:
                await serve_loop(low, reader, writer, lifespan_state=state, init_options=options)
