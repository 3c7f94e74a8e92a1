"""The whole house on one stage: MCP clients, servers, a ComfyUI on real sockets, and an account.

Whatever a test does on it, at the end every job that a server wrote down is compared with what
ComfyUI did (`Stage.account`).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
from mcp import Client

from comfy_mcp.embedded import Faults
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.host.transport import Timeouts
from comfy_mcp.jobs.manager import Jobs
from comfy_mcp.jobs.pace import Pace
from comfy_mcp.jobs.table import MOVES, ends
from comfy_mcp.server import Services, build, now_ms
from comfy_mcp.settings import Address, Settings
from comfy_mcp.store import JobRow, SqliteStore
from comfy_mcp.store.folder import FILE
from tests.embedded.desk import txt2img
from tests.faults.witness import WitnessedHost
from tests.tools.desk import EVERYTHING, Desk

__all__ = [
    "BOUND",
    "BUSY",
    "FORGETFUL",
    "HELD",
    "QUICK",
    "TIMES",
    "BoundedDesk",
    "Stage",
    "by_hand",
    "fitted",
    "lengthy",
]

QUICK = Pace(
    live=0.5,
    least=0.02,
    most=0.1,
    doubt=0.05,
    search=0.3,
    forget=30.0,
    sweep=0.3,
    stop=5.0,
    again=0.1,
    silence=0.2,
)
"""Looks often enough for tests; a submit that a slow machine holds up is not given up."""

FORGETFUL = replace(QUICK, forget=0.4, sweep=60.0)
"""Soon counts a job as lost that never came; none that is still on its way is looked at."""

TIMES = Timeouts(connect=10, answer=10, submit=10, known=10, breakdown=0.2)
"""What is answered at all is answered within these."""

BUSY = Faults(node_ms=600_000)
"""The running node ends when the weather clears."""

HELD = Faults(step_ms=100)
"""The weather in which a `lengthy` job does not end within `BOUND`."""

BOUND = 20.0
"""Seconds in which every call must be answered, whatever is broken."""

JOURNALED = 1_000


@dataclass
class BoundedDesk(Desk):
    """A client that is answered within *bound* seconds, or the test fails."""

    bound: float = BOUND

    async def call(self, tool: str, **arguments: Any) -> Any:
        """Call a tool; the raw result."""
        async with asyncio.timeout(self.bound):
            return await super().call(tool, **arguments)


@dataclass
class Stage:
    """One state folder below *folder*; *hosts* are all ComfyUIs that ever stood here.

    *unfinished*: jobs that may be left without an end, because that is the truth about them.
    *by_hand*: ids of ours that somebody else sent, too.
    """

    folder: Path
    stack: AsyncExitStack
    pace: Pace = QUICK
    hosts: list[WitnessedHost] = field(default_factory=list[WitnessedHost])
    urls: set[str] = field(default_factory=set[str])
    unfinished: set[str] = field(default_factory=set[str])
    by_hand: set[str] = field(default_factory=set[str])

    @property
    def state(self) -> Path:
        """What all servers here share."""
        return self.folder / "state"

    async def comfyui(self, **more: Any) -> WitnessedHost:
        """Start a ComfyUI; *more* goes to `EmbeddedHost`."""
        folder = self.folder / f"comfyui-{len(self.hosts)}"
        host = WitnessedHost(folder=folder, **more)
        self.hosts.append(host)
        return await self.stack.enter_async_context(host)

    @asynccontextmanager
    async def sit(
        self,
        host: WitnessedHost,
        *,
        url: str | None = None,
        policy: dict[str, Any] | None = None,
        grant: str = "local",
        pace: Pace | None = None,
        timeouts: Timeouts = TIMES,
        clock: Callable[[], int] = now_ms,
        max_json: int | None = None,
        look_seconds: float = 0.2,
        patience_ms: int = 5_000,
        headers: Mapping[str, str] | None = None,
        bound: float = BOUND,
    ) -> AsyncGenerator[Desk]:
        """A client at a server of its own, which reaches *host* at *url*."""
        if url is not None:
            self.urls.add(url)
        file = self.folder / f"policy-{grant}.json"
        file.write_text(json.dumps(policy or EVERYTHING))
        settings = Settings(
            address=Address(url or host.url, headers or {}),
            policies=(file,),
            state=self.state,
            grant=grant,
        )
        server, services = build(settings, look_seconds=look_seconds, now_ms=clock)
        services.store._database._patience_s = patience_ms / 1000
        services.store._worker._patience_s = patience_ms / 1000
        fitted(services, pace=pace or self.pace, timeouts=timeouts, clock=clock, max_json=max_json)
        async with Client(server) as client:
            yield BoundedDesk(client, services, bound=bound)

    async def rows(self) -> tuple[JobRow, ...]:
        """Everything that the journal knows of the ComfyUIs here."""
        if not (self.state / FILE).exists():
            return ()
        store = SqliteStore(self.state)
        try:
            urls = {host.url for host in self.hosts} | self.urls
            told = [
                await store.jobs(url, statuses=frozenset(MOVES), count=JOURNALED) for url in urls
            ]
            return tuple(row for rows in told for row in rows)
        finally:
            await store.close()

    async def settled(self) -> tuple[JobRow, ...]:
        """The journal, once it has the end of every job; nobody asks ComfyUI for it here."""
        async with asyncio.timeout(BOUND):
            rows = await self.rows()
            while not all(ends(row.status) for row in rows):
                await asyncio.sleep(0.02)
                rows = await self.rows()
        return rows

    async def account(self) -> list[str]:
        """What is not true of a job in the journal, in words; [] is as it should be."""
        return [
            f"{row.prompt_id} is {row.status}, but {wrong}"
            for row in await self.rows()
            for wrong in self.faults(row)
        ]

    def faults(self, row: JobRow) -> list[str]:
        """What is not true of one job."""
        ours = row.prompt_id
        names = [(host, host.name_of(ours)) for host in self.hosts]
        posts = sum(host.posts(ours) for host in self.hosts)
        starts = sum(host.starts[name] for host, name in names)
        ended = [host.ends[name] for host, name in names if name in host.ends]
        there = any(host.has(name) for host, name in names)
        left = not ends(row.status) and ours not in self.unfinished
        return [
            wrong
            for wrong, so in (
                (f"was sent {posts} times", posts > 1 + (ours in self.by_hand)),
                (f"ran {starts} times", starts > 1),
                (f"ended {ended or 'never'}", not _agrees(row.status, starts, ended, there=there)),
                ("was left so", left),
            )
            if so
        ]


def _agrees(status: str, starts: int, ended: list[str], *, there: bool) -> bool:
    """Whether what the journal says of a job is what ComfyUI did with it."""
    match status:
        case "completed":
            return ended == ["success"]
        case "failed":
            return ended == ["error"]
        case "cancelled":
            return ended == ["interrupted"] or (starts == 0 and not there)
        case "refused":
            return starts == 0 and not there
        case "lost":
            return not there
        case _:
            return True


def fitted(
    services: Services,
    *,
    pace: Pace,
    timeouts: Timeouts,
    clock: Callable[[], int],
    max_json: int | None = None,
    host_class: type[ComfyHost] = ComfyHost,
) -> None:
    """Have *services* connect as they do, at another pace."""
    address = services.settings.address
    if address is None:
        raise AssertionError("these services have no ComfyUI")
    more = {} if max_json is None else {"max_json": max_json}

    async def connect() -> Jobs:
        host = host_class(address, now_ms=clock, timeouts=timeouts, pause=0.01, **more)
        services._open.push_async_callback(host.close)
        jobs = Jobs(
            host,
            services.store,
            label=address.base,
            now_ms=clock,
            overtime=services.gate.overtime,
            pace=pace,
        )
        services._open.push_async_callback(jobs.close)
        return jobs

    vars(services)["_connect"] = connect


def lengthy() -> dict[str, Any]:
    """A job that runs for as long as `HELD` is the weather, and can be stopped at any step."""
    return txt2img(steps=4_000)


async def by_hand(host: WitnessedHost, body: dict[str, Any]) -> dict[str, Any]:
    """POST /prompt as a person's own ComfyUI window does, past the guard."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{host.url}/api/prompt", json=body) as answer,
    ):
        told: dict[str, Any] = await answer.json()
        assert answer.status == 200, told
        return told
