"""How large the pictures in ComfyUI's folders are that a workflow loads."""

from __future__ import annotations

import asyncio
import contextlib
import re
from http import HTTPStatus
from pathlib import PurePosixPath

import aiohttp
import anyio

from comfy_mcp.errors import HostError
from comfy_mcp.host.failures import reading
from comfy_mcp.host.picture_files import HEAD, Size, is_picture, measured
from comfy_mcp.host.transport import Transport

__all__ = ["Pictures", "place_of"]

MOST_BYTES = 32 * 1024 * 1024
"""A file is read to its end, since what comes last may be more pictures; no larger ones are."""

MOST_FILES = 50
AT_ONCE = 2

_MARK = re.compile(r".\[(output|temp|input)\]\Z", re.DOTALL)
"""What says which folder a file is in; ComfyUI takes the sign before it away, whatever it is."""

_ODD = re.compile(r"[\\%*?{\0]|\.\.|\A/|\Ablake3:|\[(?:output|temp|input)\]\Z")
"""In names that ComfyUI, or FFmpeg behind it, may take for more or other than one file."""


class Pictures:
    """Pictures of one host; *seconds* are for all pictures of one workflow together."""

    def __init__(self, wire: Transport, base: str, *, seconds: float) -> None:
        self._wire = wire
        self._base = base
        self._seconds = seconds

    async def sizes(self, names: frozenset[str]) -> dict[str, Size | None]:
        """The size of each picture, named as nodes load it; None for what is none, or not plainly.

        What was not had in time is left out.
        """
        found: dict[str, Size | None] = {}
        reading_now = asyncio.Semaphore(AT_ONCE)

        async def put(name: str) -> None:
            with contextlib.suppress(HostError):
                async with reading_now:
                    found[name] = await self._size(name)

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._seconds):
                await asyncio.gather(*map(put, sorted(names)[:MOST_FILES]))
        return found

    async def _size(self, name: str) -> Size | None:
        place = place_of(name)
        content = None if place is None else await self._content(place)
        if place is None or content is None:
            return None
        return await anyio.to_thread.run_sync(measured, content, place["filename"])

    async def _content(self, place: dict[str, str]) -> bytes | None:
        """The whole file; None if there is none, or it is no picture, or too large."""
        with reading(self._base):
            async with self._wire.open(
                "GET", "/view", params=place, headers=_HEADERS, seconds=self._seconds
            ) as answer:
                if answer.status not in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
                    return None
                return await _picture(answer)


_HEADERS = {"Range": f"bytes=0-{MOST_BYTES}", "Accept-Encoding": "identity"}


async def _picture(answer: aiohttp.ClientResponse) -> bytes | None:
    """A body, given up as soon as it is clear that it cannot be used."""
    content = bytearray()
    async for part in answer.content.iter_chunked(1 << 16):
        content += part
        if len(content) > MOST_BYTES or (
            len(content) >= HEAD and not is_picture(bytes(content[:HEAD]))
        ):
            answer.close()
            return None
    return bytes(content)


def place_of(name: str) -> dict[str, str] | None:
    """What to ask /view for a file that nodes load as *name*; None if that is not sure."""
    mark = _MARK.search(name)
    bare = name if mark is None else name[: mark.start()]
    path = PurePosixPath(bare)
    if _ODD.search(bare) or not path.name or str(path) != bare:
        return None
    return {
        "filename": path.name,
        "subfolder": "" if path.parent == PurePosixPath() else str(path.parent),
        "type": "input" if mark is None else mark[1],
    }
