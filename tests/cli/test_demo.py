"""`demo` shows the main job on any machine: a picture, a verified cancel, a denial, a whole log."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from comfy_mcp.cli.demo import save
from comfy_mcp.errors import ComfyMCPError
from tests.cli.command_line import CommandLine, end


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Where the demo ran once, and what it wrote."""
    guard = CommandLine(tmp_path_factory.mktemp("demo"))
    (guard.folder / "temporary").mkdir()
    done = guard.run("demo", env={"TMPDIR": str(guard.folder / "temporary")})
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return guard.folder, done.stdout


def test_it_says_what_it_is(shown: tuple[Path, str]) -> None:
    assert "Embedded demo host, no GPU: a painted picture, not a diffusion model." in shown[1]


def test_the_picture_is_there_and_its_path_is_told(shown: tuple[Path, str]) -> None:
    folder, text = shown
    path = folder / "comfy-mcp-guard-demo.png"

    assert str(path) in text
    with Image.open(path) as picture:
        picture.load()
        assert picture.size == (512, 512)


def test_progress_is_seen(shown: tuple[Path, str]) -> None:
    assert re.search(r"txt2img: +\d+ %", shown[1])


def test_the_cancel_was_verified(shown: tuple[Path, str]) -> None:
    assert "cancel_job: cancelled (it was in_progress)" in shown[1]
    assert "The job was stopped, and that was verified." in shown[1]


def test_the_denial_is_shown_as_the_agent_reads_it(shown: tuple[Path, str]) -> None:
    assert re.search(
        r"\[POLICY DENIED\] rate_limited: run_workflow may be called 3 times per minute;"
        r" retry in [\d.]+ s\. \(dec_\w+\)",
        shown[1],
    )


def test_the_audit_log_is_shown_and_whole(shown: tuple[Path, str]) -> None:
    assert shown[1].count("decision: allow") == 5
    assert shown[1].count("decision: deny (rate_limited)") == 1
    assert "job: cancelled" in shown[1]
    assert re.search(r"The hash chain verifies: \d+ rows", shown[1])


def test_it_ends_with_what_is_next(shown: tuple[Path, str]) -> None:
    assert "config claude-desktop" in shown[1].split("\nNext\n")[1]


def test_nothing_is_left_but_the_picture(shown: tuple[Path, str]) -> None:
    folder, _ = shown

    assert list((folder / "temporary").iterdir()) == []
    assert not (folder / "state").exists()


def test_a_signal_in_the_middle_leaves_nothing_behind(guard: CommandLine) -> None:
    temporary = guard.folder / "temporary"
    temporary.mkdir()
    with guard.start("demo", env={"TMPDIR": str(temporary)}) as process:
        until(process, "the agent sees these tools")
        status, errors = end(process, signal.SIGINT)

    assert status == 130
    assert "Traceback" not in errors
    assert list(temporary.iterdir()) == []


def until(process: subprocess.Popen[str], words: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if words in line:
            return
    pytest.fail(f"the demo ended without {words!r}")


def test_another_picture_is_never_overwritten(tmp_path: Path) -> None:
    first = save(b"one", tmp_path)
    second = save(b"two", tmp_path)
    third = save(b"three", tmp_path)

    assert [path.name for path in (first, second, third)] == [
        "comfy-mcp-guard-demo.png",
        "comfy-mcp-guard-demo-2.png",
        "comfy-mcp-guard-demo-3.png",
    ]
    assert first.read_bytes() == b"one"


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(ComfyMCPError, match="Change into a folder"):
        save(b"x", tmp_path / "missing")
