"""`audit verify` finds what was changed in the log of a state, also its end against a kept head."""

from __future__ import annotations

from pathlib import Path

import pytest

from comfy_mcp.cli import run
from tests.cli.states import decision, edited, written


def verify(state: Path, *words: str) -> int:
    return run(["audit", "verify", "--state", str(state), *words])


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state with three rows."""
    return written(tmp_path / "s", *(decision(number=number) for number in range(3)))


def head(state: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert run(["audit", "export", "--state", str(state)]) == 0
    return capsys.readouterr().err.split()[1]


def test_a_whole_log_is_told_with_its_head(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = head(state, capsys)

    assert verify(state) == 0
    assert f"The audit chain is whole: 3 rows, head {kept}." in capsys.readouterr().out


def test_a_changed_row_is_found(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edited(state, "UPDATE audit SET record = '{}' WHERE seq = 2")

    assert verify(state) == 1
    assert "row 2 was changed" in capsys.readouterr().out


def test_a_log_that_was_begun_again_shows_against_a_kept_head(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = head(state, capsys)
    other = written(tmp_path / "other", decision(number=9), decision(), decision())

    assert verify(state, "--head", kept) == 0
    assert verify(other) == 0
    assert verify(other, "--head", kept) == 1


def test_a_file_that_is_not_there_is_misuse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["audit", "verify", str(tmp_path / "none.jsonl")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_a_state_that_is_not_there_is_not_taken_for_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(tmp_path / "none") == 1
    assert "There is no state" in capsys.readouterr().err
