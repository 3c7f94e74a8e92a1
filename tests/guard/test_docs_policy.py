"""Every policy printed in the documentation can be used as it stands."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from comfy_mcp.guard.catalog import ALIASES, TOOLS
from comfy_mcp.guard.loading import parse
from comfy_mcp.guard.vocabulary import APPROVAL, APPROVALS, FILE, GPU, LIMIT, RATE, RULE, Keys

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```json\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def test_the_page_shows_policies() -> None:
    assert len(BLOCKS) >= 10


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_a_printed_policy_loads_without_a_warning(block: str) -> None:
    assert parse(block, "docs/policy.md").warnings == ()


@pytest.mark.parametrize("name", [*TOOLS, *ALIASES])
def test_the_page_names_every_tool(name: str) -> None:
    assert f"`{name}`" in PAGE


@pytest.mark.parametrize("keys", [FILE, RULE, LIMIT, RATE, APPROVAL, APPROVALS, GPU])
def test_the_page_names_every_key(keys: Keys) -> None:
    later = PAGE[PAGE.index("## What is not supported yet") :]
    for key in keys.now:
        assert f"`{key}`" in PAGE
    for key in keys.later:
        assert f"`{key}`" in later


def test_the_shortest_policy_of_the_page_is_short() -> None:
    assert len(BLOCKS[0].splitlines()) <= 12
    assert set(json.loads(BLOCKS[0])) == {"version", "default", "tools"}
