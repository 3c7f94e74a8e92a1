"""The end of a job whose answer is too large to be read: nodes can put out any amount of text."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import replace
from http import HTTPStatus
from urllib.parse import quote

from pydantic import ValidationError

from comfy_mcp.errors import HostRejected
from comfy_mcp.host.failures import reading
from comfy_mcp.host.peer import Peer
from comfy_mcp.host.queues import Queues
from comfy_mcp.host.sighting import Ended, ended
from comfy_mcp.host.wire import HistoryStatus, JobItem

__all__ = ["LongAnswers", "status_in"]

TAIL = 1024 * 1024
"""Bytes at the end of a history entry that are kept: its status stands behind its outputs."""

SECONDS = 60.0
"""For an answer that is only run through."""

KEPT = 100
"""Ends that are remembered, so that nothing as large is asked for twice."""

_STARTS = (b'"status": {"status_str"', b'"status":{"status_str"')


class LongAnswers:
    """Ends that were found without reading what the jobs put out."""

    def __init__(self, peer: Peer, queues: Queues) -> None:
        self._peer = peer
        self._queues = queues
        self._ends: OrderedDict[tuple[int, str], Ended] = OrderedDict()

    def known(self, prompt_id: str) -> Ended | None:
        """The end of a job that was found this way since ComfyUI came up."""
        return self._ends.get((self._peer.epoch, prompt_id))

    async def from_list(self, prompt_id: str) -> Ended | None:
        """From the light list of jobs; None if it is not there."""
        theirs = self._peer.aliases.theirs(prompt_id)
        item = await self._queues.finished_item(theirs)
        return None if item is None else self._keep(prompt_id, _end_of(item))

    async def from_history(self, prompt_id: str) -> Ended:
        """From the last bytes of a history entry.

        Raises:
            HostRejected: its status is not there, either.
        """
        path = f"/history/{quote(self._peer.aliases.theirs(prompt_id), safe='')}"
        status = status_in(await self._tail(path))
        if status is None:
            raise HostRejected(
                f"ComfyUI at {self._peer.base} has ended job {prompt_id}, but what it put out is"
                " too large to be read, and how it ended with it. Look at the job in ComfyUI.",
                kind="too_large",
                status=HTTPStatus.OK,
            )
        return self._keep(prompt_id, ended({}, status))

    def _keep(self, prompt_id: str, end: Ended) -> Ended:
        end = replace(
            end, unread="What the job put out is too large to be read: look at it in ComfyUI."
        )
        self._ends[self._peer.epoch, prompt_id] = end
        if len(self._ends) > KEPT:
            self._ends.popitem(last=False)
        return end

    async def _tail(self, path: str) -> bytes:
        tail = b""
        with reading(self._peer.base):
            async with self._peer.wire.open("GET", path, seconds=SECONDS) as answer:
                if answer.status != HTTPStatus.OK:
                    return b""
                async for part in answer.content.iter_any():
                    tail = (tail + part)[-TAIL:]
        return tail


def status_in(tail: bytes) -> HistoryStatus | None:
    """The status in the last bytes of a history entry. Nothing behind it looks the same."""
    start = max(tail.rfind(mark) for mark in _STARTS)
    if start < 0:
        return None
    text = tail[tail.index(b"{", start) :].decode("utf-8", "replace")
    try:
        status, _ = json.JSONDecoder().raw_decode(text)
        return HistoryStatus.model_validate(status)
    except (ValueError, RecursionError, ValidationError):
        return None


def _end_of(item: JobItem) -> Ended:
    messages = [("execution_error", item.execution_error)] if item.execution_error else []
    return replace(ended({}, HistoryStatus(messages=messages)), outcome=item.status)
