"""The folders that an operator opened, and the way to a file in one of them."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from comfy_mcp.errors import RootError
from comfy_mcp.roots.folders import Folder, opened
from comfy_mcp.roots.names import shown, split

__all__ = ["Opened", "Place", "Roots", "entered", "faults", "is_folder", "reading"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is or may be: *parts* below *root*, none of them leading out.

    *folder*: the path was written with a slash at its end.
    """

    root: Path
    parts: tuple[str, ...]
    folder: bool = False

    @property
    def path(self) -> str:
        """Relative to the root, with slashes, on every system."""
        return "/".join(self.parts)


@dataclass(frozen=True, slots=True)
class Opened:
    """A regular file, open for reading: its *name*, and how many *bytes* it had when opened."""

    file: BinaryIO
    name: str
    bytes: int


class Roots:
    """Some folders; *variable* is what names them, for words."""

    def __init__(self, paths: Iterable[Path], *, variable: str) -> None:
        self.paths = tuple(paths)
        self.variable = variable

    def __bool__(self) -> bool:
        """Whether any folder is open."""
        return bool(self.paths)

    def place(self, text: str) -> Place:
        """Where the path *text* of an agent leads, by its names alone; call it on a thread.

        Raises:
            RootError: no folder is open, or it leads nowhere in them.
        """
        self._must_be_open()
        known = [(root, path) for path in self.paths for root in _spellings(path)]
        # A relative path is below the first; a folder's own spelling is its first.
        number, parts = split(text, [root for root, _ in known])
        ends = text.rstrip(" ").endswith(("/", os.sep))
        return Place(known[number][1], parts, folder=ends or not parts)

    @contextmanager
    def reading(self, text: str, *, most: int) -> Generator[Opened]:
        """As `reading`, of the path *text*."""
        with reading(self.place(text), most=most) as found:
            yield found

    def _must_be_open(self) -> None:
        if not self.paths:
            raise RootError(
                "No folder of this machine is open for this. The operator opens some by setting"
                f" {self.variable} (absolute paths, joined as in PATH) for this server."
            )


@contextmanager
def reading(place: Place, *, most: int) -> Generator[Opened]:
    """The regular file at *place*, of at most *most* bytes, open; call it on a thread.

    Raises:
        RootError: it leads out, is no regular file, is too large or cannot be read.
    """
    text = place.path
    if not place.parts:
        raise RootError("That is a folder: give the path of a file in it.")
    *above, name = place.parts
    with faults(text), entered(place.root, above) as folder:
        info = folder.info(name)
        if info is None:
            raise FileNotFoundError(errno.ENOENT, "missing", name)
        _must_be_plain(info, text)
        with os.fdopen(folder.read(name), "rb") as file:
            info = os.fstat(file.fileno())
            _must_be_plain(info, text)
            if info.st_size > most:
                raise RootError(
                    f"{shown(text)} has {info.st_size} bytes; {most} is the most that is read."
                )
            yield Opened(file, name, info.st_size)


def is_folder(place: Place) -> bool:
    """Whether there is a folder at *place*; call it on a thread."""
    if not place.parts:
        return True
    *above, name = place.parts
    try:
        with entered(place.root, above) as folder:
            info = folder.info(name)
    except OSError:
        # Missing, or something is wrong with it: that is told where it is used.
        return False
    return info is not None and stat.S_ISDIR(info.st_mode)


@contextmanager
def entered(root: Path, names: Sequence[str], *, make: bool = False) -> Generator[Folder]:
    """The folder *names* below *root*, held open; folders made for nothing are taken away.

    Raises:
        OSError: it is not there, or is no folder.
    """
    with contextlib.ExitStack() as stack:
        folder = opened(root)
        stack.callback(folder.close)
        for name in names:
            is_new = make and folder.info(name) is None
            inner = folder.enter(name, make=make)
            if is_new:
                # What is empty after a fault goes; the inner folder is closed by then.
                stack.enter_context(_undone(folder, name))
            stack.callback(inner.close)
            folder = inner
        yield folder


@contextmanager
def _undone(folder: Folder, name: str) -> Generator[None]:
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            folder.remove_folder(name)
        raise


@contextmanager
def faults(text: str) -> Generator[None]:
    """What the system says about the path *text*, as a `RootError`."""
    try:
        yield
    except OSError as error:
        why = _REASONS.get(error.errno or 0, "the system refused it")
        raise RootError(f"{shown(text)} cannot be used: {why}.") from error


_REASONS = {
    errno.ENOENT: "there is no such file or folder",
    errno.ENOTDIR: "a name on the way is no folder, or is a link; links are not followed",
    errno.ELOOP: "it is a link, or a link is on the way; links are not followed",
    errno.EISDIR: "it is a folder",
    errno.EACCES: "this server may not do that there",
    errno.EPERM: "this server may not do that there",
    errno.EROFS: "that disk is read-only",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.ENAMETOOLONG: "a name is too long",
    errno.ENXIO: "it is no regular file",
}


def _must_be_plain(info: os.stat_result, text: str) -> None:
    if stat.S_ISLNK(info.st_mode):
        raise RootError(f"{shown(text)} is a link: give the file itself, links are not followed.")
    if not stat.S_ISREG(info.st_mode):
        raise RootError(f"{shown(text)} is no regular file: only those are read.")


def _spellings(path: Path) -> list[Path]:
    """A root as the operator wrote it, and as it really is: agents know either."""
    with contextlib.suppress(OSError, RuntimeError):
        real = path.resolve(strict=True)
        return [path] if real == path else [path, real]
    return [path]
