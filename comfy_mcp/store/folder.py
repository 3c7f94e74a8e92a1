"""The folder that holds the state: ours, no link, written by nobody else."""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING

from comfy_mcp.store.faults import state_error

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FILE", "secure"]

FILE = "guard.db"

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def secure(folder: Path) -> Path:
    """Make *folder* (0700) and the database file in it (0600), and say where the file is.

    SQLite gives its ``-wal`` and ``-shm`` files the mode of the database file.

    Raises:
        StateError: one of them is a link, is another user's or can be written by one.
        OSError: one of them cannot be made.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    info = folder.lstat()
    if not stat.S_ISDIR(info.st_mode):
        raise state_error(folder, "is a link", "Name the folder itself")
    _demand_private(folder, folder, info)
    file = folder / FILE
    _make(file)
    info = file.lstat()
    if not stat.S_ISREG(info.st_mode):
        raise state_error(folder, f"has something else than a file as {FILE}", "Move it away")
    _demand_private(folder, file, info)
    if sys.platform != "win32" and info.st_mode & _OTHERS:
        file.chmod(0o600)
    return file


def _make(file: Path) -> None:
    # Opened only when it is new: closing any descriptor of a database file drops the locks that
    # other connections of this process hold on it (POSIX).
    try:
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return


def _demand_private(folder: Path, path: Path, info: os.stat_result) -> None:
    if sys.platform != "win32" and info.st_uid != os.geteuid():
        raise state_error(folder, f"is not yours: {path} belongs to user {info.st_uid}")
    if sys.platform != "win32" and info.st_mode & _OTHERS_WRITE:
        mode = stat.S_IMODE(info.st_mode)
        raise state_error(
            folder,
            f"can be changed by other users ({path} has mode {mode:04o})",
            f"Run `chmod go-w {path}`",
        )
