"""Whether ComfyUI has the files that nodes would load, without reading what is in them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection
from http import HTTPStatus

from comfy_mcp.errors import HostError
from comfy_mcp.host.failures import reading
from comfy_mcp.host.peer import Peer
from comfy_mcp.host.pictures import place_of

__all__ = ["MOST_NAMES", "present"]

SECONDS = 5.0
AT_ONCE = 4
MOST_NAMES = 100


async def present(
    peer: Peer, names: Collection[str], *, seconds: float = SECONDS
) -> dict[str, bool]:
    """For each of *names*, as nodes load them, whether it is there; bounded, and no error.

    What is not sure is left out: a name that may be read in several ways, a host that does not say.
    """
    found: dict[str, bool] = {}
    turn = asyncio.Semaphore(AT_ONCE)

    async def ask(name: str) -> None:
        place = place_of(name)
        if place is None:
            return
        with contextlib.suppress(HostError):
            async with turn:
                with reading(peer.base):
                    async with peer.wire.open(
                        "GET", "/view", params=place, seconds=seconds
                    ) as answer:
                        if answer.status in {HTTPStatus.OK, HTTPStatus.NOT_FOUND}:
                            found[name] = answer.status == HTTPStatus.OK
                        # What is in it is not wanted: without this it would be read to its end.
                        answer.close()

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.gather(*map(ask, sorted(names)[:MOST_NAMES]))
    return found
