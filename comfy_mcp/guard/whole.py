"""Work that is never torn apart: who gives up on it lets it end, and has it undone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import anyio

__all__ = ["Tasks"]

_T = TypeVar("_T")


class Tasks:
    """Holds on to tasks until they are done: the event loop itself does not."""

    def __init__(self) -> None:
        self._kept: set[asyncio.Task[Any]] = set()

    async def whole(
        self,
        work: Coroutine[Any, Any, _T],
        undo: Callable[[asyncio.Task[_T]], Coroutine[Any, Any, None]],
    ) -> _T:
        """What *work* returns or raises; it runs to its end in a task of its own.

        A caller that is cancelled meanwhile waits until *undo* is done with that task.
        """
        working = self._keep(work)
        try:
            return await asyncio.shield(working)
        except asyncio.CancelledError:
            undoing = self._keep(undo(working))
            with anyio.CancelScope(shield=True):
                await asyncio.shield(undoing)
            raise

    async def finished(self, work: Coroutine[Any, Any, None]) -> None:
        """Wait for the end of *work*; it comes, whoever gives up on waiting."""
        working = self._keep(work)
        with anyio.CancelScope(shield=True):
            await asyncio.shield(working)

    def _keep(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        task = asyncio.create_task(work)
        self._kept.add(task)
        task.add_done_callback(self._kept.discard)
        return task
