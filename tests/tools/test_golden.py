"""What a model reads of every tool is kept as files and in a table, and stays small."""

from __future__ import annotations

import json

import pytest

from comfy_mcp.guard.catalog import TOOLS as CLASSES
from comfy_mcp.settings import TOOLSETS
from comfy_mcp.tools.table import TOOLS
from tests.tools.golden import FOLDER, PAGE, filled_in, read_by_a_model, shown, table

pytestmark = pytest.mark.anyio

MOST_READ = 24_000
MOST_READ_OF_ONE = 1_900

AGAIN = "If the change is meant: python -m tests.tools.golden"


async def test_every_tool_looks_as_its_golden_file_says() -> None:
    tools = await shown()

    kept = {file.stem: json.loads(file.read_text()) for file in FOLDER.glob("*.json")}
    assert sorted(kept) == sorted(tools) == sorted(CLASSES)
    for name, tool in tools.items():
        assert tool == kept[name], f"{name} looks different. {AGAIN}"


async def test_the_page_has_the_table_of_bytes() -> None:
    page = PAGE.read_text()

    assert filled_in(page, table(await shown())) == page, AGAIN


async def test_all_tools_together_are_small_enough_to_be_read() -> None:
    sizes = {name: read_by_a_model(tool) for name, tool in (await shown()).items()}

    assert sum(sizes.values()) < MOST_READ
    assert max(sizes.values()) < MOST_READ_OF_ONE, max(sizes, key=sizes.__getitem__)


def test_every_tool_is_in_one_of_the_toolsets() -> None:
    assert {tool.toolset for tool in TOOLS} == set(TOOLSETS)


async def test_a_toolset_offers_its_tools_and_no_others() -> None:
    for name in TOOLSETS:
        expected = [tool.name for tool in TOOLS if tool.toolset == name]
        assert sorted(await shown(toolsets=frozenset({name}))) == sorted(expected)


async def test_read_only_beats_every_toolset_and_every_policy() -> None:
    tools = await shown(read_only=True)

    assert sorted(tools) == sorted(name for name, kind in CLASSES.items() if kind == "read")
    assert all(tool["annotations"]["readOnlyHint"] for tool in tools.values())
