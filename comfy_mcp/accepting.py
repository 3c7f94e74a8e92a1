"""The end of a server that listens: nobody who has just been let in is forgotten."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio.trsock import TransportSocket

__all__ = ["no_more"]

_TURNS = 3
"""Of the event loop, from the system's accept to ``connection_made``."""


async def no_more(listening: Iterable[socket.socket | TransportSocket]) -> None:
    """Accept nobody on these sockets any more, and have all in who were accepted: then close.

    What asyncio has accepted when its server closes is otherwise neither served nor closed, and
    who is at the other end waits for an answer that never comes (seen on CPython 3.11).
    """
    loop = asyncio.get_running_loop()
    for each in listening:
        # Windows' own event loop has no readers: there all stays as asyncio does it.
        with contextlib.suppress(NotImplementedError):
            loop.remove_reader(each.fileno())
    for _ in range(_TURNS):
        await asyncio.sleep(0)
