"""What is in the files that a workflow reads: digests, so that a swapped file is noticed."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from dataclasses import dataclass
from http import HTTPStatus

import aiohttp

from comfy_mcp.errors import HostError
from comfy_mcp.host.failures import reading
from comfy_mcp.host.picture_files import HEAD, is_picture
from comfy_mcp.host.pictures import place_of
from comfy_mcp.host.transport import Transport

__all__ = ["MOST_BYTES", "MOST_SECONDS", "Fingerprint", "Fingerprints"]

MOST_BYTES = 1 << 30
"""Of all files of one workflow together nothing beyond this is read."""

MOST_SECONDS = 20.0
"""A call waits for this before its client hears anything."""

AT_ONCE = 2
NO_FILE = "ComfyUI has no such file"
NO_NAME = "its name may mean more than one file"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What is in one file: *sha256* in hex, its length in bytes, whether it is a picture.

    Without *sha256*, *why* is a clause that says why nobody knows.
    """

    sha256: str | None
    bytes: int = 0
    picture: bool = False
    why: str = ""

    @property
    def missing(self) -> bool:
        """ComfyUI has said that there is no such file."""
        return self.why == NO_FILE

    @property
    def unclear(self) -> bool:
        """Its name may be read in more than one way."""
        return self.why == NO_NAME


class Fingerprints:
    """Digests of files of one host, read as streams; *seconds* and *most* are for one workflow."""

    def __init__(
        self, wire: Transport, base: str, *, seconds: float, most: int = MOST_BYTES
    ) -> None:
        self._wire = wire
        self._base = base
        self._seconds = seconds
        self._most = most
        # For all workflows together: whoever asks often must not keep ComfyUI busy with it.
        self._at_once = asyncio.Semaphore(AT_ONCE)

    async def of(self, names: frozenset[str]) -> dict[str, Fingerprint]:
        """One for each name as nodes read it; bounded in time, and no error."""
        found = {name: Fingerprint(None, why="it could not be read in time") for name in names}
        left = _Bytes(self._most)

        async def put(name: str) -> None:
            async with self._at_once:
                found[name] = await self._one(name, left)

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._seconds):
                await asyncio.gather(*map(put, sorted(names)))
        return found

    async def _one(self, name: str, left: _Bytes) -> Fingerprint:
        place = place_of(name)
        if place is None:
            return Fingerprint(None, why=NO_NAME)
        try:
            with reading(self._base):
                async with self._wire.open(
                    "GET", "/view", params=place, headers=_HEADERS, seconds=self._seconds
                ) as answer:
                    if answer.status == HTTPStatus.NOT_FOUND:
                        return Fingerprint(None, why=NO_FILE)
                    if answer.status != HTTPStatus.OK:
                        return Fingerprint(None, why=f"ComfyUI answered HTTP {answer.status}")
                    return await self._digest(answer, left)
        except HostError:
            return Fingerprint(None, why="ComfyUI could not be asked")

    async def _digest(self, answer: aiohttp.ClientResponse, left: _Bytes) -> Fingerprint:
        summed, length, head = hashlib.sha256(), 0, b""
        async for part in answer.content.iter_chunked(1 << 18):
            length += len(part)
            if not left.take(len(part)):
                answer.close()
                return Fingerprint(None, why=f"all files together exceed {self._most} bytes")
            summed.update(part)
            head = head if len(head) >= HEAD else head + part[:HEAD]
        return Fingerprint(summed.hexdigest(), length, is_picture(head[:HEAD]))


class _Bytes:
    """How many more may be read."""

    def __init__(self, most: int) -> None:
        self._left = most

    def take(self, count: int) -> bool:
        """Whether *count* bytes were left."""
        self._left -= count
        return self._left >= 0


_HEADERS = {"Accept-Encoding": "identity"}
