"""What one console works with: the state, the policy's files and ComfyUI, each opened when needed.

Nothing in here can submit or stop a job: no permit is ever made, and no job is adopted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

from comfy_mcp.console.policy_view import PolicyView
from comfy_mcp.errors import StateError
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.oversight.state import OLDER, is_there, outdated, user
from comfy_mcp.settings import EMBEDDED, Settings
from comfy_mcp.store.folder import FILE
from comfy_mcp.store.protocol import Store
from comfy_mcp.store.sqlite import SqliteStore

__all__ = ["NO_STATE", "Parts", "by", "opened"]

NO_STATE = (
    "No server has used this folder yet. As soon as one does, everything is shown here; if yours"
    " uses another, start the console with its --state."
)


class Premises:
    """The state's folder, looked at from outside: nothing is made in it, nothing is changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._fit: tuple[int, int] | None = None
        """The file that was found to be of this version."""

    def missing(self) -> str | None:
        """Why there is no state to be read or written, in words; reads the disk."""
        try:
            if not is_there(self._folder):
                return NO_STATE
            info = (self._folder / FILE).stat()
            file = (info.st_dev, info.st_ino)
            if file != self._fit and outdated(self._folder):
                return OLDER.format(self._folder)
        except OSError as error:
            return f"The state in {self._folder} cannot be read ({error.strerror or error})."
        except StateError as error:
            return str(error)
        self._fit = file
        return None


@dataclass(frozen=True, slots=True)
class Parts:
    """*host* None: ComfyUI is inside the server, where nobody else can look.

    *judged_by* are policy files that changed requests are judged by; without any, those that the
    request names. *turn* is held by whoever reads what may be long only to show it: one at a time,
    so that whoever decides something waits for one of them at most.
    """

    settings: Settings
    store: Store
    policy: PolicyView
    host: ComfyHost | None
    now_ms: Callable[[], int]
    premises: Premises
    judged_by: tuple[Path, ...] = ()
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def label(self) -> str | None:
        """Which ComfyUI it is, in the journal."""
        return self.settings.address.label if self.settings.address else None

    @property
    def place(self) -> str:
        """Where ComfyUI is, without credentials."""
        return self.settings.address.base if self.settings.address else EMBEDDED

    async def missing(self) -> str | None:
        """Why there is no state to be read or written, in words; None if there is one."""
        return await anyio.to_thread.run_sync(self.premises.missing)

    async def need_state(self) -> None:
        """Make sure that there is a state: the console makes none.

        Raises:
            StateError: there is none, or it is of an older version.
        """
        if (why := await self.missing()) is not None:
            raise StateError(why)

    async def close(self) -> None:
        """Give everything back."""
        if self.host is not None:
            await self.host.close()
        await self.store.close()


def opened(
    settings: Settings, now_ms: Callable[[], int], judged_by: tuple[Path, ...] = ()
) -> Parts:
    """The parts that *settings* describe; nothing is contacted yet."""
    address = settings.address
    return Parts(
        settings,
        SqliteStore(settings.state),
        PolicyView(settings.policies),
        None if address is None else ComfyHost(address, now_ms=now_ms),
        now_ms,
        Premises(settings.state),
        judged_by,
    )


def by() -> Mapping[str, Any]:
    """Who decides here, for the audit log."""
    return {"channel": "console", "user": user(), "assurance": "operator"}
