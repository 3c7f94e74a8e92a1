"""`audit tail` shows the end of the audit log, whatever agents wrote into it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from comfy_mcp.cli import run
from comfy_mcp.oversight.trail import STRETCH
from tests.cli.states import decision, denial, edited, written


def tail(state: Path, *words: str) -> int:
    return run(["audit", "tail", "--state", str(state), *words])


def test_the_last_rows_are_shown_oldest_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = written(tmp_path / "s", decision("get_job"), decision(), denial())

    assert tail(state, "-n", "2") == 0

    first, second = capsys.readouterr().out.splitlines()[1:]
    assert first.split()[0] == "2"
    assert "run_workflow" in first
    assert "deny (not_owner)" in second
    assert "/gpu/ownership" in second


def test_rows_are_picked_by_caller_and_by_refusal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = written(tmp_path / "s", decision(grant="bob"), denial(), denial(grant="eve"))

    assert tail(state, "--grant", "bob", "--denied", "--json") == 0

    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["record"] == denial()


def test_it_looks_back_as_far_as_it_has_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill = [decision("get_job", number=number) for number in range(STRETCH + 20)]
    state = written(tmp_path / "s", denial(), *fill, denial(), *fill)

    assert tail(state, "--denied", "--json") == 0

    rows = [json.loads(line)["seq"] for line in capsys.readouterr().out.splitlines()]
    assert rows == [1, STRETCH + 22]


def test_an_agent_writes_neither_rows_nor_escapes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nasty = "x\n  9  2026  root\x1b[2J\u202e"
    state = written(tmp_path / "s", decision(nasty, rule=nasty, code="denied"))

    assert tail(state) == 0

    shown = capsys.readouterr().out
    assert len(shown.splitlines()) == 2
    assert r"x\n  9  2026  root\x1b[2J\u202e" in shown
    assert "\x1b" not in shown


def test_a_log_without_such_rows_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tail(written(tmp_path / "s", decision()), "--grant", "nobody") == 0
    assert capsys.readouterr().out == "No such row.\n"


def test_a_time_that_is_none_is_shown_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = written(tmp_path / "s", decision())
    edited(state, "UPDATE audit SET at_ms = 9223372036854775807")

    assert tail(state) == 0
    assert "9223372036854775807" in capsys.readouterr().out


def test_a_state_that_is_not_there_is_not_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tail(tmp_path / "none") == 1

    assert f"There is no state in {tmp_path / 'none'}" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("count", ["0", "-1", "many", "1000000000"])
def test_a_count_that_is_none_is_misuse(count: str, tmp_path: Path) -> None:
    assert tail(tmp_path, "-n", count) == 2
