"""What the store's tests share: the backends, and stores that are closed at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from comfy_mcp.store import SqliteStore, Store

Backend = Callable[[Path], Store]

BACKENDS = [pytest.param(SqliteStore, id="sqlite")]


@pytest.fixture(scope="session", params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Backend:
    """Makes a store on the state of a folder; two on one folder share it."""
    return request.param


@pytest.fixture
async def open_store(backend: Backend, tmp_path: Path) -> AsyncIterator[Callable[[], Store]]:
    """Makes any number of stores on one state."""
    stores: list[Store] = []

    def opened() -> Store:
        stores.append(backend(tmp_path / "state"))
        return stores[-1]

    yield opened
    for store in stores:
        await store.close()


@pytest.fixture
async def store(open_store: Callable[[], Store]) -> Store:
    """A store on a new state."""
    return open_store()
