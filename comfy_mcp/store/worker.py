"""One thread for one store: blocking work leaves the event loop and is done in order, whole."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from comfy_mcp.errors import StateError

__all__ = ["Worker"]

_T = TypeVar("_T")


class Worker:
    """Does one piece of work after another; none waits in the queue longer than *patience_s*.

    Who is cancelled while his work is under way leaves it to end in the thread; work that was not
    begun is dropped.
    """

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._closed = False
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="comfy-mcp-state")

    async def run(self, work: Callable[[], _T]) -> _T:
        """What *work* returns or raises.

        Raises:
            StateError: the worker was closed, or the work before this one took too long.
        """
        if self._closed:
            raise StateError("The state was closed; start the server again to use it.")
        deadline = time.monotonic() + self._patience_s
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, _in_time, work, deadline)

    async def close(self, last: Callable[[], None]) -> None:
        """Take no more work and do *last* after what was begun, waiting a bounded time for it."""
        if self._closed:
            return
        self._closed = True
        end = asyncio.get_running_loop().run_in_executor(self._pool, last)
        self._pool.shutdown(wait=False)
        # Still at it after that: the thread ends by itself, there is nothing left to do here.
        done, _ = await asyncio.wait([end], timeout=3 * self._patience_s)
        for future in done:
            future.result()


def _in_time(work: Callable[[], _T], deadline: float) -> _T:
    if time.monotonic() > deadline:
        raise StateError(
            "The state is too busy: a call waited too long for its turn and nothing was done; "
            "try again."
        )
    return work()
