"""The operator's terminal: where sign-in links are printed, and Enter asks for another one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import Callable, Generator

__all__ = ["entered"]

MOST = 4096
"""Bytes that are read at once; what they say does not matter."""

BACKGROUND_S = 1.0
"""Between two looks whether this is in the foreground again."""


@contextlib.contextmanager
def entered(pressed: Callable[[], None], descriptor: int | None = None) -> Generator[bool]:
    """Call *pressed* at every line that the operator enters, while this lasts; whether anybody can.

    Without a terminal (*descriptor* None: that of stdin) nobody enters anything.
    """
    fd = _stdin() if descriptor is None else descriptor
    if fd is None or not os.isatty(fd):
        yield False
        return
    loop = asyncio.get_running_loop()
    if os.name == "nt":
        _by_thread(loop, fd, pressed)
        yield True
        return
    reader = _Reader(loop, fd, pressed)
    reader.begin()
    try:
        yield True
    finally:
        reader.end()


class _Reader:
    """Reads lines of a terminal whenever there are any, but only in the foreground."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, fd: int, pressed: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._fd = fd
        self._pressed = pressed
        self._later: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        self._later = None
        self._loop.add_reader(self._fd, self._read)

    def end(self) -> None:
        self._loop.remove_reader(self._fd)
        if self._later is not None:
            self._later.cancel()

    def _read(self) -> None:
        if not _in_front(self._fd):
            # What is typed is for another program; reading it would stop this one.
            self._loop.remove_reader(self._fd)
            self._later = self._loop.call_later(BACKGROUND_S, self.begin)
            return
        try:
            text = os.read(self._fd, MOST)
        except BlockingIOError:
            return
        except OSError:
            text = b""
        if not text:
            # The terminal has gone.
            self._loop.remove_reader(self._fd)
        elif b"\n" in text:
            self._pressed()


def _stdin() -> int | None:
    try:
        return sys.stdin.fileno()
    except (OSError, ValueError, AttributeError):
        # Closed, or none at all.
        return None


def _in_front(fd: int) -> bool:
    """Whether this process may read from its terminal: it is not a job in the background."""
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        # Not the terminal that this process belongs to: nobody else reads from it.
        return True


def _by_thread(loop: asyncio.AbstractEventLoop, fd: int, pressed: Callable[[], None]) -> None:
    """Where an event loop cannot look at a terminal."""

    def read() -> None:
        while os.read(fd, MOST):
            try:
                loop.call_soon_threadsafe(pressed)
            except RuntimeError:
                return

    threading.Thread(target=read, name="console-enter", daemon=True).start()
