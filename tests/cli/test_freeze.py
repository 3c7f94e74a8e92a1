"""`freeze` stops agents at the next call, `unfreeze` lets them go on; both are on record."""

from __future__ import annotations

import sys
from pathlib import Path

import anyio
import pytest
from mcp import Client, StdioServerParameters

from comfy_mcp.cli import run
from tests.cli.command_line import CommandLine
from tests.cli.states import counted, records


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state that a server has used."""
    return counted(tmp_path / "s", holder="alice")


def order(state: Path, command: str, *words: str) -> int:
    return run([command, "--state", str(state), *words])


def test_everybody_is_frozen_at_once(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert order(state, "freeze", "--reason", "Dinner.") == 0

    shown = capsys.readouterr().out
    assert shown.startswith("Everybody is frozen since ")
    assert shown.endswith(", every call is refused: Dinner.\n")
    row = records(state)[-1]
    assert (row["kind"], row["action"], row["grant"]) == ("operator", "freeze", "*")
    assert row["reason"] == "Dinner."


def test_one_caller_can_be_frozen_and_go_on_looking(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert order(state, "freeze", "--grant", "alice", "--keep-reads") == 0

    shown = capsys.readouterr().out
    assert shown.startswith("alice is frozen since ")
    assert "reads go on" in shown


def test_a_name_that_nobody_has_is_pointed_out(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert order(state, "freeze", "--grant", "alcie") == 0
    assert "Nothing was ever counted for 'alcie'" in capsys.readouterr().out


def test_a_freeze_ends_when_it_is_taken_back(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    order(state, "freeze")
    order(state, "freeze", "--grant", "alice")
    capsys.readouterr()

    assert order(state, "unfreeze") == 0
    ended, left = capsys.readouterr().out.splitlines()
    assert ended == "Unfrozen: the freeze of everybody has ended."
    assert left.startswith("alice is frozen")
    assert order(state, "unfreeze", "--grant", "alice") == 0
    ended, left = capsys.readouterr().out.splitlines()
    assert (ended, left) == ("Unfrozen: the freeze of 'alice' has ended.", "Nothing is frozen.")
    assert records(state)[-1]["action"] == "unfreeze"


def test_a_freeze_that_was_not_there_is_told(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert order(state, "unfreeze", "--grant", "alice") == 1
    assert capsys.readouterr().out == "There was no freeze of 'alice'.\nNothing is frozen.\n"


@pytest.mark.parametrize("command", ["freeze", "unfreeze"])
def test_a_folder_that_no_server_uses_is_no_state_to_freeze(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert order(tmp_path / "none", command) == 1

    assert "no server has used that folder yet" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_a_reason_cannot_move_the_cursor(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    order(state, "freeze", "--reason", "a\x1b[2Jb")

    assert r"a\x1b[2Jb" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, "*"])
def test_a_name_that_nobody_can_have_is_misuse(name: str, state: Path) -> None:
    assert order(state, "freeze", "--grant", name) == 2


def test_other_settings_that_cannot_be_used_do_not_stop_a_freeze(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMFYUI_HOST", "ftp://nonsense")
    monkeypatch.setenv("COMFY_MCP_GRANT", "not a name")

    assert order(state, "freeze") == 0


@pytest.mark.anyio
async def test_a_running_server_hears_of_it_at_the_next_call(guard: CommandLine) -> None:
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "comfy_mcp", "serve"],
        env=guard.environ({"COMFYUI_HOST": "embedded"}),
        cwd=guard.folder,
    )

    async def order(command: str) -> None:
        assert (await anyio.to_thread.run_sync(guard.run, command)).returncode == 0

    async with Client(server) as client:

        async def told() -> str:
            result = await client.call_tool("run_workflow", {"workflow": "color_card"})
            return str(result.content[0])

        assert "completed" in await told()
        await order("freeze")
        assert "[POLICY DENIED] frozen" in await told()
        await order("unfreeze")
        assert "completed" in await told()
