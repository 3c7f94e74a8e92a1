"""What every test shares: one event loop implementation, and patience with slow examples."""

from __future__ import annotations

import hypothesis
import pytest

# A busy machine is no counterexample.
hypothesis.settings.register_profile("busy", deadline=None)
hypothesis.settings.load_profile("busy")


@pytest.fixture
def anyio_backend() -> str:
    """Async tests run on asyncio: aiohttp and websockets know no other."""
    return "asyncio"
