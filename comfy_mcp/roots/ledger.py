"""What was put into folders by this program: so that nothing else is ever written over.

One small file for each path that was written, in the state folder: it says what was in the file and
whose call it was. A file that a person changed since is another file.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from comfy_mcp.errors import StateError

__all__ = ["Ledger"]

PATIENCE = 20.0
"""Seconds that an export waits for another one; it writes one file."""

PAUSE = 0.02

BUSY = "Another export holds the notes of what was exported and does not end."

_MOST = 4_096
"""Bytes of one note."""

_HERE = threading.Lock()


class Ledger:
    """Notes in *folder*, which is made when there is something to note."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def held(self) -> Generator[None]:
        """Alone among all server processes with this state, where the system can lock.

        Raises:
            StateError: the state folder cannot be used, or another export never ends.
        """
        if not _HERE.acquire(timeout=PATIENCE):
            raise StateError(BUSY)
        try:
            with _locked(self._folder):
                yield
        finally:
            _HERE.release()

    def wrote(self, root: Path, path: str, sha256: str, grant: str) -> bool:
        """Whether *grant* put exactly these bytes at *path* below *root*."""
        told = self._told(root, path)
        return (told.get("sha256"), told.get("grant")) == (sha256, grant)

    def manifest(self, root: Path, path: str) -> str | None:
        """The list below *root* that has what was last put at *path*, if one was named then."""
        found = self._told(root, path).get("manifest")
        return found if isinstance(found, str) else None

    def note(
        self, root: Path, path: str, sha256: str, grant: str, manifest: str | None = None
    ) -> None:
        """Write down that *grant* put these bytes there, and which list below *root* has them.

        Raises:
            StateError: the state folder cannot be used.
        """
        place = self._note(root, path)
        told = {"path": path, "sha256": sha256, "grant": grant, "manifest": manifest}
        aside = place.with_suffix(f".{os.getpid()}")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(aside, _NEW, 0o600), "w", encoding="utf-8") as file:
                json.dump(told, file)
            aside.replace(place)
        except OSError as error:
            raise _unusable(error) from error

    def _told(self, root: Path, path: str) -> dict[str, Any]:
        try:
            with self._note(root, path).open("rb") as file:
                known: object = json.loads(file.read(_MOST))
        except (OSError, ValueError):
            return {}
        return cast("dict[str, Any]", known) if isinstance(known, dict) else {}

    def _note(self, root: Path, path: str) -> Path:
        with contextlib.suppress(OSError):
            root = root.resolve(strict=True)
        key = hashlib.sha256(f"{root}\0{path}".encode(errors="surrogateescape")).hexdigest()
        return self._folder / f"{key[:40]}.json"


_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)


@contextmanager
def _locked(folder: Path) -> Generator[None]:
    try:
        import fcntl  # noqa: PLC0415 - there is none on Windows
    except ImportError:
        yield
        return
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.fdopen(os.open(folder / "lock", _NEW, 0o600), "wb")
    except OSError as error:
        raise _unusable(error) from error
    with file:
        until = time.monotonic() + PATIENCE
        while not _took(fcntl, file):
            if time.monotonic() > until:
                raise StateError(BUSY)
            time.sleep(PAUSE)
        yield


def _took(fcntl: Any, file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _unusable(error: OSError) -> StateError:
    return StateError(f"What was exported cannot be noted in the state folder: {error}.")
