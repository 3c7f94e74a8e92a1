"""What every test shares: one event loop implementation."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """Async tests run on asyncio: aiohttp and websockets know no other."""
    return "asyncio"
