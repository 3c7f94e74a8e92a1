"""What the guard's tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from comfy_mcp.store.sqlite import SqliteStore


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """A fresh state."""
    opened = SqliteStore(tmp_path / "state")
    yield opened
    await opened.close()
