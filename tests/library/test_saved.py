"""Promise: a saved workflow is its grant's alone, whole or not there, in a folder that is ours."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from comfy_mcp.errors import StateError, WorkflowError
from comfy_mcp.library import SavedWorkflows
from comfy_mcp.library.locking import LOCK, alone
from comfy_mcp.library.saved import MOST_BYTES, MOST_EACH, MOST_TOTAL

posix = pytest.mark.skipif(os.name != "posix", reason="modes and links of POSIX")

NOW = 1_700_000_000_000


def parts(color: int = 1, **more: Any) -> dict[str, Any]:
    graph = {
        "1": {"class_type": "EmptyImage", "inputs": {"color": color}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0]}},
    }
    return {"title": "Card", "description": "", "graph": graph, **more}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "workflows"


@pytest.fixture
def saved(folder: Path) -> SavedWorkflows:
    return SavedWorkflows(folder, now_ms=lambda: NOW)


def refusal(saved: SavedWorkflows, name: str, grant: str = "ann", **more: Any) -> str:
    with pytest.raises(WorkflowError) as caught:
        saved.save(name, grant, parts(**more), overwrite=False)
    return str(caught.value)


def test_looking_makes_no_folder(saved: SavedWorkflows, folder: Path) -> None:
    assert saved.names("ann") == ()
    assert not saved.has("card", "ann")
    assert not folder.parent.exists()


def test_what_was_saved_is_found_by_its_name(saved: SavedWorkflows) -> None:
    assert saved.save("card", "ann", parts(7), overwrite=False) == "saved"

    found = saved.load("card", "ann")

    assert (found.name, found.grant, found.saved_ms) == ("card", "ann", NOW)
    assert found.draft.graph is not None
    assert found.draft.graph.to_json() == parts(7)["graph"]
    assert saved.names("ann") == ("card",)


def test_another_process_sees_it_too(saved: SavedWorkflows, folder: Path) -> None:
    other = SavedWorkflows(folder, now_ms=lambda: NOW)
    saved.save("card", "ann", parts(1), overwrite=False)
    assert other.load("card", "ann").parts == parts(1)

    saved.save("card", "ann", parts(2), overwrite=True)

    assert other.load("card", "ann").parts == parts(2)


def test_one_grant_sees_changes_and_deletes_nothing_of_another(saved: SavedWorkflows) -> None:
    saved.save("card", "ann", parts(), overwrite=False)

    assert saved.names("bob") == ()
    assert not saved.has("card", "bob")
    for touch in (saved.load, saved.delete):
        with pytest.raises(WorkflowError, match="You have saved no workflow"):
            touch("card", "bob")
    with pytest.raises(WorkflowError, match="is taken"):
        saved.save("card", "bob", parts(2), overwrite=True)
    assert saved.load("card", "ann").parts == parts()


def test_nothing_is_replaced_unless_that_was_said(saved: SavedWorkflows) -> None:
    saved.save("card", "ann", parts(1), overwrite=False)

    assert "overwrite" in refusal(saved, "card", color=2)
    assert saved.load("card", "ann").parts == parts(1)
    assert saved.save("card", "ann", parts(2), overwrite=True) == "replaced"
    assert saved.load("card", "ann").parts == parts(2)


def test_the_same_once_more_is_no_error(saved: SavedWorkflows) -> None:
    saved.save("card", "ann", parts(), overwrite=False)

    assert saved.save("card", "ann", parts(), overwrite=False) == "unchanged"


def test_what_was_deleted_is_gone(saved: SavedWorkflows, folder: Path) -> None:
    saved.save("card", "ann", parts(), overwrite=False)

    saved.delete("card", "ann")

    assert saved.names("ann") == ()
    assert not (folder / "card.json").exists()
    assert saved.save("card", "bob", parts(), overwrite=False) == "saved"


@pytest.mark.parametrize(
    "name",
    [
        *("..", "../card", "/etc/card", "a/b", "C:\\card", "\\\\server\\x", "con", "lpt1"),
        *(
            "card\x00",
            "card\n",
            "%2e%2e%2fcard",
            "Card",
            "c\u0430rd",
            "x" * 65,
            "",
            ".lock",
            "card.json",
        ),
    ],
)
def test_a_name_that_is_no_name_writes_nothing(
    saved: SavedWorkflows, folder: Path, name: str
) -> None:
    assert "name" in refusal(saved, name)
    assert not folder.parent.exists()
    for look in (saved.load, saved.delete):
        with pytest.raises(WorkflowError, match="You have saved no workflow"):
            look(name, "ann")


def test_what_is_too_big_is_not_written(saved: SavedWorkflows, folder: Path) -> None:
    assert "can be saved" in refusal(saved, "card", description="x" * MOST_BYTES)
    assert not folder.exists()


def test_a_grant_can_save_so_many_bytes(saved: SavedWorkflows, folder: Path) -> None:
    folder.mkdir(parents=True, mode=0o700)
    body = json.dumps({"saved_by": "ann", "saved_ms": 1, **parts()})
    for number in range(MOST_TOTAL // MOST_BYTES):
        (folder / f"card-{number}.json").write_text(body.ljust(MOST_BYTES))

    assert "20 MiB together" in refusal(saved, "one-more")
    assert saved.save("card-0", "ann", parts(2), overwrite=True) == "replaced"
    assert saved.save("one-more", "ann", parts(2), overwrite=False) == "saved"


def test_a_grant_can_save_so_many_and_others_still_can(saved: SavedWorkflows, folder: Path) -> None:
    folder.mkdir(parents=True, mode=0o700)
    body = json.dumps({"saved_by": "ann", "saved_ms": 1, **parts()})
    for number in range(MOST_EACH):
        (folder / f"card-{number}.json").write_text(body)

    assert "the most there can be" in refusal(saved, "one-more")
    assert saved.save("card-0", "ann", parts(2), overwrite=True) == "replaced"
    assert saved.save("one-more", "bob", parts(), overwrite=False) == "saved"


@posix
def test_folder_and_files_are_for_this_user_only(saved: SavedWorkflows, folder: Path) -> None:
    before = os.umask(0)
    try:
        saved.save("card", "ann", parts(), overwrite=False)
    finally:
        os.umask(before)

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {"card.json": 0o600, LOCK: 0o600}


@posix
def test_a_folder_that_is_a_link_is_not_used(
    saved: SavedWorkflows, folder: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder.parent.mkdir()
    folder.symlink_to(elsewhere)

    for touch in (
        lambda: saved.save("card", "ann", parts(), overwrite=False),
        lambda: saved.names("ann"),
        lambda: saved.has("card", "ann"),
        lambda: saved.load("card", "ann"),
        lambda: saved.delete("card", "ann"),
    ):
        with pytest.raises(StateError, match="is a link"):
            touch()
    assert list(elsewhere.iterdir()) == []


@posix
def test_a_folder_that_others_can_write_is_not_used(saved: SavedWorkflows, folder: Path) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o777)

    with pytest.raises(StateError, match="other users"):
        saved.names("ann")


@posix
def test_a_file_that_is_a_link_is_neither_read_nor_followed(
    saved: SavedWorkflows, folder: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.json"
    outside.write_text(json.dumps({"saved_by": "ann", "saved_ms": 1, **parts()}))
    folder.mkdir(parents=True, mode=0o700)
    (folder / "card.json").symlink_to(outside)

    assert saved.names("ann") == ()
    assert not saved.has("card", "ann")
    assert "is taken" in refusal(saved, "card")
    with pytest.raises(WorkflowError, match="You have saved no workflow"):
        saved.delete("card", "ann")
    assert outside.exists()


@posix
def test_a_pipe_in_the_folder_holds_nobody_up(saved: SavedWorkflows, folder: Path) -> None:
    folder.mkdir(parents=True, mode=0o700)
    os.mkfifo(folder / "card.json")

    assert saved.names("ann") == ()


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        json.dumps(parts()),
        json.dumps({"saved_by": 1, "saved_ms": 1, **parts()}),
        json.dumps({"saved_by": "ann", "saved_ms": 1, "title": "x", "graph": {}}),
        json.dumps({"saved_by": "ann", "saved_ms": 1, **parts()}) + " " * MOST_BYTES,
    ],
    ids=["no-json", "a-list", "nobody's", "a-number's", "no-nodes", "too-big"],
)
def test_a_file_that_was_not_made_here_is_nobodys_and_stays(
    saved: SavedWorkflows, folder: Path, content: str
) -> None:
    folder.mkdir(parents=True, mode=0o700)
    (folder / "card.json").write_text(content)

    assert saved.names("ann") == ()
    assert "is taken" in refusal(saved, "card")
    assert (folder / "card.json").read_text() == content


def test_two_that_save_at_once_leave_one_whole_file(folder: Path) -> None:
    both = [SavedWorkflows(folder, now_ms=lambda: NOW) for _ in range(2)]
    ready = threading.Barrier(2)

    def save(number: int) -> str:
        ready.wait()
        try:
            return both[number].save("card", f"grant-{number}", parts(number), overwrite=False)
        except WorkflowError as error:
            return str(error)

    with ThreadPoolExecutor(2) as pool:
        said = sorted(pool.map(save, range(2)))

    winner = json.loads((folder / "card.json").read_text())
    assert said == ["The name card is taken. Choose another.", "saved"]
    assert winner["saved_by"] == f"grant-{winner['graph']['1']['inputs']['color']}"
    assert sorted(path.name for path in folder.iterdir()) == [LOCK, "card.json"]


def test_a_folder_that_is_held_for_too_long_is_said_to_be(
    saved: SavedWorkflows, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.mkdir(parents=True, mode=0o700)
    monkeypatch.setattr("comfy_mcp.library.locking.PATIENCE", 0.05)

    with alone(folder), pytest.raises(StateError, match="another process"):
        saved.save("card", "ann", parts(), overwrite=False)


@posix
def test_a_disk_that_takes_nothing_leaves_nothing(
    saved: SavedWorkflows, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved.save("card", "ann", parts(1), overwrite=False)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StateError, match="No space left"):
        saved.save("card", "ann", parts(2), overwrite=True)

    assert saved.load("card", "ann").parts == parts(1)
    assert sorted(path.name for path in folder.iterdir()) == [LOCK, "card.json"]


HOLD = """
import sys
from pathlib import Path
from comfy_mcp.library.locking import alone
with alone(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_another_process_that_writes_is_waited_for(
    saved: SavedWorkflows, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.mkdir(parents=True, mode=0o700)
    monkeypatch.setattr("comfy_mcp.library.locking.PATIENCE", 0.05)
    with subprocess.Popen(  # noqa: S603 - this very interpreter
        [sys.executable, "-c", HOLD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(StateError, match="another process"):
            saved.save("card", "ann", parts(), overwrite=False)
        other.communicate()

    assert saved.save("card", "ann", parts(), overwrite=False) == "saved"
