"""One writer at a time in a folder that several server processes share."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path

__all__ = ["LOCK", "alone"]

LOCK = ".lock"
"""The file whose lock is held; it stays, since taking it away would let two in."""

PATIENCE = 5.0
"""Seconds; whoever holds it writes a file of a megabyte at most."""

_PAUSE = 0.02
_ours = threading.Lock()


@contextlib.contextmanager
def alone(folder: Path) -> Generator[None]:
    """Hold the lock of *folder*, which is there. Blocks: call it on a thread.

    Raises:
        TimeoutError: others did not let go of it in time.
        OSError: the lock's file cannot be made.
    """
    until = time.monotonic() + PATIENCE
    if not _ours.acquire(timeout=PATIENCE):
        raise TimeoutError
    try:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        held = os.open(folder / LOCK, flags, 0o600)
        try:
            while not _taken(held):
                if time.monotonic() > until:
                    raise TimeoutError
                time.sleep(_PAUSE)
            yield
        finally:
            # Closing lets go of the lock, on every system.
            os.close(held)
    finally:
        _ours.release()


def _taken(held: int) -> bool:
    try:
        _take(held)
    except (BlockingIOError, PermissionError):
        return False
    return True


if sys.platform == "win32":
    import msvcrt

    def _take(held: int) -> None:
        msvcrt.locking(held, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(held: int) -> None:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
