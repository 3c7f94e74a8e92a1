"""A receiver of notifications on a real socket, and requests to tell it of."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
from aiohttp import web

from comfy_mcp.notify import Pace, Webhooks
from comfy_mcp.store.asked import ApprovalRow

NOW_MS = 1_767_614_400_000
"""2026-01-05, a Monday, at 12:00 UTC."""

KEY = bytes(range(32))
COMMAND = "comfy-mcp-guard approvals show"


@dataclass(frozen=True)
class Heard:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def told(self) -> dict[str, Any]:
        """The body as JSON."""
        told: dict[str, Any] = json.loads(self.body)
        return told


Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Receiver:
    """Answers with *statuses* in turn, the last one for ever, or as *answering* does."""

    statuses: list[int] = field(default_factory=lambda: [200])
    headers: dict[str, str] = field(default_factory=dict)
    answering: Answering | None = None
    heard: list[Heard] = field(default_factory=list)
    base: str = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Remember *request* and answer it."""
        body = await request.read()
        self.heard.append(Heard(request.raw_path, dict(request.headers), body))
        if self.answering is not None:
            return await self.answering(request)
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return web.Response(status=status, headers=self.headers)

    async def hears(self, count: int) -> None:
        """Wait until *count* requests have come."""
        with anyio.fail_after(30):
            while len(self.heard) < count:
                await anyio.lowlevel.checkpoint()


@asynccontextmanager
async def listening(receiver: Receiver | None = None) -> AsyncIterator[Receiver]:
    """A receiver that listens on this machine."""
    made = receiver or Receiver()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", made.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.01)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()


@dataclass
class Bench:
    """Webhooks with a clock of their own, on which pauses take their time at once."""

    urls: tuple[str, ...]
    pace: Pace = field(default_factory=Pace)
    key: Callable[[], bytes] = lambda: KEY
    now_ms: int = NOW_MS
    paused: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.webhooks = Webhooks(
            lambda: self.urls,
            self.key,
            now_ms=lambda: self.now_ms,
            command=lambda approval_id: f"{COMMAND} {approval_id}",
            pace=self.pace,
            sleep=self._pause,
        )

    async def _pause(self, seconds: float) -> None:
        self.paused.append(seconds)
        self.now_ms += round(seconds * 1000)
        await anyio.lowlevel.checkpoint()

    async def done(self) -> None:
        """Wait until nothing waits to be sent, and nothing is being sent."""
        with anyio.fail_after(30):
            await self.webhooks._waiting.join()


@asynccontextmanager
async def bench(*urls: str, **keys: Any) -> AsyncIterator[Bench]:
    """Webhooks, closed in the end."""
    made = Bench(urls, **keys)
    try:
        yield made
    finally:
        await made.webhooks.close()


def asked(number: int = 0, **keys: Any) -> ApprovalRow:
    """A request to run a workflow; *keys* are those of the row."""
    facts = {"tool": "run_workflow", "workflow": "txt2img", "graph": {"nodes": 7, "steps": 30}}
    known: dict[str, Any] = {
        "approval_id": f"apr_{number:016x}",
        "kind": "call",
        "grant": "ann",
        "host": "h",
        "tool": "run_workflow",
        "match": "m",
        "effect": "e",
        "policy": "p",
        "payload": {},
        "facts": facts,
        "channel": "operator",
        "client": None,
        "status": "pending",
        "created_ms": NOW_MS,
        "expires_ms": NOW_MS + 3_600_000,
    }
    return ApprovalRow(**(known | keys))
