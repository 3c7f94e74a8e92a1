"""`policy check` says ok with warnings, or every fault with its place, cause and fix."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from comfy_mcp.cli import run


def written(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


def test_a_good_file_is_ok(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, "p.json", '{"version": "1", "tools": {"get_job": {}}}')

    assert run(["policy", "check", path]) == 0
    assert capsys.readouterr().out == f"ok: {path}\n"


def test_warnings_are_told_and_are_no_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, "p.json", '{"version": "1", "default": "deny"}')

    assert run(["policy", "check", path]) == 0
    assert "warning: Nothing is allowed" in capsys.readouterr().out


def test_every_fault_of_every_file_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = written(tmp_path, "one.json", '{"version": "1", "tols": {}, "default": "maybe"}')
    other = written(tmp_path, "other.json", '{"version": 1}')

    assert run(["policy", "check", one, other]) == 1

    shown = capsys.readouterr().out
    assert "correct 3 faults" in shown
    assert 'one.json#/tols: unknown key "tols". Fix: Did you mean "tools"?' in shown
    assert "one.json#/default:" in shown
    assert "other.json#/version:" in shown


def test_files_that_contradict_each_other_are_a_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = '{"version": "1", "tools": {"get_job": {"limits": [%s]}}}'
    limit = '{"counter": "c", "window": "%s", "max": 1}'
    one = written(tmp_path, "one.json", text % (limit % "minute"))
    other = written(tmp_path, "other.json", text % (limit % "hour"))

    assert run(["policy", "check", one]) == 0
    assert run(["policy", "check", one, other]) == 1
    assert "another window" in capsys.readouterr().out


def test_a_missing_file_is_a_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "check", str(tmp_path / "none.json")]) == 1
    assert "there is no such file" in capsys.readouterr().out


def test_programs_read_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = written(tmp_path, "p.json", '{"version": "1", "default": "deny"}')
    bad = written(tmp_path, "q.json", '{"version": "1", "tols": {}}')

    assert run(["policy", "check", good, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], found["sources"], found["faults"]) == (True, [good], [])
    assert found["warnings"][0].startswith("Nothing is allowed")

    assert run(["policy", "check", bad, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], [one["where"] for one in found["faults"]]) == (False, ["/tols"])
