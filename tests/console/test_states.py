"""A console over a state that is not there, comes later, is locked, or is too old."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from comfy_mcp.console.app import Console, started
from comfy_mcp.settings import Settings
from comfy_mcp.store.folder import FILE
from comfy_mcp.store.sqlite import SqliteStore
from tests.console.caller import Caller, Terminal, signed_in
from tests.console.conftest import Times
from tests.oversight.asked import NOW, parked, question

pytestmark = pytest.mark.anyio

NOTHING = {"approvals": [], "jobs": [], "limits": [], "slots": [], "freezes": []}
OLD = Path(__file__).parent.parent / "store" / "state-format-3.sql"


@pytest.fixture
async def early(settings: Settings, terminal: Terminal, times: Times) -> AsyncIterator[Console]:
    """A console over a folder that no server has used."""
    async with started(
        settings, terminal, port=0, now_ms=times.now_ms, clock=times.clock
    ) as running:
        yield running


async def test_without_a_state_the_page_says_so_and_none_is_made(
    early: Console, terminal: Terminal, settings: Settings
) -> None:
    caller = await signed_in(early, terminal)

    async with caller.events() as stream:
        told = await stream.state()
    said = [
        await caller.post("/api/freeze", {"grant": "*"}),
        await caller.post("/api/approvals/apr_0000000000000001/approve"),
        await caller.get("/api/approvals/apr_0000000000000001"),
        await caller.get("/api/jobs/a/outputs/0"),
    ]

    assert not told["state"]["ready"]
    assert told["state"]["words"].startswith("No server has used this folder yet.")
    assert {key: told[key] for key in NOTHING} == NOTHING
    assert [one.status for one in said] == [503] * 4
    assert (await caller.get("/api/audit")).values == {"rows": [], "next": None}
    assert not settings.state.exists()


async def test_a_state_that_comes_later_is_shown_when_it_comes(
    early: Console, terminal: Terminal, settings: Settings, times: Times
) -> None:
    caller = await signed_in(early, terminal)
    async with caller.events() as stream:
        await stream.until("nothing", lambda told: not told["state"]["ready"])

        # It comes as a whole: nobody sees it before the request is in it.
        made = settings.state.with_name("made")
        server = SqliteStore(made)
        await parked(server, question(), times.ms)
        await server.close()
        made.rename(settings.state)
        told = await stream.until("the state", lambda told: told["state"]["ready"])

        assert [one["status"] for one in told["approvals"]] == ["pending"]


async def test_a_state_that_is_taken_away_and_put_back_is_seen_each_time(
    operator: Caller, store: SqliteStore, settings: Settings, times: Times
) -> None:
    await parked(store, question(), times.ms)
    await store.close()
    async with operator.events() as stream:
        await stream.until("it is there", lambda told: told["state"]["ready"])
        away = settings.state.with_name("away")
        settings.state.rename(away)
        await stream.until("it is gone", lambda told: not told["state"]["ready"])
        away.rename(settings.state)
        told = await stream.until("it is back", lambda told: told["state"]["ready"])

    assert len(told["approvals"]) == 1


async def test_a_state_of_an_older_version_is_left_as_it_is(
    settings: Settings, terminal: Terminal
) -> None:
    settings.state.mkdir(mode=0o700)
    file = settings.state / FILE
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(OLD.read_text())
    file.chmod(0o600)
    before = file.read_bytes()

    async with started(settings, terminal, port=0) as console:
        caller = await signed_in(console, terminal)
        async with caller.events() as stream:
            told = await stream.state()
        frozen = await caller.post("/api/freeze", {"grant": "*"})

    assert "written by an older version" in told["state"]["words"]
    assert (frozen.status, file.read_bytes()) == (503, before)


async def test_a_locked_state_is_told_in_words_and_shown_again_afterwards(
    operator: Caller, store: SqliteStore, settings: Settings
) -> None:
    await store.close()
    with closing(sqlite3.connect(settings.state / FILE, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        async with operator.events() as stream:
            told = await stream.until("the words", lambda told: not told["state"]["ready"])
            other.execute("ROLLBACK")
            other.close()
            await stream.until("it is free", lambda told: told["state"]["ready"])

    assert "locked" in told["state"]["words"]


async def test_a_damaged_state_is_told_in_words(settings: Settings, terminal: Terminal) -> None:
    settings.state.mkdir(mode=0o700)
    (settings.state / FILE).write_bytes(b"no database at all, but long enough to be read" * 200)

    async with started(settings, terminal, port=0) as console:
        caller = await signed_in(console, terminal)
        async with caller.events() as stream:
            told = await stream.state()

    assert not told["state"]["ready"]
    assert "damaged" in told["state"]["words"]


async def test_two_consoles_beside_each_other_see_the_same(
    operator: Caller, settings: Settings, store: SqliteStore, times: Times
) -> None:
    second = Terminal()
    async with started(settings, second, port=0, now_ms=times.now_ms, clock=times.clock) as console:
        other = await signed_in(console, second)
        await parked(store, question(), NOW + 60_000)
        async with operator.events() as one, other.events() as two:
            await one.until("it waits", lambda told: len(told["approvals"]) == 1)
            await other.post("/api/approvals/apr_0000000000000001/approve")
            for stream in (one, two):
                await stream.until(
                    "it is decided", lambda told: told["approvals"][0]["status"] == "approved"
                )
