"""Putting files into an opened folder: whole or not at all, and nobody else's is written over."""

from __future__ import annotations

import io
import os
import stat
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from comfy_mcp.errors import RootError, StateError
from comfy_mcp.roots import Ledger, Put, Roots, Written, folders, is_folder, put
from comfy_mcp.roots import ledger as ledgers

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links and modes of POSIX")

NEVER = Put(lambda _sha256, _path: False)
OURS = Put(lambda _sha256, _path: True, exactly=True)
FOREIGN = Put(lambda _sha256, _path: False, exactly=True)


@pytest.fixture(params=["by descriptor", "by path"], autouse=True)
def how(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """As on Linux and macOS, and as where no folder can be held open."""
    monkeypatch.setattr(folders, "BY_DESCRIPTOR", request.param == "by descriptor")
    return request.param


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "open").mkdir()
    return tmp_path / "open"


def write(root: Path, path: str, data: bytes, how: Put = NEVER) -> Written:
    place = Roots([root], variable="X").place(path)
    with put(place, io.BytesIO(data), how) as written:
        return written


def there(root: Path) -> dict[str, bytes]:
    """Every file below *root*, hidden ones, too."""
    return {
        str(one.relative_to(root)): one.read_bytes() for one in root.rglob("*") if one.is_file()
    }


def test_a_file_is_put_whole_into_folders_that_are_made(root: Path) -> None:
    written = write(root, "img/new/hero.webp", b"picture")

    assert there(root) == {"img/new/hero.webp": b"picture"}
    assert (written.place.path, written.bytes, written.existed) == ("img/new/hero.webp", 7, False)


def test_what_a_killed_write_left_goes_an_hour_later_and_nothing_else_does(
    root: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    (root / "sub").mkdir()
    old = time.time() - 3_700
    stay = [".a.png.0123abcd.tmp.png", "a.png.0123abcd.tmp", ".a.png.0123ABCD.tmp", ".0123abcd.tmp"]
    stay += [".a.png.0123abcde.tmp", "sub/.a.png.0123abcd.tmp", "b.tmp"]
    for name in (".a.png.0123abcd.tmp", ".b.json.89abcdef.tmp", *stay):
        (root / name).write_bytes(b"part")
        os.utime(root / name, (old, old))
    (root / ".young.png.0123abcd.tmp").write_bytes(b"part")
    (root / ".link.png.0123abcd.tmp").symlink_to(secret)
    (root / ".folder.png.0123abcd.tmp").mkdir()
    for name in (".link.png.0123abcd.tmp", ".folder.png.0123abcd.tmp"):
        os.utime(root / name, (old, old), follow_symlinks=False)

    write(root, "new.png", b"new")

    assert set(there(root)) == {
        *("new.png", ".young.png.0123abcd.tmp", ".link.png.0123abcd.tmp"),
        *stay,
    }
    assert (root / ".folder.png.0123abcd.tmp").is_dir()
    assert secret.read_bytes() == b"secret"


def test_its_mode_is_what_the_user_is_used_to(root: Path) -> None:
    before = os.umask(0o027)
    try:
        write(root, "a.png", b"x")
    finally:
        os.umask(before)

    assert stat.S_IMODE((root / "a.png").stat().st_mode) == 0o640


def test_a_name_that_is_taken_gets_a_number_and_the_other_file_stays(root: Path) -> None:
    (root / "hero.png").write_bytes(b"of a person")

    first = write(root, "hero.png", b"one")
    second = write(root, "hero.png", b"two")

    assert (first.place.path, second.place.path) == ("hero-1.png", "hero-2.png")
    assert there(root) == {"hero.png": b"of a person", "hero-1.png": b"one", "hero-2.png": b"two"}


def test_the_same_bytes_again_make_no_second_file(root: Path) -> None:
    write(root, "hero.png", b"one")
    before = (root / "hero.png").stat().st_mtime_ns

    again = write(root, "hero.png", b"one")

    assert again.existed
    assert again.place.path == "hero.png"
    assert (root / "hero.png").stat().st_mtime_ns == before
    assert there(root) == {"hero.png": b"one"}


def test_only_what_may_go_is_written_over(root: Path) -> None:
    (root / "hero.png").write_bytes(b"of a person")

    with pytest.raises(RootError, match="not written over"):
        write(root, "hero.png", b"one", FOREIGN)
    assert there(root) == {"hero.png": b"of a person"}

    write(root, "hero.png", b"one", OURS)
    assert there(root) == {"hero.png": b"one"}


def test_a_link_at_its_name_is_neither_followed_nor_replaced(root: Path) -> None:
    outside = root.parent / "outside.txt"
    outside.write_bytes(b"secret")
    (root / "hero.png").symlink_to(outside)

    written = write(root, "hero.png", b"one")
    with pytest.raises(RootError):
        write(root, "hero.png", b"two", OURS)

    assert written.place.path == "hero-1.png"
    assert outside.read_bytes() == b"secret"
    assert (root / "hero.png").is_symlink()


def test_a_second_name_of_a_file_elsewhere_is_let_go_and_the_file_stays(root: Path) -> None:
    outside = root.parent / "outside.txt"
    outside.write_bytes(b"secret")
    (root / "hero.png").hardlink_to(outside)

    write(root, "hero.png", b"one", OURS)

    assert outside.read_bytes() == b"secret"
    assert (root / "hero.png").read_bytes() == b"one"


@pytest.mark.parametrize("path", ["link/a.png", "file.txt/a.png"])
def test_nothing_is_made_behind_a_link_or_a_file(root: Path, path: str) -> None:
    (root.parent / "elsewhere").mkdir()
    (root / "link").symlink_to(root.parent / "elsewhere")
    (root / "file.txt").write_bytes(b"x")

    with pytest.raises(RootError, match="link"):
        write(root, path, b"one")

    assert there(root.parent / "elsewhere") == {}
    assert there(root) == {"file.txt": b"x"}


@pytest.mark.parametrize("path", [".git/hooks/a.png", ".env", "img/.hidden.png", ".", "img/.."])
def test_nothing_is_written_where_nobody_looks(root: Path, path: str) -> None:
    with pytest.raises(RootError):
        write(root, path, b"one")

    assert list(root.iterdir()) == []


def test_an_error_before_it_is_done_leaves_nothing_behind(root: Path) -> None:
    place = Roots([root], variable="X").place("img/new/hero.png")

    with pytest.raises(ZeroDivisionError), put(place, io.BytesIO(b"one"), NEVER):
        raise ZeroDivisionError

    assert list(root.iterdir()) == []


def test_an_error_while_another_is_replaced_keeps_the_old_one(root: Path) -> None:
    (root / "hero.png").write_bytes(b"old")
    place = Roots([root], variable="X").place("hero.png")

    with pytest.raises(ZeroDivisionError), put(place, io.BytesIO(b"new"), OURS):
        raise ZeroDivisionError

    assert there(root) == {"hero.png": b"old"}


class _Breaking(io.BytesIO):
    def read(self, _size: int | None = -1, /) -> bytes:
        if self.tell():
            raise OSError(28, "No space left on device")
        return super().read(10)


def test_a_disk_that_is_full_leaves_nothing_behind(root: Path) -> None:
    place = Roots([root], variable="X").place("img/hero.png")

    with (
        pytest.raises(RootError, match="the disk is full"),
        put(place, _Breaking(b"x" * 100), NEVER),
    ):
        pass

    assert list(root.iterdir()) == []


def test_many_at_once_each_get_a_name_of_their_own(root: Path) -> None:
    gate = threading.Barrier(8)
    names: list[str] = []

    def one(number: int) -> None:
        gate.wait()
        names.append(write(root, "hero.png", b"%d" % number).place.path)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert len(set(names)) == 8
    assert sorted(there(root).values()) == [b"%d" % number for number in range(8)]


def test_a_name_that_somebody_takes_at_the_last_moment_stays_theirs(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def late(*args: Any, **kw: Any) -> None:
        monkeypatch.setattr(os, "link", link)
        (root / "hero.png").write_bytes(b"of a person")
        link(*args, **kw)

    monkeypatch.setattr(os, "link", late)

    written = write(root, "hero.png", b"one")

    assert written.place.path == "hero-1.png"
    assert there(root) == {"hero.png": b"of a person", "hero-1.png": b"one"}


def test_a_file_system_without_second_names_does_as_well(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_args: object, **_kw: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    (root / "hero.png").write_bytes(b"of a person")

    write(root, "hero.png", b"one")

    assert there(root) == {"hero.png": b"of a person", "hero-1.png": b"one"}


def test_a_folder_is_known_as_one_unless_it_is_a_link(root: Path) -> None:
    (root / "img").mkdir()
    (root / "link").symlink_to(root / "img")
    roots = Roots([root], variable="X")

    assert is_folder(roots.place("img"))
    assert is_folder(roots.place("."))
    assert not is_folder(roots.place("link"))
    assert not is_folder(roots.place("missing/x"))


def test_what_was_exported_is_known_by_its_bytes_and_by_whose_it_is(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "notes")
    root = tmp_path

    assert not ledger.wrote(root, "a.png", "aa", "ann")
    ledger.note(root, "a.png", "aa", "ann")

    assert ledger.wrote(root, "a.png", "aa", "ann")
    assert not ledger.wrote(root, "a.png", "bb", "ann")
    assert not ledger.wrote(root, "a.png", "aa", "bob")
    assert not ledger.wrote(root, "b.png", "aa", "ann")


def test_a_note_that_somebody_broke_counts_as_none(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "notes")
    ledger.note(tmp_path, "a.png", "aa", "ann")
    (note,) = (tmp_path / "notes").glob("*.json")

    for broken in ("", "[]", "{", '{"sha256": "aa"}', "\xff"):
        note.write_text(broken)
        assert not ledger.wrote(tmp_path, "a.png", "aa", "ann")


def test_an_export_that_never_ends_does_not_hold_up_the_others_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledgers, "PATIENCE", 0.05)
    ledger = Ledger(tmp_path / "notes")
    ends: list[str] = []

    def other() -> None:
        try:
            with ledger.held():
                ends.append("held")
        except StateError as error:
            ends.append(str(error))

    with ledger.held():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()

    assert ends == [ledgers.BUSY]


def test_another_process_holds_the_notes_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr(ledgers, "PATIENCE", 0.05)
    (tmp_path / "notes").mkdir()

    with (tmp_path / "notes" / "lock").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(StateError), Ledger(tmp_path / "notes").held():
            pass

    with Ledger(tmp_path / "notes").held():
        pass


def test_two_exports_never_hold_the_notes_at_once(tmp_path: Path) -> None:
    ledger, inside, most = Ledger(tmp_path / "notes"), [], []

    def one() -> None:
        with ledger.held():
            inside.append(1)
            most.append(len(inside))
            inside.pop()

    threads = [threading.Thread(target=one) for _ in range(20)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert max(most) == 1
