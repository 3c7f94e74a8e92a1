"""docs/commands.md has every command and option, and its examples are what is really printed."""

from __future__ import annotations

import re
import time
from contextlib import chdir
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from comfy_mcp.cli import run
from comfy_mcp.cli.client_config import CLIENTS
from comfy_mcp.cli.commands import COMMANDS, Command
from comfy_mcp.cli.demo_stage import POLICY
from comfy_mcp.cli.main import overview
from comfy_mcp.cli.policy_init import PROFILES as PROFILE_NAMES
from comfy_mcp.cli.trial_keys import CALL, TOP
from comfy_mcp.embedded import PROFILES

PAGE = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
SHARED = {"--policy", "--host", "--grant", "--state"}


def section(name: str) -> str:
    """The part of the page about one command."""
    _, found, rest = PAGE.partition(f"\n## `{name}`\n")
    assert found, f"docs/commands.md has no section about {name}"
    return rest.partition("\n## ")[0]


def options_of(command: Command) -> set[str]:
    module: Any = import_module(f"comfy_mcp.cli.{command.module}")
    strings = {text for action in module.parser("x")._actions for text in action.option_strings}
    return strings - {"-h", "--help"}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_and_option_is_documented_with_an_example(command: Command) -> None:
    text = section(command.name)

    assert f"$ comfy-mcp-guard{'' if command.name == 'serve' else f' {command.name}'}" in text
    assert {name for name in options_of(command) if f"`{name}" not in text} == set()


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_no_option_is_documented_that_is_not_there(command: Command) -> None:
    named = set(re.findall(r"`(--[a-z-]+)", section(command.name)))

    assert named <= options_of(command)


def test_the_shared_options_are_documented() -> None:
    text = PAGE.split("## Options that several commands share")[1].split("\n## ")[0]

    assert set(re.findall(r"^\| `(--[a-z]+)", text, re.MULTILINE)) == SHARED


def test_the_overview_is_the_real_one_but_for_the_version() -> None:
    assert overview().split("\n", 1)[1] in PAGE


def test_the_demos_policy_is_the_real_one() -> None:
    assert POLICY in section("demo")


def test_every_client_and_profile_is_named() -> None:
    assert [name for name in CLIENTS if f"`{name}`" not in section("config")] == []
    assert [name for name in PROFILES if f"`{name}`" not in section("embedded")] == []


def test_the_faults_shown_are_the_real_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text('{"version": "1", "tols": {}, "default": "maybe"}')
    broken.chmod(0o600)

    with chdir(tmp_path):
        assert run(["policy", "check", "broken.json"]) == 1
    assert capsys.readouterr().out in section("policy check")


def policy_of(text: str, folder: Path) -> None:
    """Write the one-line policy that *text* shows as ``policy.json``."""
    (line,) = [one for one in text.splitlines() if one.startswith('{"version"')]
    (folder / "policy.json").write_text(line)
    (folder / "policy.json").chmod(0o600)


def test_the_start_of_a_policy_is_explained_as_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with chdir(tmp_path):
        assert run(["policy", "init", "--profile", "ci", "--output", "policy.json"]) == 0

    told = capsys.readouterr().err.rpartition("Next:")[0]
    assert told in section("policy init")
    assert {
        f"`{name}`" for name in PROFILE_NAMES if f"`{name}`" not in section("policy init")
    } == set()


def test_the_call_is_explained_as_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = section("policy explain")
    policy_of(text, tmp_path)
    (call,) = [one for one in text.splitlines() if one.startswith('{"workflow"')]
    (tmp_path / "call.json").write_text(call)
    (command,) = [one for one in text.splitlines() if one.startswith("$ comfy-mcp-guard ")]
    monkeypatch.setenv("COMFY_MCP_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()

    with chdir(tmp_path):
        assert run(command.split()[2:]) == 1
    monkeypatch.undo()
    time.tzset()

    assert capsys.readouterr().out in text


def test_the_tests_of_a_policy_go_as_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy_of(section("policy explain"), tmp_path)
    cases = section("policy test").split("```json\n")[1].split("```")[0]
    (tmp_path / "cases.json").write_text(cases)

    with chdir(tmp_path):
        assert run(["policy", "test", "cases.json"]) == 1

    assert capsys.readouterr().out in section("policy test")


def test_every_key_of_a_test_is_documented() -> None:
    text = section("policy test")

    assert {key for key in (*CALL, *TOP) if key != "$schema" and f"`{key}" not in text} == set()
