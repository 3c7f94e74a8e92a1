"""The key that signs notifications: made once, shared by all processes, and by nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from comfy_mcp.errors import StateError
from comfy_mcp.notify import webhook_key

POSIX = pytest.mark.skipif(os.name == "nt", reason="Windows has no such permission bits")
PRINT = "import sys; from pathlib import Path; from comfy_mcp.notify import webhook_key; "


def refused(folder: Path) -> str:
    with pytest.raises(StateError) as caught:
        webhook_key(folder)
    return str(caught.value)


def test_a_key_is_made_when_it_is_first_needed_and_is_the_same_from_then_on(tmp_path: Path) -> None:
    key = webhook_key(tmp_path)
    assert len(key) == 32
    assert (tmp_path / "webhook.key").read_text() == f"{key.hex()}\n"
    assert webhook_key(tmp_path) == key
    assert [path.name for path in tmp_path.iterdir()] == ["webhook.key"]


def test_two_folders_have_two_keys(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    assert webhook_key(one) != webhook_key(two)


@POSIX
def test_nobody_else_may_read_it_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        webhook_key(tmp_path)
    finally:
        os.umask(before)
    assert (tmp_path / "webhook.key").stat().st_mode & 0o777 == 0o600


def test_threads_that_need_it_at_the_same_moment_get_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(webhook_key, [tmp_path] * 64))
    assert len(keys) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["webhook.key"]


def test_processes_that_need_it_at_the_same_moment_get_the_same(tmp_path: Path) -> None:
    command = [sys.executable, "-c", f"{PRINT}print(webhook_key(Path(sys.argv[1])).hex())"]
    racers = [
        subprocess.Popen([*command, str(tmp_path)], stdout=subprocess.PIPE)  # noqa: S603 - our own
        for _ in range(4)
    ]
    told = {racer.communicate(timeout=60)[0] for racer in racers}
    assert told == {f"{webhook_key(tmp_path).hex()}\n".encode()}


@POSIX
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
def test_a_key_that_others_can_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    webhook_key(tmp_path)
    (tmp_path / "webhook.key").chmod(mode)
    assert f"is open to other users (mode {mode:04o}). Delete it" in refused(tmp_path)


@POSIX
def test_a_key_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    webhook_key(tmp_path)
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    assert f"belongs to user {mine}" in refused(tmp_path)


@pytest.mark.parametrize("content", ["", "00" * 31, "00" * 33, "zz" * 32, "00" * 5000])
def test_what_is_no_key_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "webhook.key"
    path.write_text(content)
    path.chmod(0o600)
    assert "holds no key. Delete it" in refused(tmp_path)


@POSIX
def test_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "webhook.key").symlink_to(tmp_path / "elsewhere")
    assert "is no regular file" in refused(tmp_path)
    (tmp_path / "elsewhere").write_text("00" * 32)
    (tmp_path / "elsewhere").chmod(0o600)
    assert "is no regular file" in refused(tmp_path)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    told = refused(tmp_path / "none")
    assert "No such file" in told
    assert "remove the webhook from the policy" in told
