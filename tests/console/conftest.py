"""A console on a port of its own, over a state that servers have used."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from comfy_mcp.console.app import Console, started
from comfy_mcp.settings import Address, Settings
from comfy_mcp.store.sqlite import SqliteStore
from tests.console.caller import Caller, Terminal, signed_in
from tests.oversight.asked import HOST, NOW


class Times:
    """The clocks of one test: *ms* is the state's, *s* that of keys and sessions.

    *looks* is how often somebody looked at the latter: whoever looks for a session does.
    """

    def __init__(self) -> None:
        self.ms = NOW + 60_000
        self.s = 1_000.0
        self.looks = 0

    def now_ms(self) -> int:
        """The state's time."""
        return self.ms

    def clock(self) -> float:
        """The time of keys and sessions."""
        self.looks += 1
        return self.s


@pytest.fixture
def times() -> Times:
    """Time stands still unless a test moves it."""
    return Times()


@pytest.fixture
def terminal() -> Terminal:
    """The operator's terminal."""
    return Terminal()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A ComfyUI that is not there, and the built-in policy."""
    return Settings(address=Address(HOST), policies=(), state=tmp_path / "state")


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[SqliteStore]:
    """The state, as a server has opened it."""
    opened = SqliteStore(settings.state)
    await opened.record(NOW, {"kind": "server", "action": "started"})
    yield opened
    await opened.close()


@pytest.fixture
async def console(
    settings: Settings,
    store: SqliteStore,  # noqa: ARG001 - it is there before the console is
    terminal: Terminal,
    times: Times,
) -> AsyncIterator[Console]:
    """The console over that state."""
    async with started(
        settings, terminal, port=0, now_ms=times.now_ms, clock=times.clock
    ) as running:
        yield running


@pytest.fixture
async def operator(console: Console, terminal: Terminal) -> Caller:
    """Somebody who is signed in."""
    return await signed_in(console, terminal)


@pytest.fixture
def stranger(console: Console) -> Caller:
    """Somebody who is not."""
    return Caller(console.place.port)
