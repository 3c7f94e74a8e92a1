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


@contextlib.contextmanager
def entered(pressed: Callable[[], None], descriptor: int | None = None) -> Generator[None]:
    """Call *pressed* at every line that the operator enters, while this lasts.

    Without a terminal (*descriptor* None: that of stdin) nobody enters anything.
    """
    fd = _stdin() if descriptor is None else descriptor
    if fd is None or not os.isatty(fd):
        yield
        return
    loop = asyncio.get_running_loop()
    if os.name == "nt":
        _by_thread(loop, fd, pressed)
        yield
        return
    loop.add_reader(fd, _read, loop, fd, pressed)
    try:
        yield
    finally:
        loop.remove_reader(fd)


def _stdin() -> int | None:
    try:
        return sys.stdin.fileno()
    except (OSError, ValueError, AttributeError):
        # Closed, or none at all.
        return None


def _read(loop: asyncio.AbstractEventLoop, fd: int, pressed: Callable[[], None]) -> None:
    if not _in_front(fd):
        # What is typed is the shell's; reading it would stop this process.
        return
    try:
        text = os.read(fd, MOST)
    except BlockingIOError:
        return
    except OSError:
        text = b""
    if not text:
        # The terminal has gone.
        loop.remove_reader(fd)
    elif b"\n" in text:
        pressed()


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
