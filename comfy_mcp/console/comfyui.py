"""ComfyUI as the console follows it: whether it is there, its queue, and jobs that have left it.

Looks only. What became of a job is shown as it was seen; writing it down is for the servers, which
know that this is their ComfyUI.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from comfy_mcp.console.parts import Parts
from comfy_mcp.errors import HostError, StateError
from comfy_mcp.host import Absent, Ended, Sighting
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.host.standing import QueueView
from comfy_mcp.jobs.record import KNOWN_AS
from comfy_mcp.store.protocol import JobRow

__all__ = ["INSIDE", "ComfyUI", "Watcher"]

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""Between two looks at the queue."""

AWAY_S = 2.0
"""Between two looks at a ComfyUI that was not there."""

VERSION_S = 60.0
ANSWER_S = 10.0

MOST_LOOKS = 20
"""Jobs that are looked for in one round, beside the queue."""

AT_ONCE = 4

AGAIN_S = 4.0
"""Between two looks for a job that is neither in the queue nor has ended."""

REMEMBERED = 200

WORDS = 400

INSIDE = "The demo ComfyUI is inside the server that uses it, where nobody else can look."
ASKING = "ComfyUI is being asked."


@dataclass(frozen=True, slots=True)
class ComfyUI:
    """How it stands: *running* and *pending* are jobs in the order in which they run.

    *seen* are jobs that have left the queue, with what became of them.
    """

    reachable: bool = False
    version: str | None = None
    running: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    words: str = ASKING
    seen: tuple[tuple[str, Sighting], ...] = field(default=())

    def as_object(self) -> dict[str, Any]:
        """As the page shows it."""
        queue = {"running": len(self.running), "pending": len(self.pending)}
        return {
            "reachable": self.reachable,
            "version": self.version,
            "queue": queue if self.reachable else None,
            "words": self.words,
        }


class Watcher:
    """Looks at ComfyUI again and again; *changed* is called when it stands differently."""

    def __init__(self, parts: Parts, changed: Callable[[], None]) -> None:
        self._parts = parts
        self._changed = changed
        self._version: str | None = None
        self._version_at = 0.0
        self._failed = ""
        self._seen: OrderedDict[str, tuple[float, Sighting]] = OrderedDict()
        """Jobs that left the queue: when they were looked for, and what was seen."""
        self.now = ComfyUI(words=INSIDE if parts.host is None else ASKING)

    async def watch(self) -> None:
        """Look for as long as this is not cancelled."""
        host = self._parts.host
        while host is not None:
            found = await self._look(host)
            if found != self.now:
                self.now = found
                self._changed()
            await asyncio.sleep(LOOK_S if found.reachable else AWAY_S)

    async def _look(self, host: ComfyHost) -> ComfyUI:
        try:
            rows = await self._unfinished()
            for row in rows:
                _recall(host, row)
            async with asyncio.timeout(ANSWER_S):
                view = await host.queue()
                version = await self._told_version(host)
            await self._look_for(host, _gone(rows, view))
        except TimeoutError:
            return ComfyUI(words=f"ComfyUI did not answer within {ANSWER_S:.0f} s.")
        except HostError as error:
            self._version = None
            return ComfyUI(words=str(error)[:WORDS])
        except Exception as error:
            # Said once for each reason: it is tried again all the time.
            if repr(error) != self._failed:
                log.exception("ComfyUI could not be looked at; trying again.")
            self._failed = repr(error)
            return ComfyUI(words="ComfyUI could not be looked at; the terminal says more.")
        return ComfyUI(
            reachable=True,
            version=version,
            running=tuple(job.prompt_id for job in view.running),
            pending=tuple(job.prompt_id for job in view.pending),
            words="",
            seen=tuple((job, seen) for job, (_, seen) in self._seen.items()),
        )

    async def _unfinished(self) -> tuple[JobRow, ...]:
        """Jobs that the journal has as unfinished; none where there is no journal."""
        label = self._parts.label
        if label is None or await self._parts.missing() is not None:
            return ()
        try:
            return await self._parts.store.unfinished(host=label)
        except StateError:
            # Whoever reads the state says so.
            return ()

    async def _told_version(self, host: ComfyHost) -> str:
        now = asyncio.get_running_loop().time()
        if self._version is None or now - self._version_at > VERSION_S:
            stats = await host.stats()
            self._version, self._version_at = (stats.system.comfyui_version or "unknown")[:80], now
        return self._version

    async def _look_for(self, host: ComfyHost, rows: list[JobRow]) -> None:
        """What became of *rows*; an end never changes again, so it is asked for once."""
        now = asyncio.get_running_loop().time()
        at_once = asyncio.Semaphore(AT_ONCE)

        async def look(prompt_id: str) -> None:
            async with at_once:
                with suppress(HostError):
                    seen = await host.look(prompt_id, fresh=False)
                    self._seen.pop(prompt_id, None)
                    self._seen[prompt_id] = (now, seen)

        async with asyncio.timeout(ANSWER_S):
            await asyncio.gather(*map(look, self._due(rows, now)[:MOST_LOOKS]))
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)

    def _due(self, rows: list[JobRow], now: float) -> list[str]:
        """The jobs among *rows* that are to be looked for, those first that never were."""
        never = (-AGAIN_S, Absent())
        asked = [(*self._seen.get(row.prompt_id, never), row.prompt_id) for row in rows]
        due = [
            (at, prompt_id)
            for at, seen, prompt_id in asked
            if not isinstance(seen, Ended) and at + AGAIN_S <= now
        ]
        return [prompt_id for _, prompt_id in sorted(due)]


def _gone(rows: Iterable[JobRow], view: QueueView) -> list[JobRow]:
    there = {job.prompt_id for job in (*view.running, *view.pending)}
    return [row for row in rows if row.prompt_id not in there]


def _recall(host: ComfyHost, row: JobRow) -> None:
    """Older ComfyUIs give jobs ids of their own; the journal has them."""
    known_as = row.result.get(KNOWN_AS)
    if isinstance(known_as, str):
        host.learn(row.prompt_id, known_as)
