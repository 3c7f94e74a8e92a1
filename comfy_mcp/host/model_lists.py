"""The files of ComfyUI's model folders: ``GET /models`` and ``GET /models/{folder}``."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote

from pydantic import BaseModel, TypeAdapter, ValidationError

from comfy_mcp.errors import NotComfyUI
from comfy_mcp.host.failures import reading
from comfy_mcp.host.peer import Peer
from comfy_mcp.host.transport import bounded

__all__ = ["ModelLists"]

MOST_BYTES = 16 * 1024 * 1024
"""Of one folder's list; what is larger is not read."""

SECONDS = 30.0
"""For an answer: a folder may be on a slow disk, or far away."""

KEPT = 20.0
"""Seconds that a list is kept for: models come and go while ComfyUI runs."""

AT_ONCE = 4
MOST_FOLDERS = 300

NO_MODELS = frozenset({"custom_nodes", "configs", "datasets", "", ".", ".."})
"""Folders that hold anything but models, and names that would make another path of a request."""

_ABSOLUTE = re.compile(r"[/\\~]|[A-Za-z]:")


class _Named(BaseModel):
    """A folder or file where a host tells more than its name."""

    name: str


_Names = TypeAdapter(list[str | _Named])


@dataclass(frozen=True, slots=True)
class _Kept:
    """Names that were told at *at*, seconds of the peer's clock."""

    names: tuple[str, ...]
    at: float


class ModelLists:
    """The model folders of one ComfyUI; nothing is asked before it is needed."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._kept: dict[str, _Kept] = {}
        self._turns: dict[str, asyncio.Lock] = {}
        self._few = asyncio.Semaphore(AT_ONCE)

    def forget(self) -> None:
        """What comes back may be another ComfyUI."""
        self._kept.clear()
        self._turns.clear()

    async def folders(self) -> tuple[str, ...]:
        """The names of the folders that hold models.

        Raises:
            HostError: nobody answers, or not in a way that can be read.
        """
        names = await self._lately("/models")
        return tuple(name for name in names or () if name not in NO_MODELS)[:MOST_FOLDERS]

    async def files(self, folder: str) -> tuple[str, ...]:
        """The files of one of `folders`, as nodes name them; one with a whole path is left out.

        Raises:
            HostError: nobody answers, or not in a way that can be read.
        """
        names = await self._lately(f"/models/{quote(folder, safe='')}")
        return tuple(name for name in names or () if not _ABSOLUTE.match(name))

    async def _lately(self, path: str) -> tuple[str, ...] | None:
        """What *path* lists; None if there is no such thing. Many who ask make one request."""
        async with self._turns.setdefault(path, asyncio.Lock()):
            kept = self._kept.get(path)
            if kept is not None and self._peer.clock() - kept.at < KEPT:
                return kept.names
            async with self._few:
                names = await self._asked(path)
            if names is not None:
                self._kept[path] = _Kept(names, self._peer.clock())
            return names

    async def _asked(self, path: str) -> tuple[str, ...] | None:
        with reading(self._peer.base):
            async with self._peer.wire.open("GET", path, seconds=SECONDS) as answer:
                if answer.status == HTTPStatus.NOT_FOUND:
                    return None
                body = await bounded(answer, MOST_BYTES)
                status = answer.status
        if status != HTTPStatus.OK or body is None:
            raise self._unreadable(path, f"HTTP {status}" if body is not None else "too much")
        try:
            told = await asyncio.to_thread(_Names.validate_json, body)
        except ValidationError:
            raise self._unreadable(path, "no list of names") from None
        return tuple(each if isinstance(each, str) else each.name for each in told)

    def _unreadable(self, path: str, why: str) -> NotComfyUI:
        return NotComfyUI(
            f"{self._peer.base}{path[:200]} does not list models as ComfyUI does ({why}). Look at"
            " ComfyUI's own log, and whether COMFYUI_HOST is right."
        )
