"""`policy init` writes a policy to start from that is sound, explained, and never over a file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from comfy_mcp.cli import run
from comfy_mcp.cli.policy_init import PROFILES, explained, profile
from comfy_mcp.guard.loading import parse

CASES = Path(__file__).parent / "profiles"


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_passes_policy_check_without_a_warning(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "policy.json"
    assert run(["policy", "init", "--profile", name, "--output", str(path)]) == 0
    capsys.readouterr()

    assert run(["policy", "check", str(path)]) == 0
    assert capsys.readouterr().out == f"ok: {path}\n"


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_does_what_its_tests_say(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "policy.json").write_text(profile(name))
    (tmp_path / "policy.json").chmod(0o600)
    cases = tmp_path / "cases.json"
    cases.write_text((CASES / f"{name}.json").read_text())

    assert run(["policy", "test", str(cases)]) == 0, capsys.readouterr().out


@pytest.mark.parametrize("name", PROFILES)
def test_every_part_of_a_profile_is_explained(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["policy", "init", "--profile", name]) == 0

    told = capsys.readouterr()
    policy = json.loads(told.out)
    assert told.out == profile(name)
    for key in policy.keys() - {"version", "description", "gpu"}:
        assert f"  {key} " in told.err
    for key in policy["gpu"]:
        assert f"  gpu.{key} " in told.err
    assert "policy check" in told.err


@pytest.mark.parametrize("name", PROFILES)
def test_every_limit_and_condition_of_a_profile_has_a_name(name: str) -> None:
    rules = [
        rule
        for file in parse(profile(name), name).policy.files
        for layer in (file.layer, *(grant.layer for grant in file.grants or ()))
        for rule in layer.rules
    ]
    parts = [part for rule in rules for part in (*rule.require, *rule.deny_if)]

    assert all(part.name and part.reason for part in parts)
    assert list(explained(profile(name)))


def test_a_file_is_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "policy.json"
    path.write_text("mine")

    assert run(["policy", "init", "--profile", "ci", "--output", str(path)]) == 2

    assert path.read_text() == "mine"
    assert "is not overwritten" in capsys.readouterr().err


def test_nobody_else_may_change_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    before = os.umask(0)
    try:
        assert run(["policy", "init", "--profile", "locked", "--output", str(path)]) == 0
    finally:
        os.umask(before)

    assert path.stat().st_mode & 0o777 == 0o644


def test_a_folder_that_is_not_there_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "none" / "policy.json"

    assert run(["policy", "init", "--profile", "ci", "--output", str(path)]) == 2
    assert "cannot be written" in capsys.readouterr().err
