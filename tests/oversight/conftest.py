"""What these tests share: a state, and a policy that wants a person."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from comfy_mcp.store.sqlite import SqliteStore
from tests.oversight.asked import policy_file


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[SqliteStore]:
    """A state of its own."""
    made = SqliteStore(tmp_path / "state")
    yield made
    await made.close()


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """See `policy_file`."""
    return policy_file(tmp_path)
