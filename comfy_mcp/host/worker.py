"""Whether ComfyUI still works on its queue: its log says when the worker thread died.

The thread dies of any exception outside a node. ComfyUI then goes on to answer and to accept jobs,
and runs none of them until it is restarted. Of the log only signs of that are looked for; nothing
of it is kept or told.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum, auto

from pydantic import ValidationError

from comfy_mcp.errors import HostError
from comfy_mcp.host.failures import reading
from comfy_mcp.host.peer import Peer
from comfy_mcp.host.queues import Queues
from comfy_mcp.host.standing import QueueView, Worker
from comfy_mcp.host.transport import bounded
from comfy_mcp.host.wire import Log

__all__ = ["MOST_LOG", "Sign", "Watcher", "sign_in"]

MOST_LOG = 4 * 1024 * 1024
"""Bytes; ComfyUI keeps 300 pieces of its log."""

_DIED = re.compile(r"^Exception in thread [^\n]{0,200}\(prompt_worker\)", re.MULTILINE)

_FRAME = re.compile(
    r'  File "(?![^"\n]*custom_nodes)[^"\n]*[/\\]'
    r'(?:(?:comfy_execution[/\\][^"\n]*|execution\.py)", line \d+, in '
    r'|main\.py", line \d+, in prompt_worker)[^\n]*\n?'
)
"""A line of a traceback through what only the worker runs, and nothing else: what a node prints
has the line of code in the same piece."""

_WORKED = re.compile(r"(?:\x1b\[[\d;]*m|\[INFO\]|\s)*Prompt executed in ")


class Sign(Enum):
    """What the last pieces of a log say of the worker."""

    DIED = auto()
    WORKED = auto()
    NOTHING = auto()


def sign_in(pieces: Sequence[str]) -> Sign:
    """The last sign in a log that came in *pieces*, not always whole lines.

    The interpreter writes the traceback of a dying thread in so many pieces that it may push its
    own first line, which names the thread, out of the 300 that ComfyUI keeps. What is left are
    frames that are pieces of their own: a node's failure, which harms nothing, is logged as one.
    """
    worked = died = -1
    start = 0
    for piece in pieces:
        if _WORKED.match(piece):
            worked = start
        elif _FRAME.fullmatch(piece):
            died = start
        start += len(piece)
    # The line that names the thread may be cut anywhere.
    died = max([died, *(match.start() for match in _DIED.finditer("".join(pieces)))])
    if died > worked:
        return Sign.DIED
    return Sign.WORKED if worked >= 0 else Sign.NOTHING


class Watcher:
    """Remembers that the worker died: its traces in the log are written over in time."""

    def __init__(self, peer: Peer, queues: Queues) -> None:
        self._peer = peer
        self._queues = queues
        self._epoch = peer.epoch
        self._stuck: frozenset[str] | None = None
        """What was running when the worker was found dead; None while it is not known to be."""

    @property
    def died(self) -> bool:
        """Whether the worker was seen to be dead since ComfyUI came up."""
        return self._stuck is not None and self._epoch == self._peer.epoch

    async def look(self) -> Worker:
        """Never an error; bounded by one look at the log, and one at the queue."""
        sign = await self._sign()
        if sign is None:
            return Worker.DEAD if self.died else Worker.UNKNOWN
        if sign is Sign.DIED and not self.died:
            self._epoch, self._stuck = self._peer.epoch, _running(await self._queue())
        if sign is Sign.WORKED or (sign is Sign.NOTHING and self.died and await self._has_moved()):
            self._stuck = None
        return Worker.DEAD if self.died else Worker.ALIVE

    async def _has_moved(self) -> bool:
        """Whether the queue is not what it was stuck at: then ComfyUI was restarted."""
        queue = await self._queue()
        if queue is None:
            return False
        return _running(queue) != self._stuck or not (queue.running or queue.pending)

    async def _queue(self) -> QueueView | None:
        try:
            return await self._queues.view()
        except HostError:
            return None

    async def _sign(self) -> Sign | None:
        """None where there is no log: it has no /api spelling, so most proxies hand out none."""
        try:
            with reading(self._peer.base):
                async with self._peer.wire.open("GET", "/internal/logs/raw", api=False) as answer:
                    body = await bounded(answer, MOST_LOG)
                    found = answer.ok and answer.content_type == "application/json"
        except HostError:
            return None
        if body is None or not found:
            return None
        try:
            return sign_in([entry.m for entry in Log.model_validate_json(body).entries])
        except ValidationError:
            return None


def _running(queue: QueueView | None) -> frozenset[str]:
    return frozenset(job.prompt_id for job in queue.running) if queue else frozenset()
