"""What the command line says wins over the environment, and nothing said is taken for something."""

from __future__ import annotations

import argparse
import subprocess
from contextlib import chdir
from pathlib import Path

import pytest

from comfy_mcp.cli import options
from comfy_mcp.cli.serve import parser
from comfy_mcp.errors import ConfigError


def given(*words: str) -> argparse.Namespace:
    return parser("test").parse_args(words)


@pytest.mark.parametrize(
    ("option", "variable", "value"),
    [
        ("--grant", "COMFY_MCP_GRANT", "alice"),
        ("--state", "COMFY_MCP_STATE", "/somewhere"),
        ("--host", "COMFYUI_HOST", "gpu-box:8188"),
        ("--protocol", "COMFY_MCP_PROTOCOL", "legacy"),
        ("--on-bad-reload", "COMFY_MCP_ON_BAD_RELOAD", "freeze"),
    ],
)
def test_an_option_wins_over_its_variable(option: str, variable: str, value: str) -> None:
    environ = {variable: "from the environment", "OTHER": "kept"}

    assert options.environment(given(option, value), environ) == {variable: value, "OTHER": "kept"}
    assert options.environment(given(), environ) == environ


def test_policies_of_the_command_line_replace_those_of_the_environment() -> None:
    words = given("--policy", "a.json", "--policy", "~/b.json", "--state", "/s")

    settings = options.settings(words, {"COMFY_MCP_POLICY": "/other.json"})

    assert settings.policies == (Path("a.json"), Path("~/b.json").expanduser())


def test_a_relative_folder_counts_from_where_it_was_typed(tmp_path: Path) -> None:
    with chdir(tmp_path):
        words = given("--state", "./state")

    assert options.settings(words, {}).state == tmp_path / "state"
    assert options.repeated(words) == f"--state {tmp_path / 'state'}"
    assert options.settings(given("--state", "~/s"), {}).state == Path.home() / "s"


def test_a_variable_needs_an_absolute_path() -> None:
    with pytest.raises(ConfigError, match="COMFY_MCP_STATE must be an absolute path"):
        options.settings(given(), {"COMFY_MCP_STATE": "relative"})


@pytest.mark.parametrize("option", ["--policy", "--grant", "--state", "--host"])
def test_an_empty_value_is_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        given(option, "")

    assert f"argument {option}: it is empty" in capsys.readouterr().err


def test_a_shortened_option_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        given("--pol", "x")

    assert "unrecognized arguments: --pol" in capsys.readouterr().err


def test_hints_are_commands_that_work_as_printed() -> None:
    done = subprocess.run(  # noqa: S602 - our own program, as a person would paste it
        f"{options.called()} --version", shell=True, capture_output=True, check=False, timeout=60
    )

    assert done.returncode == 0
    assert Path(options.installed()[0]).is_absolute()
