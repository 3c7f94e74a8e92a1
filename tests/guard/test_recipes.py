"""The recipes of the documentation: each policy with the tests printed below it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from comfy_mcp.cli import run
from comfy_mcp.guard.loading import parse

PAGE = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text(encoding="utf-8")
SECTIONS = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
RECIPES = {section.splitlines()[0]: section for section in SECTIONS}


def blocks(section: str) -> list[str]:
    return re.findall(r"^```json\n(.*?)^```", section, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_is_a_policy_without_a_warning_and_tests_that_pass(
    title: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    policy, cases = blocks(RECIPES[title])
    assert parse(policy, "policy.json").warnings == ()
    (tmp_path / "policy.json").write_text(policy)
    (tmp_path / "cases.json").write_text(json.dumps({"policy": "policy.json"} | json.loads(cases)))
    monkeypatch.setenv("TZ", "UTC")

    status = run(["policy", "test", str(tmp_path / "cases.json")])

    assert status == 0, capsys.readouterr().out
    assert len(json.loads(cases)["tests"]) >= 2
