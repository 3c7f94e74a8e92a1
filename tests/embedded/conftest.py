"""A host, a client of it, and a bench for single nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import pytest

from comfy_mcp.embedded import EmbeddedHost
from tests.contract.probe import Comfy
from tests.embedded.desk import Bench

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def host() -> AsyncIterator[EmbeddedHost]:
    """A host of the newest version, in fine weather."""
    async with EmbeddedHost() as running:
        yield running


@pytest.fixture
async def client(host: EmbeddedHost) -> AsyncIterator[Comfy]:
    """A client of that host."""
    async with aiohttp.ClientSession() as session:
        yield Comfy(host.url, session, host.profile.version)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Where single nodes are run."""
    return Bench(tmp_path)
