"""What a tool works with: the services of this server and who is calling."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import anyio

from comfy_mcp.guard.call import Call, Granted, Upload
from comfy_mcp.guard.gate import Gate
from comfy_mcp.guard.matter import Matter
from comfy_mcp.guard.question import Run

if TYPE_CHECKING:
    from comfy_mcp.jobs.manager import Jobs
    from comfy_mcp.jobs.watch import Live
    from comfy_mcp.knowledge import Knowledge
    from comfy_mcp.library import Library
    from comfy_mcp.settings import Settings
    from comfy_mcp.shelf import Shelf
    from comfy_mcp.store.protocol import NewJob

__all__ = ["App", "Caller", "Say", "silent"]

Result = TypeVar("Result")

Say = Callable[[float, str], Awaitable[None]]
"""Tells the client about progress: percent, and a few words."""


class App(Protocol):
    """The services of one server; *jobs* opens the connection to ComfyUI when first asked."""

    @property
    def gate(self) -> Gate:
        """Who may do what."""
        ...

    @property
    def library(self) -> Library:
        """The workflows that can be run by name."""
        ...

    @property
    def shelf(self) -> Shelf:
        """All workflows that can be run by name: the library's, and those that ComfyUI keeps."""
        ...

    @property
    def knowledge(self) -> Knowledge:
        """What is known of node classes."""
        ...

    @property
    def settings(self) -> Settings:
        """What the environment and the command line say."""
        ...

    @property
    def pictures(self) -> anyio.CapacityLimiter:
        """How many pictures are worked on at once."""
        ...

    @property
    def preparing(self) -> anyio.CapacityLimiter:
        """How many workflows are read and filled at once."""
        ...

    @property
    def place(self) -> str:
        """Where ComfyUI is, without credentials, or ``embedded``."""
        ...

    async def jobs(self) -> Jobs:
        """Every job on the ComfyUI host."""
        ...

    def keep(self, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        """Do *work* in a task that outlives the call; at the server's end it has little time."""
        ...

    def new_prompt_id(self) -> str:
        """A canonical lowercase UUID."""
        ...

    def draw_seed(self) -> int:
        """A seed for a workflow."""
        ...


async def silent(_percent: float, _words: str) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls what.

    *tool* is the name it was called by; *identity* the caller's name as the transport gives it,
    *grant* who that is in the policy, in journal and counters; *args* what it was called with,
    defaults filled in, None while that is not known. *asks_client*: where a person has to decide,
    the client is asked first. *roots* are folders that the client declares, where those count.
    """

    tool: str
    identity: str
    grant: str
    transport: str = "stdio"
    client: str | None = None
    args: Mapping[str, Any] | None = None
    say: Say = silent
    asks_client: bool = False
    roots: tuple[Path, ...] = ()

    def call(
        self,
        *,
        run: Run | None = None,
        job: NewJob | None = None,
        target: str | None = None,
        owner: str | None = None,
        whatever_runs: bool = False,
        stop_ms: int | None = None,
        targets: tuple[str, ...] = (),
        upload: Upload | None = None,
        frees: bool = False,
    ) -> Call:
        """This call as the guard sees it."""
        return Call(
            tool=self.tool,
            identity=self.identity,
            grant=self.grant,
            transport=self.transport,
            client=self.client,
            args=self.args,
            run=run,
            job=job,
            target=target,
            owner=owner,
            whatever_runs=whatever_runs,
            stop_ms=stop_ms,
            targets=targets,
            upload=upload,
            frees=frees,
        )

    def admitted(self, app: App, call: Call) -> AbstractAsyncContextManager[Granted]:
        """The leave for *call*, one of this caller's; a person may have to be waited for."""
        return app.gate.admit(call, _PlainMatter(self, call))

    async def tell(self, live: Live) -> None:
        """Say how far a job is."""
        if live.status == "pending":
            place = f"position {live.position} in the queue" if live.position else "pending"
            await self.say(0.0, place)
            return
        step = f", step {live.value:.0f} of {live.most:.0f}" if live.counted else ""
        where = f"node {live.node_id}" if live.node_id else "running"
        await self.say(live.percent, where + step)


class _PlainMatter(Matter):
    """A call whose arguments and targets say all about it."""

    def __init__(self, caller: Caller, call: Call) -> None:
        super().__init__(call)
        self.asks_client = caller.asks_client
        self._say = caller.say

    async def say(self, words: str) -> None:
        """Tell the client that its call waits."""
        await self._say(0.0, words)
