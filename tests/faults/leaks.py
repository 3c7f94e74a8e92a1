"""What a process holds: tasks, threads and file descriptors, before and after a test."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import dataclass
from pathlib import Path

__all__ = ["POOLS", "Holdings", "nothing_left"]

POOLS = ("AnyIO worker thread", "asyncio_", "MainThread")
"""Threads that may stay: pools of the event loop, which end with it."""

RUNNER = "TestRunner._"
"""In whose name anyio runs tests and fixtures."""

DESCRIPTORS = Path("/proc/self/fd")
SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Holdings:
    """Everything that could be left behind."""

    tasks: frozenset[asyncio.Task[object]]
    threads: frozenset[str]
    descriptors: frozenset[str]

    @classmethod
    def now(cls) -> Holdings:
        """What is held at this moment; the caller's own task does not count."""
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        own = frozenset(task for task in tasks if RUNNER not in repr(task.get_coro()))
        return cls(own, _threads(), _descriptors())

    def beside(self, before: Holdings) -> list[str]:
        """What is held now and was not before, in words."""
        return [
            *(f"task {task.get_name()} {task.get_coro()}" for task in self.tasks - before.tasks),
            *(f"thread {name}" for name in self.threads - before.threads),
            *(f"descriptor of {target}" for target in self.descriptors - before.descriptors),
        ]


async def nothing_left(before: Holdings) -> list[str]:
    """What is still held a bounded time after the end of everything; [] is as it should be.

    Threads and connections end a moment after they were told to.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SECONDS):
            while Holdings.now().beside(before):  # noqa: ASYNC110 - neither tells that it ended
                await asyncio.sleep(0.01)
    return Holdings.now().beside(before)


def _threads() -> frozenset[str]:
    alive = {f"{thread.name} ({thread.ident})" for thread in threading.enumerate()}
    return frozenset(name for name in alive if not name.startswith(POOLS))


def _descriptors() -> frozenset[str]:
    """Number and target of every open descriptor; where there is no /proc, none is known."""
    found: set[str] = set()
    with contextlib.suppress(FileNotFoundError):
        for link in DESCRIPTORS.iterdir():
            # The one that this listing needs is gone again.
            with contextlib.suppress(FileNotFoundError):
                found.add(f"{link.name}: {link.readlink()}")
    return frozenset(found)
