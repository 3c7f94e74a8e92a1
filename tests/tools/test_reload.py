"""A policy edited under a running server: what callers may do follows, and clients are told."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.types import ToolListChangedNotification

from comfy_mcp.embedded import EmbeddedHost, Faults
from comfy_mcp.server import build, now_ms
from comfy_mcp.settings import Address, Settings
from tests.tools.desk import EVERYTHING, Desk, card, sent

pytestmark = pytest.mark.anyio

YEARS_MS = 100 * 366 * 24 * 3_600_000
SOMEBODY = "00000000-0000-4000-8000-000000000000"
NOTHING: dict[str, Any] = {"version": "1", "default": "deny"}


def without(*names: str) -> dict[str, Any]:
    """Everything but the tools of these *names*."""
    tools = {name: rule for name, rule in EVERYTHING["tools"].items() if name not in names}
    return {**EVERYTHING, "tools": tools}


@dataclass
class Clock:
    """The time, and what tests add to it."""

    skipped_ms: int = 0

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return now_ms() + self.skipped_ms


@dataclass
class Room(Desk):
    """A desk whose policy can be edited, and which hears that its list of tools has changed."""

    server: Any = None
    clock: Clock = field(default_factory=Clock)
    file: Path = Path()
    heard: asyncio.Queue[None] = field(default_factory=asyncio.Queue)

    def write(self, policy: dict[str, Any] | str) -> None:
        """Edit the policy, in one step as a careful editor does."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(policy if isinstance(policy, str) else json.dumps(policy))
        fresh.replace(self.file)

    async def told(self) -> None:
        """Wait for the news."""
        await asyncio.wait_for(self.heard.get(), 20)

    async def names(self) -> list[str]:
        """The tools that are listed."""
        return [tool.name for tool in (await self.client.list_tools()).tools]


Enter = Callable[..., AbstractAsyncContextManager[Room]]


@pytest.fixture
def enter(host: EmbeddedHost, tmp_path: Path, era: str) -> Enter:
    """Opens a room; *look_seconds* is how often the policy is looked at while nobody calls."""

    @asynccontextmanager
    async def opened(
        policy: dict[str, Any] = EVERYTHING, *, look_seconds: float = 0.02, on_bad: str = "keep"
    ) -> AsyncGenerator[Room]:
        file = tmp_path / "policy.json"
        file.write_text(json.dumps(policy))
        settings = Settings(
            address=Address(host.url),
            policies=(file,),
            state=tmp_path / "state",
            workflows=(tmp_path / "own",),
            on_bad_reload=on_bad,
        )
        clock = Clock()
        server, services = build(settings, look_seconds=look_seconds, now_ms=clock.now_ms)
        heard: asyncio.Queue[None] = asyncio.Queue()

        async def hear(message: Any) -> None:
            # Before 2026 notifications come unasked; since then they come on the stream below.
            if isinstance(message, ToolListChangedNotification) and era == "legacy":
                heard.put_nowait(None)

        async with Client(server, mode=era, message_handler=hear) as client:
            room = Room(client, services, server=server, clock=clock, file=file, heard=heard)
            if era == "legacy":
                yield room
                return
            async with client.listen(tools_list_changed=True) as news, listening(news, heard):
                yield room

    return opened


@asynccontextmanager
async def listening(news: Any, heard: asyncio.Queue[None]) -> AsyncGenerator[None]:
    async def listen() -> None:
        async for _ in news:
            heard.put_nowait(None)

    task = asyncio.create_task(listen())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_an_edit_counts_from_the_next_call(enter: Enter, host: EmbeddedHost) -> None:
    async with enter(look_seconds=3600) as room:
        await room.ask("run_workflow", workflow=card(1))
        asked = len(sent(host))

        room.write(without("run_workflow"))
        words, _ = await room.refusal("run_workflow", workflow=card(2))
        assert len(sent(host)) == asked

        room.write(EVERYTHING)
        await room.ask("run_workflow", workflow=card(3))

    assert "run_workflow" in words


async def test_clients_are_told_while_nobody_calls(enter: Enter) -> None:
    async with enter() as room:
        before = await room.names()

        room.write(without("cancel_job"))
        await room.told()
        after = await room.names()

        room.write(EVERYTHING)
        await room.told()
        assert await room.names() == before

    assert set(before) - set(after) == {"cancel_job"}


async def test_clients_are_told_at_once_of_what_a_call_noticed(enter: Enter) -> None:
    async with enter(look_seconds=3600) as room:
        room.write(without("cancel_job"))
        await room.call("get_job", prompt_id=SOMEBODY)

        await room.told()


async def test_an_edit_that_shows_the_same_tools_is_not_told(enter: Enter) -> None:
    async with enter() as room:
        await room.names()
        rules = {**EVERYTHING["tools"], "cancel_job": {"rate_limit": "5/minute"}}
        room.write({**EVERYTHING, "tools": rules})
        await room.call("get_job", prompt_id=SOMEBODY)
        room.write({**EVERYTHING, "tools": {**rules, "cancel_job": {"action": "deny"}}})
        await room.call("get_job", prompt_id=SOMEBODY)

        # News that came of these edits would have come before the news of this one.
        room.write(without("cancel_job"))
        await room.told()
        await room.names()

        assert room.heard.empty()


async def test_a_new_workflow_is_told_because_a_description_names_it(
    enter: Enter, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    own.mkdir()

    async with enter() as room:
        await room.names()
        fresh = own / "fresh.new"
        fresh.write_text(json.dumps({"graph": card(1)}))
        fresh.replace(own / "evening_sky.json")

        await room.told()
        tools = (await room.client.list_tools()).tools

    assert any("evening_sky" in (tool.description or "") for tool in tools)


async def test_a_grant_that_ends_is_told_without_an_edit(enter: Enter) -> None:
    ends = {"local": {"expires_at": "2100-01-01T00:00:00Z"}}
    async with enter({**EVERYTHING, "grants": ends}) as room:
        assert len(await room.names()) == len(EVERYTHING["tools"])

        room.clock.skipped_ms = YEARS_MS
        await room.told()

        assert await room.names() == []
        _, body = await room.refusal("get_job", prompt_id=SOMEBODY)

    assert body["code"] == "no_grant"


async def test_a_bad_edit_leaves_the_last_good_policy_in_force(enter: Enter) -> None:
    async with enter(without("cancel_job")) as room:
        room.write(json.dumps({**EVERYTHING, "default": "allow"})[:-3])

        job = await room.ask("run_workflow", workflow=card(4))
        words, _ = await room.refusal("cancel_job", prompt_id=job["prompt_id"])
        names = await room.names()
        degraded = room.services.source.degraded

    assert words == "Unknown tool: cancel_job" or "not_listed" in words or "denied" in words
    assert "cancel_job" not in names
    assert degraded


async def test_a_bad_edit_stops_everything_where_the_owner_wants_it_so(
    enter: Enter, host: EmbeddedHost
) -> None:
    async with enter(on_bad="freeze", look_seconds=3600) as room:
        room.write("{")
        bodies = [
            (await room.refusal(tool, **arguments))[1]
            for tool, arguments in (
                ("run_workflow", {"workflow": card(5)}),
                ("get_job", {"prompt_id": SOMEBODY}),
                ("no_such_tool", {}),
            )
        ]
        assert sent(host) == []

        room.write(EVERYTHING)
        job = await room.ask("run_workflow", workflow=card(6))

    assert [body["code"] for body in bodies] == ["policy_unavailable"] * 3
    assert job["status"] == "completed"


async def test_a_job_that_runs_while_the_policy_changes_is_waited_for_to_its_end(
    enter: Enter, host: EmbeddedHost
) -> None:
    host.faults = Faults(node_ms=60_000)
    submitted = asyncio.Event()

    async def heard(_value: float, _total: float | None, _words: str | None) -> None:
        submitted.set()

    async with enter() as room:
        call = room.client.call_tool("run_workflow", {"workflow": card(7)}, progress_callback=heard)
        running = asyncio.create_task(call)
        await asyncio.wait_for(submitted.wait(), 20)
        room.write(without("run_workflow"))
        await room.refusal("run_workflow", workflow=card(8))
        host.faults = Faults()
        result = await running

    assert result.structured_content["status"] == "completed"
    assert sent(host).count("POST /prompt") == 1


@contextmanager
def rewriting(file: Path, policies: list[dict[str, Any]]) -> Iterator[None]:
    """Another thread that writes *policies* into *file*, in place and in pieces, in turn."""
    over = threading.Event()

    def write() -> None:
        for policy in itertools.cycle(policies):
            text = json.dumps(policy)
            with file.open("w") as out:
                for start in range(0, len(text), 50):
                    out.write(text[start : start + 50])
                    out.flush()
            if over.is_set():
                return

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


async def test_calls_while_the_policy_is_rewritten_are_judged_by_one_or_the_other(
    enter: Enter, host: EmbeddedHost
) -> None:
    # Both refuse to run anything, each in its own words; only a mixture could let a run through.
    policies = [
        {**without("run_workflow"), "description": "x" * 600},
        {
            **EVERYTHING,
            "tools": {**EVERYTHING["tools"], "run_workflow": {"action": "deny"}},
            "description": "y" * 600,
        },
    ]
    codes: set[str] = set()

    async with enter(policies[0]) as room:
        _, body = await room.refusal("run_workflow", workflow=card(9))
        whole = {body.get("code")}
        room.write(policies[1])
        _, body = await room.refusal("run_workflow", workflow=card(9))
        whole.add(body.get("code"))

        async def call() -> None:
            for _ in range(5):
                _, body = await room.refusal("run_workflow", workflow=card(9))
                codes.add(body.get("code"))

        with rewriting(room.file, policies):
            async with anyio.create_task_group() as group:
                for _ in range(8):
                    group.start_soon(call)

    assert codes <= whole
    assert host.seen == []


class Broken:
    """A session whose client is gone in a way nobody thought of."""

    async def send_tool_list_changed(self) -> None:
        """Fail."""
        raise RuntimeError("gone")


async def test_a_broken_session_keeps_nobody_else_from_being_told(
    enter: Enter, caplog: pytest.LogCaptureFixture
) -> None:
    async with enter() as room:
        eras = room.server._eras
        eras._sessions = {"broken": Broken(), **eras._sessions}

        room.write(without("cancel_job"))
        await room.told()
        room.write(EVERYTHING)
        await room.told()

    assert caplog.text.count("could not be told") == 1
