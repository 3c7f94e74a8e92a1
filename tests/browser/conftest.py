"""One browser for all; for each test a house of its own, with an operator who watches a page."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.browser import chromium
from tests.browser.chromium import DESKTOP, PHONE, Screen
from tests.browser.house import Console, House, house
from tests.browser.operator import Operator

NEEDED = "COMFY_MCP_CHECK_BROWSER"
"""Set in continuous integration: there nothing may be skipped."""

Desk = Callable[..., AbstractAsyncContextManager[Operator]]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """One event loop for the browser and all who use it."""
    return "asyncio"


@pytest.fixture(scope="session")
async def running(anyio_backend: str) -> AsyncIterator[Any]:
    """The browser."""
    del anyio_backend
    if why := chromium.missing():
        if os.environ.get(NEEDED):
            pytest.fail(why)
        pytest.skip(why)
    async with chromium.browser() as started:
        yield started


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def screen(request: pytest.FixtureRequest) -> Screen:
    """A large screen and a small one."""
    return request.param


@pytest.fixture
async def home(tmp_path: Path, running: Any) -> AsyncIterator[House]:
    """A ComfyUI, a policy and a state; without a browser nothing is built."""
    del running
    async with house(tmp_path) as built:
        yield built


@pytest.fixture
async def console(home: House) -> AsyncIterator[Console]:
    """A running console."""
    async with home.console() as started:
        yield started


@pytest.fixture
def desk(running: Any, console: Console) -> Desk:
    """Opens pages for operators who sign in; afterwards nothing may have gone wrong in any."""

    @asynccontextmanager
    async def sit_down(
        screen: Screen = DESKTOP, *, sign_in: bool = True
    ) -> AsyncGenerator[Operator]:
        async with chromium.opened(running, screen) as watched:
            operator = Operator(watched)
            if sign_in:
                await operator.sign_in(await console.link())
            yield operator
            assert watched.complaints == []
            assert watched.asked == {"http://127.0.0.1"}

    return sit_down
