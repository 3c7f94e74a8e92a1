"""The last snapshot, and everybody who wants to hear of the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from typing import Any

__all__ = ["Board"]

Work = Callable[[], Coroutine[Any, Any, None]]


class Board:
    """Holds one text; *work* is done, each in a task, while anybody listens."""

    def __init__(self) -> None:
        self.text = b""
        self.version = 0
        self.listeners = 0
        self._bells: set[asyncio.Event] = set()
        self._work: tuple[Work, ...] = ()
        self._tasks: list[asyncio.Task[None]] = []

    def while_heard(self, *work: Work) -> None:
        """Say what is to be done while somebody listens."""
        self._work = work

    def put(self, text: bytes) -> None:
        """Show *text* to all listeners."""
        self.text = text
        self.version += 1
        for bell in self._bells:
            bell.set()

    @contextmanager
    def listening(self, bell: asyncio.Event) -> Generator[None]:
        """Have *bell* rung at every new text."""
        self._bells.add(bell)
        self.listeners += 1
        if not self._tasks:
            # What was shown may be hours old.
            self.text = b""
            self._tasks = [asyncio.create_task(each()) for each in self._work]
        try:
            yield
        finally:
            self._bells.discard(bell)
            self.listeners -= 1
            if not self.listeners:
                self._stop()

    async def close(self) -> None:
        """End all work."""
        tasks = self._tasks
        self._stop()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks = []
