"""The graph that a job was submitted with, as far as ComfyUI remembers it."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Any, TypeGuard
from urllib.parse import quote

from comfy_mcp.host.history import History
from comfy_mcp.host.peer import Peer
from comfy_mcp.host.transport import Reply

__all__ = ["Graphs"]

_ID = 1
_GRAPH = 2
"""Where they stand in an item of the queue, and of a history entry's prompt."""


class Graphs:
    """Graphs of jobs, by our ids."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._history = History(peer)

    async def of(self, prompt_id: str) -> dict[str, Any] | None:
        """The graph in API format; None if ComfyUI has no such job, or too much to say of it.

        Raises:
            HostError: nobody answers, or not as ComfyUI does.
        """
        theirs = self._peer.aliases.theirs(prompt_id)
        found = None
        if self._peer.jobs is not False:
            found = await self._of_job(theirs)
        if found is None and not await self._peer.is_cloud():
            # The queue first: a job that ends in between is in the history then.
            found = await self._in_queue(theirs) or await self._in_history(theirs)
        return found

    async def _of_job(self, theirs: str) -> dict[str, Any] | None:
        told = await _told(await self._peer.wire.get(f"/jobs/{quote(theirs, safe='')}"))
        workflow = told.get("workflow") if _is_object(told) else None
        graph = workflow.get("prompt") if _is_object(workflow) else None
        return graph if _is_object(graph) and graph else None

    async def _in_queue(self, theirs: str) -> dict[str, Any] | None:
        told = await _told(await self._peer.wire.get("/queue"))
        if not _is_object(told):
            return None
        for item in (*_list(told.get("queue_running")), *_list(told.get("queue_pending"))):
            parts = _list(item)
            graph = parts[_GRAPH] if len(parts) > _GRAPH and parts[_ID] == theirs else None
            if _is_object(graph):
                return graph
        return None

    async def _in_history(self, theirs: str) -> dict[str, Any] | None:
        entries = await self._history.of(theirs) or {}
        entry = entries.get(theirs)
        graph = entry.prompt[_GRAPH] if entry and len(entry.prompt) > _GRAPH else None
        return graph if _is_object(graph) else None


async def _told(reply: Reply) -> object:
    """A JSON answer; None for any other."""
    if reply.status != HTTPStatus.OK or reply.too_large:
        return None
    try:
        return await asyncio.to_thread(json.loads, reply.body)
    except ValueError:
        return None


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _list(value: object) -> list[Any]:
    return value if _is_list(value) else []


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)
