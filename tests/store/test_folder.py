"""The state folder is ours alone, or nothing is done and the error says what to do."""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from comfy_mcp.errors import StateError
from comfy_mcp.store import SqliteStore
from comfy_mcp.store.schema import VERSION

pytestmark = pytest.mark.anyio

posix = pytest.mark.skipif(sys.platform == "win32", reason="modes and owners are POSIX")


async def refused(folder: Path, saying: str) -> None:
    store = SqliteStore(folder)
    with pytest.raises(StateError) as caught:
        await store.record(1, {})
    await store.close()
    message = str(caught.value)
    assert saying in message
    assert str(folder) in message
    assert "COMFY_MCP_STATE" in message


async def accepted(folder: Path) -> None:
    store = SqliteStore(folder)
    await store.record(1, {})
    await store.close()


def modes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in (folder, *folder.iterdir())}


async def test_nothing_is_made_before_the_first_operation(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "state")
    await store.close()
    assert "state" not in modes(tmp_path)


@posix
async def test_folder_and_files_are_for_their_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "state"
    umask = os.umask(0)
    try:
        store = SqliteStore(folder)
        await store.record(1, {})
    finally:
        os.umask(umask)

    assert modes(folder) == {
        "state": 0o700,
        "guard.db": 0o600,
        "guard.db-wal": 0o600,
        "guard.db-shm": 0o600,
    }
    await store.close()


@posix
async def test_a_file_that_others_can_read_is_hidden_from_them(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    await accepted(folder)
    (folder / "guard.db").chmod(0o644)
    await accepted(folder)
    assert modes(folder)["guard.db"] == 0o600


async def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    await refused(tmp_path / "state", "cannot be read or written")


async def test_a_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    await refused(tmp_path / "file" / "state", "cannot be read or written")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder nobody can write")
async def test_a_folder_where_nobody_can_write_is_refused() -> None:
    await refused(Path("/proc/self/state"), "cannot be read or written")


async def test_a_state_file_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state" / "guard.db").mkdir(parents=True)
    await refused(tmp_path / "state", "something else than a file")


@posix
async def test_a_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "state").symlink_to(tmp_path / "real")
    await refused(tmp_path / "state", "is a link")
    assert list((tmp_path / "real").iterdir()) == []


@posix
async def test_a_state_file_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "state" / "guard.db").symlink_to(tmp_path / "elsewhere")
    await refused(tmp_path / "state", "something else than a file")
    assert not (tmp_path / "elsewhere").exists()


@posix
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
async def test_a_folder_that_others_can_write_is_refused(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(mode)
    await refused(folder, f"chmod go-w {folder}")


@posix
async def test_a_folder_that_others_can_only_read_will_do(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(0o755)
    await accepted(folder)


@posix
async def test_a_state_file_that_others_can_write_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    await accepted(folder)
    (folder / "guard.db").chmod(0o620)
    await refused(folder, f"chmod go-w {folder / 'guard.db'}")


@posix
@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only root can give a folder away"
)
@pytest.mark.parametrize("given", ["", "guard.db"])
async def test_what_belongs_to_somebody_else_is_refused(tmp_path: Path, given: str) -> None:
    folder = tmp_path / "state"
    await accepted(folder)
    os.chown(folder / given, 12_345, -1)
    await refused(folder, "belongs to user 12345")


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    file = folder / "guard.db"
    file.write_bytes(b"this is not a database" * 100)
    file.chmod(0o600)
    await refused(folder, "is damaged")
    assert file.read_bytes() == b"this is not a database" * 100


async def test_a_damaged_database_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    await accepted(folder)
    file = folder / "guard.db"
    whole = file.read_bytes()
    file.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    await refused(folder, "is damaged")


async def test_a_state_of_a_newer_version_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    await accepted(folder)
    with closing(sqlite3.connect(folder / "guard.db")) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    before = (folder / "guard.db").read_bytes()
    await refused(folder, "Use the newest comfy-mcp-guard")
    assert (folder / "guard.db").read_bytes() == before


async def test_the_database_of_another_program_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    with closing(sqlite3.connect(folder / "guard.db")) as connection:
        connection.execute("CREATE TABLE recipes (name)")
    (folder / "guard.db").chmod(0o600)
    await refused(folder, "another program")


async def test_a_state_that_could_not_be_opened_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    store = SqliteStore(tmp_path / "state")
    with pytest.raises(StateError):
        await store.record(1, {})
    (tmp_path / "state").unlink()

    await store.record(1, {})
    assert await store.verify() == (1, None)
    await store.close()
