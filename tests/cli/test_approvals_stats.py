"""`approvals stats`: how often people were asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from comfy_mcp.cli import run
from tests.cli.asking import ONE, asked
from tests.oversight.asked import HOUR, question, run_request

DAY = 24 * HOUR


def stats(state: Path, *words: str) -> int:
    return run(["approvals", "stats", "--state", str(state), *words])


def test_figures_are_by_caller_and_tool(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = asked(tmp_path / "s", run_request(number=3), ago_ms=2 * HOUR)
    asked(state, question(1), question(2))
    assert run(["approvals", "approve", ONE, "--state", str(state)]) == 0
    capsys.readouterr()

    assert stats(state, "--json") == 0
    made = json.loads(capsys.readouterr().out)
    assert stats(state) == 0
    heading, *rows = capsys.readouterr().out.splitlines()

    counts = ("asked", "approved", "spent", "denied", "expired", "cancelled", "pending")
    found = {one["tool"]: [one[name] for name in counts] for one in made["figures"]}
    assert found == {
        "request_approval": [2, 1, 0, 0, 0, 0, 1],
        "run_workflow": [1, 0, 0, 0, 1, 0, 0],
    }
    assert [made["all"][name] for name in counts] == [3, 1, 0, 0, 1, 0, 1]
    assert heading.split()[:2] == ["caller", "tool"]
    assert [row.split()[:3] for row in rows[:2]] == [
        ["ci-bot", "request_approval", "2"],
        ["ci-bot", "run_workflow", "1"],
    ]


def test_old_requests_can_be_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = asked(tmp_path / "s", question(1), ago_ms=2 * DAY)

    assert stats(state, "--days", "1") == 0
    assert capsys.readouterr().out == "Nobody asked in that time.\n"
    assert stats(state, "--days", "3") == 0
    assert "request_approval" in capsys.readouterr().out


@pytest.mark.parametrize("days", ["0", "-1", "x", "1000000"])
def test_days_that_are_none_are_misuse(days: str, tmp_path: Path) -> None:
    assert stats(tmp_path, "--days", days) == 2
