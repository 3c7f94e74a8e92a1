"""`embedded` is a ComfyUI of its own until a signal ends it, with the weather that was ordered."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import urllib.request
from dataclasses import asdict, fields
from typing import Any

import pytest

from comfy_mcp.cli.embedded_host import FAULTS, faults, parser
from comfy_mcp.embedded import BadAnswer, Faults
from tests.cli.command_line import CommandLine, end


def address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().split()[2]


def test_it_answers_as_the_version_that_was_asked_for(guard: CommandLine) -> None:
    folder = guard.folder / "kept"
    with guard.start("embedded", "--port", "0", "--profile", "0.8", "--folder", "kept") as process:
        url = address(process)
        with urllib.request.urlopen(f"{url}/system_stats", timeout=20) as answer:  # noqa: S310 - loopback
            stats: Any = json.load(answer)
        status, errors = end(process, signal.SIGTERM)

    assert stats["system"]["comfyui_version"] == "0.8.0"
    assert (folder / "output").is_dir()
    assert status == 0
    assert errors == ""


def test_comfy_clouds_dialect_says_which_key_it_wants(guard: CommandLine) -> None:
    with guard.start("embedded", "--port", "0", "--profile", "cloud") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
        end(process, signal.SIGTERM)

    assert "as Comfy Cloud" in lines[0]
    assert any("X-API-Key: comfyui-" in line for line in lines)


def test_ctrl_c_ends_it_without_a_traceback(guard: CommandLine) -> None:
    with guard.start("embedded", "--port", "0") as process:
        address(process)
        status, errors = end(process, signal.SIGINT)

    assert status == 130
    assert errors == ""


def test_a_port_that_is_taken_is_told(guard: CommandLine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = guard.run("embedded", "--port", port)

    assert done.returncode == 2
    assert f"127.0.0.1:{port}" in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_cannot_be_used_is_told(guard: CommandLine) -> None:
    (guard.folder / "file").touch()

    done = guard.run("embedded", "--port", "0", "--folder", "file")

    assert done.returncode == 2
    assert "folder" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_fault_has_an_option() -> None:
    assert set(FAULTS) == {field.name for field in fields(Faults)}


def test_options_make_the_weather() -> None:
    words = [
        *("--lost-cancel-ms", "1", "--deaf-ms", "2", "--success-before-history-ms", "3"),
        *("--lose-answer", "after", "--answer-delay-ms", "4", "--socket", "silent"),
        *("--dead-worker", "--node-ms", "5", "--step-ms", "6"),
        *("--takeover-fixed", "--no-blocked-publisher", "--http", "502"),
        *("--http", "slow,method=post,path=/prompt,times=2,delay_ms=7,after"),
    ]

    assert asdict(faults(parser("test").parse_args(words))) == {
        "lost_cancel_ms": 1,
        "deaf_ms": 2,
        "success_before_history_ms": 3,
        "lose_answer": "after",
        "answer_delay_ms": 4,
        "socket": "silent",
        "dead_worker": True,
        "node_ms": 5,
        "step_ms": 6,
        "http": (
            asdict(BadAnswer("502")),
            asdict(BadAnswer("slow", "POST", "/prompt", after=True, times=2, delay_ms=7)),
        ),
        "takeover_fixed": True,
        "blocked_publisher": False,
    }
    assert faults(parser("test").parse_args([])) == Faults()


@pytest.mark.parametrize(
    "words",
    [
        ["--port", "65536"],
        ["--port", "-1"],
        ["--step-ms", "1.5"],
        ["--profile", "9"],
        ["--http", "sunshine"],
        ["--http", "502,times=often"],
        ["--http", "502,colour=red"],
    ],
)
def test_nonsense_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        parser("test").parse_args(words)

    assert leaving.value.code == 2
    assert words[0] in capsys.readouterr().err
