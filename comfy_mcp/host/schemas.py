"""Node classes as ComfyUI tells them: ``GET /object_info``, whole or class by class."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection
from http import HTTPStatus
from typing import Any, TypeGuard
from urllib.parse import quote

from comfy_mcp.errors import NotComfyUI
from comfy_mcp.host.failures import reading
from comfy_mcp.host.peer import Peer
from comfy_mcp.host.transport import bounded
from comfy_mcp.workflow.schema import NodeSchema, Schemas, read_schemas

__all__ = ["NodeClasses"]

MOST_BYTES = 64 * 1024 * 1024
"""Of the whole answer: one of a ComfyUI with many custom nodes and models has some megabytes."""

SECONDS = 60.0
"""For an answer: ComfyUI looks through all its model folders for one."""

AT_ONCE = 4


class NodeClasses:
    """The node classes of one ComfyUI."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._whole: Schemas | None = None
        self._asking = asyncio.Lock()

    def forget(self) -> None:
        """What comes back may be another ComfyUI."""
        self._whole = None

    async def all(self) -> Schemas:
        """Every class, as it was told when ComfyUI was last reached anew.

        Raises:
            HostError: nobody answers, or not in a way that can be read.
        """
        async with self._asking:
            if self._whole is None:
                self._whole = await self._read("/object_info")
            return self._whole

    async def some(self, names: Collection[str]) -> dict[str, NodeSchema]:
        """The classes of *names* that there are, as they are told now.

        Raises:
            HostError: nobody answers, or not in a way that can be read.
        """
        turn = asyncio.Semaphore(AT_ONCE)

        async def one(name: str) -> Schemas:
            async with turn:
                return await self._read(f"/object_info/{quote(name, safe='')}")

        found = await asyncio.gather(*map(one, sorted(set(names))))
        return {name: schema for each in found for name, schema in each.items()}

    async def _read(self, path: str) -> Schemas:
        with reading(self._peer.base):
            async with self._peer.wire.open("GET", path, seconds=SECONDS) as answer:
                body = await bounded(answer, MOST_BYTES)
                if answer.status != HTTPStatus.OK or body is None:
                    raise _unreadable(self._peer.base, path)
        try:
            told: Any = await asyncio.to_thread(json.loads, body)
        except ValueError:
            raise _unreadable(self._peer.base, path) from None
        if not _is_object(told):
            raise _unreadable(self._peer.base, path)
        return await asyncio.to_thread(read_schemas, told)


def _unreadable(base: str, path: str) -> NotComfyUI:
    return NotComfyUI(
        f"{base}{path} does not tell about nodes as ComfyUI does. Look whether COMFYUI_HOST is right,"
        " and at ComfyUI's log."
    )


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)
