"""Reading from an opened folder: regular files in it, and nothing else, whatever is swapped."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from comfy_mcp.errors import RootError
from comfy_mcp.roots import Roots, folders

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links and pipes of POSIX")

VARIABLE = "COMFY_MCP_INPUT_ROOTS"
MOST = 1_000


@pytest.fixture(params=["by descriptor", "by path"])
def how(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """As on Linux and macOS, and as where no folder can be held open."""
    monkeypatch.setattr(folders, "BY_DESCRIPTOR", request.param == "by descriptor")
    return request.param


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An opened folder beside a secret."""
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "a.png").write_text("secret")
    (tmp_path / "open" / "sub").mkdir(parents=True)
    (tmp_path / "open" / "a.png").write_text("picture")
    (tmp_path / "open" / "sub" / "b.png").write_text("below")
    return tmp_path / "open"


def read(roots: Roots, text: str) -> str:
    with roots.reading(text, most=MOST) as found:
        return found.file.read().decode()


@pytest.mark.usefixtures("how")
def test_files_in_the_folder_are_read_by_any_plain_path(root: Path) -> None:
    roots = Roots([root], variable=VARIABLE)

    assert read(roots, "a.png") == "picture"
    assert read(roots, str(root / "a.png")) == "picture"
    assert read(roots, "sub/b.png") == "below"


@pytest.mark.usefixtures("how")
def test_no_link_is_followed_wherever_it_stands_and_leads(root: Path) -> None:
    roots = Roots([root], variable=VARIABLE)
    (root / "file").symlink_to(root.parent / "secret.txt")
    (root / "folder").symlink_to(root.parent / "secrets")
    (root / "inside").symlink_to(root / "a.png")
    (root / "sub" / "up").symlink_to("..")
    (root / "broken").symlink_to("nowhere")

    for text in ("file", "folder/a.png", "inside", "sub/up/a.png", "broken"):
        with pytest.raises(RootError, match="link"):
            read(roots, text)


@pytest.mark.usefixtures("how")
def test_the_folders_own_path_may_have_links_and_either_spelling_is_known(root: Path) -> None:
    (root.parent / "named").symlink_to(root)
    roots = Roots([root.parent / "named"], variable=VARIABLE)

    assert read(roots, "a.png") == "picture"
    assert read(roots, str(root.parent / "named" / "a.png")) == "picture"
    assert read(roots, str(root / "a.png")) == "picture"


@pytest.mark.usefixtures("how")
def test_what_is_no_regular_file_is_not_even_waited_for(root: Path) -> None:
    os.mkfifo(root / "pipe.png")
    bound = socket.socket(socket.AF_UNIX)
    previous = Path.cwd()
    os.chdir(root)  # the path of a socket must be short
    try:
        bound.bind("socket.png")
    finally:
        os.chdir(previous)
    roots = Roots([root, Path("/dev")], variable=VARIABLE)

    with bound:
        for text in ("pipe.png", "socket.png", "sub", "/dev/zero", "/dev/null"):
            with pytest.raises(RootError):
                read(roots, text)


@pytest.mark.usefixtures("how")
def test_a_file_that_is_too_large_is_not_read(root: Path) -> None:
    with (root / "large.png").open("wb") as file:
        file.truncate(1 << 40)

    with pytest.raises(RootError, match="1000 is the most"):
        read(Roots([root], variable=VARIABLE), "large.png")


@pytest.mark.usefixtures("how")
def test_what_is_not_there_is_told_without_the_folders_place(root: Path) -> None:
    with pytest.raises(RootError, match="no such file") as refused:
        read(Roots([root], variable=VARIABLE), "missing.png")

    assert str(root) not in str(refused.value)


def test_without_an_opened_folder_the_variable_is_named() -> None:
    with pytest.raises(RootError, match=VARIABLE):
        Roots([], variable=VARIABLE).place("a.png")


@pytest.mark.usefixtures("how")
def test_an_opened_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(RootError, match="no such file or folder"):
        read(Roots([tmp_path / "gone"], variable=VARIABLE), "a.png")


@pytest.fixture
def swapping(root: Path) -> Iterator[None]:
    """Somebody who swaps a folder for a link out and back, as fast as can be."""
    (root / "real").mkdir()
    (root / "real" / "a.png").write_text("picture")
    (root / "link").symlink_to(root.parent / "secrets")
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            (root / "real").rename(root / "x")
            (root / "link").rename(root / "real")
            (root / "real").rename(root / "link")
            (root / "x").rename(root / "real")

    thread = threading.Thread(target=swap)
    thread.start()
    yield
    over.set()
    thread.join()


@pytest.mark.skipif(not folders.BY_DESCRIPTOR, reason="only where folders are held open")
@pytest.mark.usefixtures("swapping")
def test_a_folder_that_is_swapped_for_a_link_meanwhile_leads_nowhere(root: Path) -> None:
    roots = Roots([root], variable=VARIABLE)
    seen: set[str] = set()

    for _ in range(5_000):
        try:
            seen.add(read(roots, "real/a.png"))
        except RootError:
            seen.add("refused")

    assert "secret" not in seen
    assert "picture" in seen
