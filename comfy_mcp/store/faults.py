"""What is wrong with the state, in words that say what to do."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from comfy_mcp.errors import StateError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FOREIGN", "is_busy", "state_error", "translated"]

FOREIGN = (sqlite3.Error, OSError, OverflowError, UnicodeError)
"""What can be raised below this room when the state cannot be used."""

_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_PRIMARY = 0xFF


def state_error(folder: Path, fault: str, remedy: str = "") -> StateError:
    """The error for *folder*: *fault* and *remedy* are the ends of its two sentences."""
    first = f"{remedy}, or set" if remedy else "Set"
    return StateError(
        f"The state in {folder} {fault}. {first} COMFY_MCP_STATE to another folder of your own."
    )


def translated(exc: Exception, folder: Path) -> StateError:
    """*exc*, one of `FOREIGN`, as an error of this package."""
    if isinstance(exc, sqlite3.IntegrityError | OverflowError | UnicodeError):
        return StateError(
            f"The state refused a value ({exc}), so nothing was done; "
            "please report this as a fault of comfy-mcp-guard."
        )
    if isinstance(exc, sqlite3.Error) and is_busy(exc):
        fault, remedy = "is locked by another process", "Try again, end the process that holds it"
    elif type(exc) is sqlite3.DatabaseError:
        fault = f"is damaged ({exc})"
        remedy = "Keep the folder as evidence and put back a copy"
    else:
        fault = f"cannot be read or written ({exc})"
        remedy = "See that the disk is mounted, writable and not full"
    return state_error(folder, fault, remedy)


def is_busy(exc: sqlite3.Error) -> bool:
    """Whether another connection holds a lock that *exc* could not get."""
    code = getattr(exc, "sqlite_errorcode", None)
    return isinstance(code, int) and code & _PRIMARY in _BUSY
