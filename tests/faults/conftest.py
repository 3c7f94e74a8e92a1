"""A stage for each fault, and the account that is taken of it afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.faults.leaks import Holdings, nothing_left
from tests.faults.stage import Stage
from tests.faults.witness import WitnessedHost


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage; afterwards each job ran once or not at all, is told truly, and nothing is left."""
    before = Holdings.now()
    async with AsyncExitStack() as stack:
        stage = Stage(tmp_path, stack)
        yield stage
        wrong = await stage.account()
    left = await nothing_left(before)
    assert wrong == []
    assert left == []


@pytest.fixture
async def host(stage: Stage) -> WitnessedHost:
    """A ComfyUI."""
    return await stage.comfyui()
