"""Looking for a job whose id nobody told us: its submit's answer was lost, its tag is there."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import quote

from pydantic import ValidationError

from comfy_mcp.errors import HostRejected
from comfy_mcp.host.aliases import tagged
from comfy_mcp.host.history import History
from comfy_mcp.host.peer import Peer
from comfy_mcp.host.queues import Queues
from comfy_mcp.host.transport import readable
from comfy_mcp.host.wire import Extra, HistoryEntry, JobDetail, Queue

__all__ = ["Tags"]

LAST_ENTRIES = (100, 10, 1)
"""How many of the last history entries are searched; fewer where they are huge."""

LAST_JOBS = 20
"""How many of the newest jobs of Comfy Cloud are asked for, one by one."""

KEPT = 10_000
_EXTRA = 3


class Tags:
    """Finds our jobs by what travelled with them, on hosts that gave them ids of their own."""

    def __init__(self, peer: Peer, queues: Queues, history: History) -> None:
        self._peer = peer
        self._queues = queues
        self._history = history
        self._not_ours: OrderedDict[str, None] = OrderedDict()

    async def unknown(self, prompt_id: str) -> bool:
        """Whether the job, if there is one, goes by an id that we were never told."""
        if self._peer.aliases.knows(prompt_id):
            return False
        return not await self._peer.keeps_ids()

    async def may_be_elsewhere(self, prompt_id: str) -> bool:
        """Whether queue and history, which Comfy Cloud does not have, may show more."""
        return await self.unknown(prompt_id) and not await self._peer.is_cloud()

    async def found_among_jobs(self, prompt_id: str) -> bool:
        """Whether one of Comfy Cloud's newest jobs has our tag; its id is known then."""
        if not await self.unknown(prompt_id) or not await self._peer.is_cloud():
            return False
        for theirs in await self._queues.newest(LAST_JOBS):
            if theirs not in self._not_ours and await self._ours(theirs) == prompt_id:
                return True
        return False

    async def in_history(self, prompt_id: str) -> HistoryEntry | None:
        """Among the last jobs that ended; what is older than those has long been known.

        Raises:
            HostRejected: too few of them can be read to say that it is not there.
        """
        if not await self.may_be_elsewhere(prompt_id):
            return None
        for count in LAST_ENTRIES:
            entries = await self._history.last(count)
            if entries is None:
                continue
            self._peer.aliases.recognise_all(
                {
                    theirs: entry.prompt[_EXTRA] if len(entry.prompt) > _EXTRA else None
                    for theirs, entry in entries.items()
                }
            )
            entry = entries.get(self._peer.aliases.theirs(prompt_id))
            if entry is not None:
                return entry
            if len(entries) < count or count == LAST_ENTRIES[0]:
                return None
            break
        raise HostRejected(
            f"ComfyUI's history at {self._peer.base} has entries too large to be read, so that job"
            f" {prompt_id} cannot be looked for in it. Look in ComfyUI itself.",
            kind="too_large",
            status=HTTPStatus.OK,
        )

    async def carries(self, prompt_id: str, theirs: str) -> bool:
        """Whether what the host calls *theirs* has our tag, wherever it stands."""
        queue = await self._peer.wire.read("/queue", Queue)
        for item in (*queue.queue_running, *queue.queue_pending):
            if len(item) > _EXTRA and item[1] == theirs:
                extra = item[_EXTRA]
                return isinstance(extra, Extra) and tagged(extra.model_dump()) == prompt_id
        entries = await self._history.of(theirs) or {}
        entry = entries.get(theirs)
        extra = entry.prompt[_EXTRA] if entry and len(entry.prompt) > _EXTRA else None
        return tagged(extra) == prompt_id

    async def _ours(self, theirs: str) -> str:
        """What we call the job, asked once."""
        reply = await self._peer.wire.get(f"/jobs/{quote(theirs, safe='')}")
        found = None
        if reply.status == HTTPStatus.OK:
            with suppress(ValidationError):
                found = readable(JobDetail, reply.body)
        extra = None if found is None else found.workflow.get("extra_data")
        ours = self._peer.aliases.recognise(theirs, extra)
        if found is not None and ours == theirs:
            self._not_ours[theirs] = None
            if len(self._not_ours) > KEPT:
                self._not_ours.popitem(last=False)
        return ours
