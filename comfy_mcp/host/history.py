"""GET /history: what ComfyUI remembers of jobs that ended."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from comfy_mcp.host.peer import Peer
from comfy_mcp.host.transport import readable
from comfy_mcp.host.wire import HistoryEntry

__all__ = ["History"]


class History:
    """The history of one ComfyUI, by the ids that ComfyUI gave its jobs."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def of(self, theirs: str) -> Mapping[str, HistoryEntry] | None:
        """The entry of one job, if there is one; None if it is too large to be read."""
        return await self._read(f"/history/{quote(theirs, safe='')}")

    async def last(self, count: int) -> Mapping[str, HistoryEntry] | None:
        """The last *count* entries, oldest first; None if they are too large together."""
        return await self._read("/history", {"max_items": str(count)})

    async def _read(
        self, path: str, params: Mapping[str, str] | None = None
    ) -> Mapping[str, HistoryEntry] | None:
        wire = self._peer.wire
        reply = await wire.get(path, params)
        if reply.status != HTTPStatus.OK:
            raise wire.strange(path, reply)
        if reply.too_large:
            return None
        try:
            return readable(_Answer, b'{"entries":' + reply.body + b"}").entries
        except ValidationError as error:
            raise wire.strange(path, reply) from error


class _Answer(BaseModel):
    entries: dict[str, HistoryEntry]
