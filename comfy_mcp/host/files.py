"""Files that jobs put out: their bytes, and where a person can see them."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from urllib.parse import quote, urljoin

import aiohttp

from comfy_mcp.errors import HostError, OutputError
from comfy_mcp.host.cloud import may_fetch
from comfy_mcp.host.failures import reading
from comfy_mcp.host.peer import Peer
from comfy_mcp.host.sighting import OutputFile
from comfy_mcp.host.transport import bounded

__all__ = ["Files"]

MOST_HOPS = 2

_ELSEWHERE = frozenset({301, 302, 303, 307, 308})


class Files:
    """GET /view of one ComfyUI."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def view(self, file: OutputFile, *, limit: int) -> bytes:
        """The bytes of *file*.

        Raises:
            OutputError: it is gone, or larger than *limit* bytes.
        """
        seconds = self._peer.timeouts.view
        query = {"filename": file.filename, "subfolder": file.subfolder, "type": file.type}
        with reading(self._peer.base):
            async with asyncio.timeout(seconds):
                async with self._peer.wire.open(
                    "GET", "/view", params=query, seconds=seconds
                ) as answer:
                    target = _target(answer)
                    if target is None:
                        return await _content(file, answer, limit)
                return await self._elsewhere(file, target, limit)

    async def _elsewhere(self, file: OutputFile, target: str, limit: int) -> bytes:
        """Where Comfy Cloud keeps the file; nobody else may send us anywhere."""
        for _ in range(MOST_HOPS):
            if not await self._is_cloud() or not may_fetch(target, sent_by=self._peer.base):
                break
            async with self._peer.wire.elsewhere(
                target, seconds=self._peer.timeouts.view
            ) as answer:
                further = _target(answer)
                if further is None:
                    return await _content(file, answer, limit)
                target = further
        raise OutputError(
            f"ComfyUI sends us elsewhere for {file.filename}, where it is not safe to go. Open it"
            " in ComfyUI."
        )

    async def _is_cloud(self) -> bool:
        try:
            return await self._peer.is_cloud()
        except HostError:
            return False

    def url(self, file: OutputFile) -> str | None:
        """Where a person can fetch the file; None where that needs credentials."""
        if self._peer.address.headers:
            return None
        subfolder = f"&subfolder={quote(file.subfolder, safe='')}" if file.subfolder else ""
        name = quote(file.filename, safe="")
        return f"{self._peer.base}/api/view?filename={name}{subfolder}&type={file.type}"


def _target(answer: aiohttp.ClientResponse) -> str | None:
    """Where an answer sends us, as a whole address; None if it does not."""
    location = answer.headers.get("Location")
    if answer.status not in _ELSEWHERE or not location:
        return None
    try:
        return urljoin(str(answer.url), location)
    except ValueError:
        # No address at all: then it sends us nowhere.
        return None


async def _content(file: OutputFile, answer: aiohttp.ClientResponse, limit: int) -> bytes:
    if answer.status != HTTPStatus.OK:
        raise _no_file(file, answer.status)
    content = await bounded(answer, limit)
    if content is None:
        raise OutputError(
            f"{file.filename} is larger than {limit} bytes, the most that is fetched. Open it in"
            " ComfyUI, or make something smaller."
        )
    return content


def _no_file(file: OutputFile, status: int) -> OutputError:
    if status == HTTPStatus.NOT_FOUND:
        return OutputError(
            f"ComfyUI no longer has {file.filename}; temporary files go at its restart. Run the"
            " workflow again."
        )
    return OutputError(
        f"ComfyUI did not hand out {file.filename} (HTTP {status}). Open it in ComfyUI, or look at"
        " its log."
    )
