"""`serve` speaks MCP on stdout and nothing else there, and ends when it is told to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import Any

import pytest

from tests.cli.command_line import CommandLine, end

HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
HIDING = '{"version": "1", "tools": {"get_job": {}}}'


def ask(process: subprocess.Popen[str], message: dict[str, Any]) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(message) + "\n")
    process.stdin.flush()
    answer: dict[str, Any] = json.loads(process.stdout.readline())
    return answer


@pytest.mark.parametrize("words", [[], ["serve"]], ids=["no word", "serve"])
def test_stdout_carries_nothing_but_json_rpc(guard: CommandLine, words: list[str]) -> None:
    policy = guard.folder / "policy.json"
    policy.write_text(HIDING)
    policy.chmod(0o600)

    with guard.start(*words, "--policy", str(policy), env={"COMFY_MCP_TYPO": "x"}) as process:
        hello = ask(process, HELLO)
        tools = ask(process, {"jsonrpc": "2.0", "id": 2, "method": "tools/list"})
        rest, errors = process.communicate(timeout=30)

    assert hello["result"]["serverInfo"]["name"] == "comfy-mcp-guard"
    assert [tool["name"] for tool in tools["result"]["tools"]] == ["get_job"]
    assert rest == ""
    assert process.returncode == 0
    assert str(policy) in errors
    assert "COMFY_MCP_TYPO" in errors
    assert "waiting for a client" not in errors


def test_an_invalid_policy_is_refused_with_every_fault(guard: CommandLine) -> None:
    policy = guard.folder / "policy.json"
    policy.write_text('{"version": "2", "tols": {}}')
    policy.chmod(0o600)

    done = guard.run("serve", "--policy", str(policy))

    assert done.returncode == 2
    assert done.stdout == ""
    assert "correct 2 faults" in done.stderr
    assert "/version:" in done.stderr
    assert 'Did you mean "tools"?' in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bad_setting_is_refused_by_its_name(guard: CommandLine) -> None:
    done = guard.run(env={"COMFYUI_HOST": "ftp://x"})

    assert done.returncode == 2
    assert done.stderr.startswith("comfy-mcp-guard: COMFYUI_HOST cannot be used")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_although_stdin_stays_open(
    guard: CommandLine, number: signal.Signals
) -> None:
    with guard.start() as process:
        ask(process, HELLO)
        status, errors = end(process, number)

    assert status == 128 + number
    assert "Traceback" not in errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_of_many_calls_ends_it_without_a_traceback(
    guard: CommandLine, number: signal.Signals
) -> None:
    with guard.start() as process:
        ask(process, HELLO)
        assert process.stdin is not None
        for each in range(2, 40):
            call = {"jsonrpc": "2.0", "id": each, "method": "tools/list"}
            process.stdin.write(json.dumps(call) + "\n")
        process.stdin.flush()
        status, errors = end(process, number)

    assert status == 128 + number
    assert "Traceback" not in errors


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
def test_a_person_on_a_terminal_is_told_what_this_is(guard: CommandLine) -> None:
    import pty  # noqa: PLC0415 - not on every system

    keyboard, terminal = pty.openpty()
    try:
        with guard.start(stdin=terminal) as process:
            assert process.stderr is not None
            told = process.stderr.readline()
            status, errors = end(process, signal.SIGINT)
    finally:
        os.close(keyboard)
        os.close(terminal)

    assert "MCP server waiting for a client" in told
    assert "demo" in told
    assert "--help" in told
    assert status == 130
    assert "Traceback" not in errors
