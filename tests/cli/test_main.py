"""The command line: words in, a command or a helpful refusal, and the promised exit status."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from comfy_mcp import __version__
from comfy_mcp.cli import run
from comfy_mcp.cli.commands import COMMANDS, Command
from comfy_mcp.cli.main import overview
from tests.cli.command_line import CommandLine


def test_the_version_is_told_without_loading_anything_heavy(guard: CommandLine) -> None:
    done = guard.run("--version", env={"PYTHONPROFILEIMPORTTIME": "1"})

    assert done.returncode == 0
    assert done.stdout == f"comfy-mcp-guard {__version__}\n"
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "comfy_mcp.cli" in loaded
    assert not {"mcp", "aiohttp", "pydantic", "rich"} & loaded


@pytest.mark.parametrize("word", ["--help", "-h", "help"])
def test_the_help_lists_every_command(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([word]) == 0

    shown = capsys.readouterr().out
    assert shown == overview() + "\n"
    assert all(f"  {command.shown}" in shown for command in COMMANDS)
    assert all(command.summary in shown for command in COMMANDS)


def test_the_help_fits_a_terminal_of_eighty_columns() -> None:
    assert max(len(line) for line in overview().splitlines()) <= 80


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_has_help_with_an_example(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    name = command.name

    assert run([*name.split(), "--help"]) == 0
    assert f"comfy-mcp-guard {name}" in capsys.readouterr().out.split("example", 1)[1]


@pytest.mark.parametrize(
    ("words", "nearest"),
    [
        (["demmo"], "'demo'"),
        (["docter"], "'doctor'"),
        (["policy", "chek", "x.json"], "'policy check'"),
        (["configg", "cursor"], "'config'"),
        (["polcy", "check"], "'policy check'"),
        (["audit", "vreify"], "'audit verify'"),
        (["unfreez"], "'unfreeze'"),
    ],
)
def test_an_unknown_command_is_refused_with_the_nearest_name(
    words: list[str], nearest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == 2

    told = capsys.readouterr()
    assert f"did you mean {nearest}?" in told.err
    assert told.out == ""


@pytest.mark.parametrize("family", ["policy", "limits", "audit"])
def test_the_first_of_two_words_alone_is_answered_with_the_second_ones(
    family: str, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [command.name for command in COMMANDS if command.name.startswith(f"{family} ")]

    assert run([family]) == 2
    assert f"there are: {', '.join(names)}." in capsys.readouterr().err
    assert run([family, "--help"]) == 0
    assert all(name in capsys.readouterr().out for name in names[:1])


def test_a_command_like_no_other_is_refused_without_a_guess(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["xyzzy"]) == 2
    assert "no command 'xyzzy'. comfy-mcp-guard --help" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        *(["doctor", "--polcy", "x"], ["config"], ["policy", "check"], ["serve", "demo"]),
        *(["limits", "reset"], ["limits", "reset", "--all", "--counter", "c"]),
        *(["policy", "init"], ["policy", "init", "--profile", "none"], ["policy", "explain"]),
    ],
)
def test_misuse_of_a_command_exits_with_two(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == 2
    assert "usage: comfy-mcp-guard" in capsys.readouterr().err


def test_options_alone_mean_serve(guard: CommandLine) -> None:
    done = guard.run("--policy", "missing.json")

    assert done.returncode == 2
    assert "missing.json: there is no such file" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_help_loads_nothing_heavy(command: Command, guard: CommandLine) -> None:
    words = command.name.split()
    done = guard.run(*words, "--help", env={"PYTHONPROFILEIMPORTTIME": "1"})

    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert done.returncode == 0
    assert not {"mcp", "aiohttp", "pydantic", "rich", "sqlite3"} & loaded


def test_a_reader_that_goes_away_is_no_traceback(guard: CommandLine) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as gone:
        done = subprocess.run(
            [sys.executable, "-m", "comfy_mcp", "--help"],
            env=guard.environ(),
            stdout=gone,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )

    assert done.returncode == 141
    assert done.stderr == b""
