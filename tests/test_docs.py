"""What README and docs say is so."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Collection, Mapping
from pathlib import Path

import pytest

from comfy_mcp.guard.catalog import TOOLS
from comfy_mcp.guard.loading import parse
from comfy_mcp.jobs import MOVES
from comfy_mcp.settings import TOOLSETS, VARIABLES
from comfy_mcp.store import asked

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
APPROVALS = (ROOT / "docs" / "approvals.md").read_text()


def section(text: str, title: str) -> str:
    """The part of a page under a heading of the second level."""
    return re.split(r"^## ", text.split(f"## {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def first_cells(text: str) -> list[str]:
    """The names in the first column of the tables of *text*."""
    return re.findall(r"^\| `([^`]+)`", text, flags=re.MULTILINE)


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def test_the_readme_lists_every_tool() -> None:
    named = re.findall(r"`(\w+)`", section(README, "Tools"))

    assert {*TOOLS} | {*TOOLSETS} <= {*named}


def test_the_page_of_tools_has_every_tool() -> None:
    page = (ROOT / "docs" / "tools.md").read_text()

    assert {name for name in TOOLS if f"### `{name}`" not in page} == set()


def test_the_readme_lists_every_setting() -> None:
    assert first_cells(section(README, "Settings")) == list(VARIABLES)


def test_the_readmes_policy_loads_without_a_warning() -> None:
    (policy,) = blocks(section(README, "The policy in eleven lines"), "json")

    assert parse(policy, "README").warnings == ()
    assert len(policy.splitlines()) <= 12


def test_the_readmes_client_snippet_names_only_settings_that_exist() -> None:
    (snippet,) = blocks(section(README, "Use it"), "json")
    server = json.loads(snippet)["mcpServers"]["comfyui"]

    assert server["command"] == "uvx"
    assert set(server["env"]) <= set(VARIABLES)


def test_the_readme_is_short_enough_to_be_read() -> None:
    assert len(README.splitlines()) <= 130


@pytest.mark.parametrize(("mark", "moves"), [("moves", MOVES), ("approvals", asked.MOVES)])
def test_a_table_of_moves_is_the_one_in_the_code(
    mark: str, moves: Mapping[str, Collection[str]]
) -> None:
    table = ARCHITECTURE.split(f"<!-- {mark} -->")[1].split(f"<!-- /{mark} -->")[0]
    rows = re.findall(r"^\| (\w+) \| (.+) \|$", table, re.MULTILINE)
    shown = {name: to for name, to in rows if name != "from"}

    assert shown == {
        name: ", ".join(sorted(following)) or "(end)" for name, following in moves.items()
    }


def test_the_policy_of_the_page_about_approvals_loads_without_a_warning() -> None:
    (policy,) = (textwrap.dedent(text) for text in blocks(APPROVALS, "json") if "version" in text)

    assert parse(policy, "docs/approvals.md").warnings == ()


@pytest.mark.parametrize("page", [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"])
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text())

    assert [link for link in links if not (page.parent / link).exists()] == []
