"""Putting a file into an opened folder: whole or not at all, and never over somebody else's."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from comfy_mcp.errors import RootError
from comfy_mcp.roots.folders import Folder
from comfy_mcp.roots.names import shown
from comfy_mcp.roots.roots import Place, entered, faults

__all__ = ["Put", "Written", "must_be_shown", "put"]

MOST_NAMES = 1_000
"""Names that are tried: ``hero-1.png`` to ``hero-999.png``."""

_CHUNK = 1 << 20

_LEFT = re.compile(r"\..+\.[0-9a-f]{8}\.tmp", re.DOTALL)
"""What a file is called until it is whole (`put`): it stays if the server is killed meanwhile."""

_OLD = 3_600
"""Seconds after which nobody writes to such a file any more."""

_MOST_LOOKED = 10_000
"""Names in a folder among which such files are looked for."""


@dataclass(frozen=True, slots=True)
class Written:
    """What is there now: *place* is where, *existed* that the very same bytes were there before."""

    place: Place
    bytes: int
    sha256: str
    existed: bool = False


@dataclass(frozen=True, slots=True)
class Put:
    """How a file is to be put.

    *replaces* says of the digest of what is there, and its path, whether it may go; where it may
    not, `hero-1.png` is taken in place of `hero.png`, unless *exactly* that name is wanted.
    """

    replaces: Callable[[str, str], bool]
    exactly: bool = False


@contextmanager
def put(place: Place, data: BinaryIO, how: Put) -> Generator[Written]:
    """The bytes of *data* as a file at *place*; folders on the way are made. Call it on a thread.

    What is done in the body comes before the file is there for good: an error in it, and the
    file is not written, or what was there stays.

    Raises:
        RootError: it cannot be written, or something else is there that must not go.
    """
    must_be_shown(place)
    *above, name = place.parts
    with faults(place.path), entered(place.root, above, make=True) as folder:
        _tidy(folder, time.time())
        aside = f".{name}.{secrets.token_hex(4)}.tmp"
        size, sha256 = _write(folder, aside, data)
        try:
            final, existed, replaces = _final(folder, place, how, (size, sha256))
            there = Place(place.root, (*above, final))
            done = False
            if not replaces and not existed:
                final = _take(folder, aside, place, how, final)
                there, done = Place(place.root, (*above, final)), True
            try:
                yield Written(there, size, sha256, existed)
            except BaseException:
                if done:
                    folder.remove(final)
                raise
            if replaces:
                folder.replace(aside, final)
            folder.sync()
        finally:
            with contextlib.suppress(OSError):
                folder.remove(aside)


def must_be_shown(place: Place) -> None:
    """Nothing is written where people do not look.

    Raises:
        RootError: the place is hidden, or is a folder.
    """
    if not place.parts:
        raise RootError("That is a folder: give the name of a file in it.")
    if any(part.startswith(".") for part in place.parts):
        raise RootError(f"{shown(place.path)} is hidden by its dot: nothing is written there.")


def _tidy(folder: Folder, now: float) -> None:
    """Take away what writes into this folder left when they were killed, long before *now*."""
    # Nobody asked for it, so what cannot be taken away stays and the write goes on.
    with contextlib.suppress(OSError):
        for name in filter(_LEFT.fullmatch, folder.names(_MOST_LOOKED)):
            info = folder.info(name)
            if info and stat.S_ISREG(info.st_mode) and now - info.st_mtime > _OLD:
                folder.remove(name)


def _write(folder: Folder, aside: str, data: BinaryIO) -> tuple[int, str]:
    """The bytes under a name that nobody knows, on the disk; their number and digest."""
    summed, size = hashlib.sha256(), 0
    descriptor = folder.create(aside)
    try:
        with os.fdopen(descriptor, "wb") as file:
            while part := data.read(_CHUNK):
                file.write(part)
                summed.update(part)
                size += len(part)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with contextlib.suppress(OSError):
            folder.remove(aside)
        raise
    return size, summed.hexdigest()


def _final(
    folder: Folder, place: Place, how: Put, content: tuple[int, str]
) -> tuple[str, bool, bool]:
    """The name to take, whether these bytes are there already, whether what is there goes."""
    above = place.parts[:-1]
    for name in _names(place.parts[-1], exactly=how.exactly):
        info = folder.info(name)
        if info is None:
            return name, False, False
        wanted = how.exactly or info.st_size == content[0]
        digest = _digest(folder, name, info) if wanted else None
        if (info.st_size, digest) == content:
            return name, True, False
        if digest is not None and how.replaces(digest, "/".join((*above, name))):
            return name, False, True
    raise _taken(place, how)


def _take(folder: Folder, aside: str, place: Place, how: Put, first: str) -> str:
    """Give the file its name, in one step, if nobody else has taken that meanwhile."""
    names = _names(place.parts[-1], exactly=how.exactly)
    for name in (first, *names):
        if folder.info(name) is not None:
            continue
        try:
            folder.link(aside, name)
        except FileExistsError:
            continue
        except OSError:
            # A file system without second names: the name is taken first, then filled.
            try:
                os.close(folder.create(name))
            except FileExistsError:
                continue
            folder.replace(aside, name)
        return name
    raise _taken(place, how)


def _digest(folder: Folder, name: str, info: os.stat_result) -> str | None:
    """The digest of what is there; None of what is no regular file."""
    if not stat.S_ISREG(info.st_mode):
        return None
    summed = hashlib.sha256()
    with os.fdopen(folder.read(name), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return None
        while part := file.read(_CHUNK):
            summed.update(part)
    return summed.hexdigest()


def _names(name: str, *, exactly: bool) -> Iterator[str]:
    yield name
    if exactly:
        return
    stem, dot, ending = name.rpartition(".")
    for number in range(1, MOST_NAMES):
        yield f"{stem}-{number}{dot}{ending}" if dot else f"{name}-{number}"


def _taken(place: Place, how: Put) -> RootError:
    if how.exactly:
        return RootError(
            f"{shown(place.path)} is there, and was not put there by an export of yours, or was"
            " changed since: it is not written over. Choose another name."
        )
    return RootError(f"{shown(place.path)} and {MOST_NAMES - 1} names like it are taken.")
