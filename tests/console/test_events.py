"""The page's stream of events."""

from __future__ import annotations

import asyncio

import pytest

from comfy_mcp.console.app import Console
from comfy_mcp.console.events import MOST
from comfy_mcp.oversight.freezing import freeze
from comfy_mcp.store.asked import Ruling
from comfy_mcp.store.sqlite import SqliteStore
from tests.console.caller import SECONDS, Caller, Terminal, signed_in, until
from tests.console.conftest import Times
from tests.oversight.asked import BY, HOUR, LONG, NASTY, parked, question, run_request

pytestmark = pytest.mark.anyio

KEYS = {
    *("now_ms", "state", "approvals", "jobs", "limits", "slots", "cooling", "freezes", "grants"),
    *("policy", "comfyui"),
}


async def test_whoever_listens_is_told_everything_at_once(
    operator: Caller, store: SqliteStore, times: Times
) -> None:
    await parked(store, run_request())

    async with operator.events() as stream:
        told = await stream.state()

    assert set(told) == KEYS
    assert told["now_ms"] == times.ms
    assert told["state"] == {"ready": True, "words": ""}
    assert [one["approval_id"] for one in told["approvals"]] == ["apr_0000000000000001"]
    assert told["approvals"][0]["status"] == "pending"
    assert told["policy"]["files"] == ["built-in policy"]
    assert told["grants"] == ["ci-bot", "local"]


async def test_a_request_appears_while_somebody_looks_and_goes_when_it_is_decided(
    operator: Caller, store: SqliteStore, times: Times
) -> None:
    async with operator.events() as stream:
        await stream.until("no request", lambda told: told["approvals"] == [])
        row = await parked(store, question(), times.ms)
        await stream.until("the request", lambda told: told["approvals"] != [])
        await store.rule(times.ms, row.approval_id, Ruling("approved", BY), {"kind": "approval"})
        told = await stream.until(
            "the decision", lambda told: told["approvals"][0]["status"] == "approved"
        )

    assert told["approvals"][0]["by"] == BY


async def test_requests_that_wait_come_first(
    operator: Caller, store: SqliteStore, times: Times
) -> None:
    for number in (1, 2, 3):
        await parked(store, question(number), times.ms)
    ruling = Ruling("denied", BY)
    await store.rule(times.ms, "apr_0000000000000003", ruling, {"kind": "approval"})

    async with operator.events() as stream:
        told = await stream.state()

    assert [one["status"] for one in told["approvals"]] == ["pending", "pending", "denied"]


async def test_a_request_that_time_alone_ends_is_seen_to_end(
    operator: Caller, store: SqliteStore, times: Times
) -> None:
    await parked(store, question(), times.ms)

    async with operator.events() as stream:
        await stream.until("it waits", lambda told: told["approvals"][0]["status"] == "pending")
        times.ms += HOUR
        await stream.until("it is late", lambda told: told["approvals"][0]["status"] == "expired")


async def test_a_freeze_of_somebody_else_is_seen(
    operator: Caller, store: SqliteStore, times: Times
) -> None:
    async with operator.events() as stream:
        await stream.until("nothing is frozen", lambda told: told["freezes"] == [])
        await freeze(store, times.ms, "bob", reason="Lunch.", keep_reads=True)
        told = await stream.until("the freeze", lambda told: told["freezes"] != [])

    assert told["freezes"] == [
        {"grant": "bob", "reason": "Lunch.", "keep_reads": True, "at_ms": times.ms}
    ]


async def test_words_of_an_agent_come_as_one_clean_line_of_json(
    operator: Caller, store: SqliteStore, times: Times
) -> None:
    await parked(store, question(1, action=NASTY), times.ms)
    await parked(store, question(2, action=LONG), times.ms)

    async with operator.events() as stream:
        told = await stream.state()

    texts = [one["agent_words"]["action"]["text"] for one in told["approvals"]]
    assert all(text.isprintable() for text in texts)
    assert max(map(len, texts)) <= 2_000
    assert any("<img src=x onerror=alert(1)>" in text for text in texts)  # data, not markup


async def test_many_large_requests_are_told_in_short(
    operator: Caller, store: SqliteStore, times: Times
) -> None:
    for number in range(1, 41):
        await parked(
            store, question(number, **{f"w{n}": LONG[:4_000] for n in range(60)}), times.ms
        )

    async with operator.events() as stream:
        told = await stream.state()
    whole = (await operator.get(f"/api/approvals/{told['approvals'][-1]['approval_id']}")).values

    short = [one for one in told["approvals"] if one.get("shortened")]
    assert len(told["approvals"]) == 40
    assert 0 < len(short) < 40
    assert short[-1]["agent_words"]["left_out"] == 60
    assert len(whole["agent_words"]["context"]) == 60


async def test_a_session_that_ends_ends_its_streams_at_once_and_no_others(
    console: Console, operator: Caller, terminal: Terminal
) -> None:
    other = await signed_in(console, terminal)
    async with operator.events() as one, operator.events() as two, other.events() as three:
        for stream in (one, two, three):
            await stream.state()

        await operator.post("/api/sign-out")

        await one.over()
        await two.over()
        assert not three.reader.at_eof()
        await other.post("/api/sign-out-all")
        await three.over()


async def test_a_session_that_is_pushed_out_by_newer_ones_ends_its_stream(
    console: Console, operator: Caller, terminal: Terminal
) -> None:
    async with operator.events() as stream:
        await stream.state()
        for _ in range(20):
            await signed_in(console, terminal)
        await stream.over()


async def test_there_are_only_so_many_streams_and_one_that_goes_makes_room(
    console: Console, operator: Caller
) -> None:
    async with asyncio.timeout(SECONDS):
        opened = [operator.events() for _ in range(MOST)]
        streams = [await one.__aenter__() for one in opened]
        for stream in streams:
            await stream.state()

        async with operator.events() as late:
            assert late.status == 503

        await opened.pop().__aexit__(None, None, None)
        await until(lambda: console.board.listeners < MOST)
        async with operator.events() as late:
            assert late.status == 200
        for one in opened:
            await one.__aexit__(None, None, None)


async def test_nothing_is_looked_at_while_nobody_listens(
    console: Console, operator: Caller, times: Times, store: SqliteStore
) -> None:
    async with operator.events() as stream:
        await stream.state()
    await until(lambda: not console.board.listeners)
    version = console.board.version
    await parked(store, question(), times.ms)

    async with operator.events() as stream:
        told = await stream.state()

    assert [one["status"] for one in told["approvals"]] == ["pending"]
    assert console.board.version > version


async def test_the_head_of_the_stream_can_be_asked_for_and_opens_none(
    console: Console, operator: Caller
) -> None:
    said = await operator.ask("HEAD", "/api/events")

    assert (said.status, said.header("Content-Type")) == (200, "text/event-stream")
    assert console.board.listeners == 0
