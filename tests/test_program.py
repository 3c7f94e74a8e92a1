"""Commands in hints work as they are printed: in any folder, whatever is in their words."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from comfy_mcp.program import called, command, installed


@pytest.mark.parametrize("spoken", [called(), command(state=Path("/s"), default_state=Path("/s"))])
def test_what_is_printed_starts_the_program_from_anywhere(spoken: str, tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S602 - our own program, as a person would paste it
        f"{spoken} --version",
        shell=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.stdout.startswith("comfy-mcp-guard ")
    assert Path(installed()[0]).is_absolute()


def test_a_state_is_named_unless_it_is_the_one_that_everybody_takes() -> None:
    usual = Path("/home/ada/.local/state/comfy-mcp-guard")

    named = command("approvals", "ls", state=Path("/srv/its state"), default_state=usual)

    assert shlex.split(named)[-4:] == ["approvals", "ls", "--state", "/srv/its state"]
    assert command("approvals", "ls", state=usual, default_state=usual).endswith("approvals ls")


def test_no_word_becomes_a_command_of_its_own() -> None:
    nasty = "apr_1; rm -rf ~ $(id) `id` 'x' \"y\"\nreboot"

    named = command("approvals", "show", nasty, state=Path("/s"), default_state=Path("/s"))

    assert shlex.split(named)[-1] == nasty
