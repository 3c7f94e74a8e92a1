"""The policy as it is on disk at the moment: looked at on every call, read again when it changed.

What is in force is one immutable snapshot, swapped at once. A file that cannot be used never
becomes the policy: the last good one stays, or everything is refused until it is good again.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import anyio

from comfy_mcp.errors import ConfigError
from comfy_mcp.guard.loading import Loaded, load

__all__ = ["Changed", "OnBad", "PolicySource"]

log = logging.getLogger(__name__)

OnBad = Literal["keep", "freeze"]
"""What counts while the newest files cannot be used: the last good policy, or nothing at all."""

Changed = Callable[[Loaded, Loaded], None]
"""Told of the old and the new policy, right after the swap."""

TICK_NS = 2_000_000_000
"""The coarsest time stamps of file systems in use: two writes within it may look like one."""

ATTEMPTS = 3
"""How often files that change while they are read are read at once; the next look tries again."""

READ_SECONDS = 10.0
"""How long a read may take: a network folder may never answer."""

MAX_WORDS = 4_000
"""Characters that are told of one unusable version; `policy check` tells them all."""

Mark = tuple[int, ...]
"""What tells two states of a file apart, by its path: device, inode, size, and times in ns."""


@dataclass(frozen=True, slots=True)
class _Read:
    """What files held when they were *marks*: a policy, or why they are none.

    *settled*: no later write can have left the same marks, so these need not be read again.
    """

    marks: tuple[Mark, ...]
    content: Loaded | ConfigError
    settled: bool


class PolicySource:
    """The policy of *paths*, as new as they are; without paths the built-in one, for ever.

    *on_bad* says what counts while the newest files cannot be used.

    Raises:
        ConfigError: at construction, if the files cannot be used; later it never raises.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        on_bad: OnBad = "keep",
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._paths = tuple(path.absolute() for path in paths)
        self._on_bad = on_bad
        self._now_ns = now_ns
        self._told: list[Changed] = []
        self._degraded: str | None = None
        self._order = itertools.count(1)
        self._began = 0
        self._reading = anyio.Lock()
        self._seen = _read(self._paths, now_ns)
        if isinstance(self._seen.content, ConfigError):
            raise self._seen.content
        self._current = self._seen.content

    @property
    def current(self) -> Loaded:
        """The newest policy that could be used."""
        return self._current

    @property
    def degraded(self) -> str | None:
        """Why the newest files cannot be used; None if they are in force."""
        return self._degraded

    @property
    def closed(self) -> str | None:
        """Why everything has to be refused; None if `current` counts."""
        return self._degraded if self._on_bad == "freeze" else None

    def on_change(self, told: Changed) -> None:
        """Have *told* called after every swap to a policy that says something else."""
        self._told.append(told)

    async def refresh(self) -> Loaded:
        """Look at the files, and read them if they are not as they were last read.

        Whatever was on disk when this was called counts when it returns. Callers that wait at the
        same time share a read.
        """
        arrived = next(self._order)
        if self._unchanged():
            return self._current
        async with self._reading:
            # A read that began after this call did has seen all that this one could see.
            if self._began < arrived:
                began = next(self._order)
                self._take(await self._read())
                self._began = began
        return self._current

    def _unchanged(self) -> bool:
        return self._seen.settled and self._seen.marks == _marks(self._paths)

    async def _read(self) -> _Read:
        try:
            with anyio.fail_after(READ_SECONDS):
                return await anyio.to_thread.run_sync(
                    _read, self._paths, self._now_ns, abandon_on_cancel=True
                )
        except TimeoutError:
            late = ConfigError(f"The policy could not be read within {READ_SECONDS:.0f} s.")
            return _Read((), late, settled=False)

    def _take(self, read: _Read) -> None:
        self._seen = read
        if isinstance(read.content, ConfigError):
            self._keep(str(read.content)[:MAX_WORDS])
            return
        if self._degraded is not None:
            self._degraded = None
            log.warning("The policy can be used again: %s.", ", ".join(read.content.sources))
        old, new = self._current, read.content
        if new.revision == old.revision:
            return
        self._current = new
        for told in self._told:
            try:
                told(old, new)
            except Exception:
                # The swap stands, and the others are still told.
                log.exception("Somebody could not be told that the policy changed.")

    def _keep(self, why: str) -> None:
        """Go on without the newest files; said once for each new reason."""
        if why == self._degraded:
            return
        self._degraded = why
        effect = (
            "Everything is refused until it is corrected."
            if self._on_bad == "freeze"
            else "The last good policy stays in force."
        )
        log.warning("The policy was changed and cannot be used. %s %s", effect, why)


def _read(paths: tuple[Path, ...], now_ns: Callable[[], int]) -> _Read:
    """What *paths* hold, with the marks they had before and after; reads the disk."""
    if not paths:
        return _Read((), load(paths), settled=True)
    marks = _marks(paths)
    for _ in range(ATTEMPTS):
        now = now_ns()
        content = _content(paths)
        after = _marks(paths)
        if after == marks:
            settled = isinstance(content, Loaded) and _are_old(marks, now)
            return _Read(marks, content, settled)
        marks = after
    busy = ConfigError("The policy's files changed while they were read; they are read again.")
    return _Read(marks, busy, settled=False)


def _content(paths: tuple[Path, ...]) -> Loaded | ConfigError:
    try:
        return load(paths)
    except ConfigError as error:
        return error
    except Exception:
        # A fault of the program must not put a policy in force, nor end the server.
        log.exception("The policy could not be read.")
        return ConfigError("The policy could not be read; this is a fault of the program.")


def _marks(paths: tuple[Path, ...]) -> tuple[Mark, ...]:
    return tuple(_mark(path) for path in paths)


def _mark(path: Path) -> Mark:
    try:
        found = path.stat()
    except (OSError, ValueError) as error:
        return (-1, getattr(error, "errno", None) or 0)
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _are_old(marks: tuple[Mark, ...], now_ns: int) -> bool:
    """No write after *now_ns* can be given time stamps that these marks have already.

    A clock that was set back may give them again, so stamps of the near future count as new.
    """
    return all(abs(now_ns - stamp) > TICK_NS for mark in marks for stamp in mark[3:])
