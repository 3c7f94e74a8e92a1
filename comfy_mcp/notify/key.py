"""The key that signs notifications: a file of the state folder, made when it is first needed."""

from __future__ import annotations

import os
import re
import secrets
import stat
import sys
from pathlib import Path

from comfy_mcp.errors import StateError

__all__ = ["FILE", "webhook_key"]

FILE = "webhook.key"

_BYTES = 32
_LONGEST = 2 * _BYTES + 2
_HEX = re.compile(rb"[0-9a-f]{%d}\s*" % (2 * _BYTES))
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def webhook_key(folder: Path) -> bytes:
    """The key in *folder*, 32 bytes; all processes that share the folder get the same one.

    The file has it in hexadecimal digits.

    Raises:
        StateError: it cannot be made or read, is no key, or others may read or change it.
    """
    path = folder / FILE
    try:
        if not path.exists():
            _make(path)
        return _read(path)
    except OSError as error:
        raise StateError(
            f"The key of the webhook cannot be used ({path}: {error.strerror}): correct that, or"
            " remove the webhook from the policy."
        ) from error


def _make(path: Path) -> None:
    """Put a new key at *path*, unless another process was faster: never half of one."""
    draft = path.with_name(f"{FILE}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_hex(_BYTES).encode("ascii") + b"\n")
        # Unlike a rename, a link never replaces what is there.
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink(missing_ok=True)


def _read(path: Path) -> bytes:
    # A link could lead to a file that somebody else chose, and opening a pipe could wait for ever.
    info = path.lstat()
    if not stat.S_ISREG(info.st_mode):
        raise _unusable(path, "is no regular file", "Move it away")
    with path.open("rb") as file:
        _demand_private(path, os.fstat(file.fileno()))
        text = file.read(_LONGEST + 1)
    if _HEX.fullmatch(text) is None:
        raise _unusable(path, "holds no key", "Delete it: a new one is made")
    return bytes.fromhex(text.decode("ascii"))


def _demand_private(path: Path, info: os.stat_result) -> None:
    if sys.platform == "win32":
        return
    if info.st_uid != os.geteuid():
        raise _unusable(path, f"belongs to user {info.st_uid}", "Delete it: a new one is made")
    if info.st_mode & _OTHERS:
        mode = stat.S_IMODE(info.st_mode)
        raise _unusable(
            path, f"is open to other users (mode {mode:04o})", "Delete it: a new one is made"
        )


def _unusable(path: Path, why: str, fix: str) -> StateError:
    return StateError(f"The key of the webhook cannot be used: {path} {why}. {fix}.")
