"""What a client reads at the start."""

from __future__ import annotations

import re

import pytest

from comfy_mcp.guard.catalog import TOOLS
from comfy_mcp.tools.instructions import LAW, LONGEST, OFFERED
from tests.tools.desk import EVERYTHING, Desk, Sit

pytestmark = pytest.mark.anyio


def said(desk: Desk) -> str:
    """The instructions."""
    return desk.client.instructions or ""


async def test_all_tools_together_leave_room_for_a_warning(sit: Sit) -> None:
    async with sit() as desk:
        text = said(desk)

    assert LAW in text
    assert len(text) < LONGEST - 400


async def test_only_tools_that_are_shown_are_named(sit: Sit) -> None:
    has = {"get_job", "search_nodes"}
    async with sit({**EVERYTHING, "tools": {name: {} for name in has}}) as desk:
        text = said(desk)

    assert set(re.findall(r"[a-z]+_[a-z_]+", text)) & set(TOOLS) == has


def test_a_line_names_no_other_tool_than_its_own() -> None:
    for tool, line in OFFERED.items():
        assert set(re.findall(r"[a-z]+_[a-z_]+", line)) & set(TOOLS) == {tool}
