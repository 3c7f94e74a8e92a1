"""One open folder: what is done in it is done in that very folder, whatever is renamed meanwhile.

Where the system can (Linux, macOS), a folder is held by its descriptor and each name is looked up
in it without following links, so that a link that is swapped in between leads nowhere. Elsewhere
(Windows) names are checked right before and right after they are used; somebody who may already
change an opened folder can win that race.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from itertools import islice
from pathlib import Path
from typing import Protocol

from comfy_mcp.errors import RootError

__all__ = ["BY_DESCRIPTOR", "ByDescriptor", "ByPath", "Folder", "opened"]

BY_DESCRIPTOR = {
    os.open,
    os.stat,
    os.mkdir,
    os.unlink,
    os.rename,
} <= os.supports_dir_fd and os.scandir in os.supports_fd
"""Whether names can be looked up in a folder that is held open."""

_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_PLAIN = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOCTTY", 0)
_AT_ONCE = getattr(os, "O_NONBLOCK", 0)
"""Opening a pipe that nobody writes to would wait for ever."""
_BYTES = getattr(os, "O_BINARY", 0)


class Folder(Protocol):
    """A folder within a root; names are single ones, and links are never followed."""

    def info(self, name: str) -> os.stat_result | None:
        """What is there by that name, a link itself if it is one; None: nothing."""
        ...

    def names(self, most: int) -> list[str]:
        """The names in it, in no order and at most so many."""
        ...

    def enter(self, name: str, *, make: bool) -> Folder:
        """The folder *name* in it, made if it is missing and *make*.

        Raises:
            FileNotFoundError: it is missing.
            NotADirectoryError: it is a link, or no folder.
        """
        ...

    def read(self, name: str) -> int:
        """A descriptor to read *name* with, whatever kind of file that is."""
        ...

    def create(self, name: str) -> int:
        """A descriptor to write and read the new file *name* with.

        Raises:
            FileExistsError: there is something by that name.
        """
        ...

    def link(self, name: str, other: str) -> None:
        """Give the file *name* the second name *other*, which must be free."""
        ...

    def replace(self, name: str, other: str) -> None:
        """Give the file *name* the name *other*, whatever was there."""
        ...

    def remove(self, name: str) -> None:
        """Take the file *name* away."""
        ...

    def remove_folder(self, name: str) -> None:
        """Take the empty folder *name* away."""
        ...

    def sync(self) -> None:
        """Have the folder's names written to the disk, where that can be asked for."""
        ...

    def close(self) -> None:
        """Give the folder back."""
        ...


def opened(root: Path) -> Folder:
    """A root itself; its own path may have links: it is the operator's.

    Raises:
        OSError: it is not there, or no folder.
    """
    return ByDescriptor(os.open(root, _FOLDER)) if BY_DESCRIPTOR else ByPath(root.resolve(True))


class ByDescriptor:
    """A folder held by its descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._fd = descriptor

    def info(self, name: str) -> os.stat_result | None:
        """See `Folder`."""
        try:
            return os.stat(name, dir_fd=self._fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def names(self, most: int) -> list[str]:
        """See `Folder`."""
        with os.scandir(self._fd) as entries:
            return [entry.name for entry in islice(entries, most)]

    def enter(self, name: str, *, make: bool) -> ByDescriptor:
        """See `Folder`."""
        try:
            return ByDescriptor(os.open(name, _FOLDER | _PLAIN, dir_fd=self._fd))
        except FileNotFoundError:
            if not make:
                raise
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, dir_fd=self._fd)
        return ByDescriptor(os.open(name, _FOLDER | _PLAIN, dir_fd=self._fd))

    def read(self, name: str) -> int:
        """See `Folder`."""
        return os.open(name, os.O_RDONLY | _PLAIN | _AT_ONCE, dir_fd=self._fd)

    def create(self, name: str) -> int:
        """See `Folder`."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | _PLAIN
        return os.open(name, flags, 0o666, dir_fd=self._fd)

    def link(self, name: str, other: str) -> None:
        """See `Folder`."""
        os.link(name, other, src_dir_fd=self._fd, dst_dir_fd=self._fd, follow_symlinks=False)

    def replace(self, name: str, other: str) -> None:
        """See `Folder`."""
        os.replace(name, other, src_dir_fd=self._fd, dst_dir_fd=self._fd)

    def remove(self, name: str) -> None:
        """See `Folder`."""
        os.unlink(name, dir_fd=self._fd)

    def remove_folder(self, name: str) -> None:
        """See `Folder`."""
        os.rmdir(name, dir_fd=self._fd)

    def sync(self) -> None:
        """See `Folder`."""
        with contextlib.suppress(OSError):  # not every file system can
            os.fsync(self._fd)

    def close(self) -> None:
        """See `Folder`."""
        os.close(self._fd)


class ByPath:
    """A folder known by its real path: for systems that cannot hold one open."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def info(self, name: str) -> os.stat_result | None:
        """See `Folder`."""
        try:
            return (self._path / name).lstat()
        except FileNotFoundError:
            return None

    def names(self, most: int) -> list[str]:
        """See `Folder`."""
        with os.scandir(self._path) as entries:
            return [entry.name for entry in islice(entries, most)]

    def enter(self, name: str, *, make: bool) -> ByPath:
        """See `Folder`."""
        path = self._path / name
        if make:
            with contextlib.suppress(FileExistsError):
                path.mkdir()
        info = path.lstat()
        if _is_link(info) or not stat.S_ISDIR(info.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, "a link, or no folder", name)
        self._must_be_here(path)
        return ByPath(path)

    def read(self, name: str) -> int:
        """See `Folder`."""
        path = self._path / name
        before = path.lstat()
        if _is_link(before):
            raise RootError("A link stands where a file should be: give the file itself.")
        descriptor = os.open(path, os.O_RDONLY | _BYTES | _PLAIN | _AT_ONCE)
        try:
            _must_be_the_same(os.fstat(descriptor), before)
            self._must_be_here(path)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def create(self, name: str) -> int:
        """See `Folder`."""
        path = self._path / name
        self._must_be_here(path)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _BYTES | _PLAIN, 0o666)

    def link(self, name: str, other: str) -> None:
        """See `Folder`."""
        self._must_be_here(self._path / other)
        os.link(self._path / name, self._path / other, follow_symlinks=False)

    def replace(self, name: str, other: str) -> None:
        """See `Folder`."""
        self._must_be_here(self._path / other)
        (self._path / name).replace(self._path / other)

    def remove(self, name: str) -> None:
        """See `Folder`."""
        (self._path / name).unlink()

    def remove_folder(self, name: str) -> None:
        """See `Folder`."""
        (self._path / name).rmdir()

    def sync(self) -> None:
        """See `Folder`."""

    def close(self) -> None:
        """See `Folder`."""

    def _must_be_here(self, path: Path) -> None:
        """No folder on the way has become a link since it was entered."""
        if path.parent.resolve(strict=True) != self._path:
            raise RootError("A folder was swapped for a link meanwhile: nothing was done.")


def _must_be_the_same(now: os.stat_result, before: os.stat_result) -> None:
    if not os.path.samestat(now, before):
        raise RootError("The file was swapped while it was opened: try again.")


def _is_link(info: os.stat_result) -> bool:
    """A symbolic link, or on Windows anything else that stands for another place."""
    reparse = getattr(stat, "FILE_ATTRIBUTE_REPARSE_POINT", 0)
    return stat.S_ISLNK(info.st_mode) or bool(getattr(info, "st_file_attributes", 0) & reparse)
