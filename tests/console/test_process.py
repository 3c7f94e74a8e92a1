"""The command as a person starts it: a process with a terminal."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.cli.command_line import SECONDS, CommandLine, Process
from tests.console.caller import Caller

pytestmark = pytest.mark.anyio

LINK = re.compile(r"http://127\.0\.0\.1:(\d+)/#key=(\S+)")


@pytest.fixture
def guard(tmp_path: Path) -> CommandLine:
    """The program, in a folder of its own."""
    return CommandLine(tmp_path)


def link(process: Process) -> tuple[int, str]:
    """Port and key of the next link that is printed."""
    assert process.stdout is not None
    for line in process.stdout:
        if found := LINK.search(line):
            return int(found[1]), found[2]
    assert process.stderr is not None
    raise AssertionError(process.stderr.read())


async def test_the_link_that_is_printed_signs_in_and_another_one_follows(
    guard: CommandLine,
) -> None:
    with guard.start("console", "--port", "0", stdin=subprocess.DEVNULL) as process:
        port, key = link(process)
        caller = Caller(port)

        assert (await caller.sign_in(key)).status == 200
        assert (await caller.get("/api/session")).values["state"] == "state"
        again, second = link(process)

        assert (again, second != key) == (port, True)
        process.terminate()


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="this system has no terminals of that kind")
async def test_enter_in_the_terminal_prints_another_link(guard: CommandLine) -> None:
    ours, theirs = os.openpty()
    try:
        with guard.start("console", "--port", "0", stdin=theirs) as process:
            port, first = link(process)
            os.write(ours, b"\n")
            _, second = link(process)

            assert first != second
            assert (await Caller(port).sign_in(second)).status == 200
            assert (await Caller(port).sign_in(first)).status == 200
            process.terminate()
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_it_though_pages_are_open(
    guard: CommandLine, number: signal.Signals
) -> None:
    with guard.start("console", "--port", "0", stdin=subprocess.DEVNULL) as process:
        port, key = link(process)
        caller = Caller(port)
        await caller.sign_in(key)
        async with caller.events() as one, caller.events() as two:
            await one.state()
            await two.state()

            process.send_signal(number)

            await one.over()
            await two.over()
        assert process.wait(SECONDS) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


async def test_it_makes_no_state_and_leaves_nothing_behind(guard: CommandLine) -> None:
    with guard.start("console", "--port", "0", stdin=subprocess.DEVNULL) as process:
        port, key = link(process)
        caller = Caller(port)
        await caller.sign_in(key)
        async with caller.events() as stream:
            assert not (await stream.state())["state"]["ready"]
        process.terminate()

    assert not guard.state.exists()


async def test_it_starts_with_a_policy_that_cannot_be_used_and_says_so_on_the_page(
    guard: CommandLine,
) -> None:
    broken = guard.folder / "policy.json"
    broken.write_text('{"version": "2"}')
    words = ("console", "--port", "0", "--policy", str(broken))
    with guard.start(*words, stdin=subprocess.DEVNULL) as process:
        port, key = link(process)
        caller = Caller(port)
        await caller.sign_in(key)
        async with caller.events() as stream:
            told = await stream.state()
        process.terminate()

    assert "/version" in told["policy"]["degraded"]
    assert told["policy"]["files"] == []


async def test_no_credential_is_printed(guard: CommandLine) -> None:
    env = {"COMFYUI_API_KEY": "a-secret-key-1234", "COMFYUI_HOST": "127.0.0.1:9"}
    with guard.start("console", "--port", "0", stdin=subprocess.DEVNULL, env=env) as process:
        port, key = link(process)
        caller = Caller(port)
        await caller.sign_in(key)
        async with caller.events() as stream:
            told = await stream.until("words", lambda told: "9" in told["comfyui"]["words"])
        await caller.sign_in(key)
        process.terminate()
        out, err = process.communicate(timeout=SECONDS)

    for text in (out, err, str(told)):
        assert "a-secret-key" not in text
        assert caller.cookie.partition("=")[2] not in text
    assert "opened a second time" in out


def test_a_port_that_is_taken_is_told_with_what_to_do(guard: CommandLine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        done = guard.run("console", "--port", str(port))

    assert done.returncode == 2
    assert f"Port {port} is taken" in done.stderr
    assert "--port" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("port", ["-1", "65536", "x", "1.5", ""])
def test_what_is_no_port_is_refused(guard: CommandLine, port: str) -> None:
    assert guard.run("console", f"--port={port}").returncode == 2


def test_no_option_makes_it_listen_elsewhere(guard: CommandLine) -> None:
    told = guard.run("console", "--help").stdout

    assert "to this machine only" in " ".join(told.split())
    assert guard.run("console", "--bind", "0.0.0.0").returncode == 2  # noqa: S104 - it is refused
