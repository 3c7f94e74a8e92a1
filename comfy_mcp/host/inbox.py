"""Frames between the socket and their reading: what is superseded is dropped, not kept.

ComfyUI sends to one client after the other, so that a client who is slow to read holds up all.
Frames are therefore taken in at once, looked at only as far as their kind, and read later.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict

__all__ = ["MOST_FRAMES", "Inbox"]

MOST_FRAMES = 1_000
"""Frames of the other kinds that wait; a job sends a few a node."""

_KIND = re.compile(r'\s{0,8}\{\s{0,8}"type"\s{0,8}:\s{0,8}"([^"\\]{1,64})"')

_SUPERSEDED = frozenset({"status", "progress", "progress_state"})
"""Kinds whose last frame says all that the ones before it said."""

_READ = _SUPERSEDED | {
    "executing",
    "execution_start",
    "execution_cached",
    "execution_success",
    "execution_interrupted",
    "execution_error",
}


class Inbox:
    """Text frames that wait to be read, in the order in which they came."""

    def __init__(self, most: int = MOST_FRAMES) -> None:
        self._most = most
        self._frames: OrderedDict[str | int, str] = OrderedDict()
        self._count = 0
        self._news = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        return len(self._frames)

    def put(self, frame: str | bytes) -> bool:
        """Take a frame in; False if an older one had to go that nothing supersedes."""
        if isinstance(frame, bytes):
            return True  # a preview picture
        match = _KIND.match(frame)
        kind = match[1] if match else None
        if kind is not None and kind not in _READ:
            return True
        self._count += 1
        key = kind if kind in _SUPERSEDED else self._count
        self._frames.pop(key or self._count, None)
        self._frames[key or self._count] = frame
        self._news.set()
        if len(self._frames) <= self._most:
            return True
        self._frames.popitem(last=False)
        return False

    def close(self) -> None:
        """Nothing more will come."""
        self._closed = True
        self._news.set()

    async def take(self) -> str | None:
        """The oldest frame; None when there are no more, and no more will come."""
        while not self._frames:
            if self._closed:
                return None
            self._news.clear()
            await self._news.wait()
        return self._frames.popitem(last=False)[1]
