"""What became of a job: the jobs route where there is one, else the queue and then the history."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from urllib.parse import quote

from comfy_mcp.host.history import History
from comfy_mcp.host.long_answers import LongAnswers
from comfy_mcp.host.peer import Peer
from comfy_mcp.host.queue_view import place_in
from comfy_mcp.host.queues import Queues
from comfy_mcp.host.sighting import Absent, Ended, Pending, Running, Sighting, ended
from comfy_mcp.host.tags import Tags
from comfy_mcp.host.transport import Reply
from comfy_mcp.host.wire import JobItem, says_no_such_job

__all__ = ["Looker"]

_OUTCOMES = frozenset({"completed", "failed", "cancelled"})

SHARED_SECONDS = 0.3
"""Followers that look at about the same time share one answer."""

STALE_SECONDS = 5.0
"""A queue read so long ago may answer who does not need to know it exactly."""


MOVED_ON = 3
"""So often a job is asked about again that was not where it had just been said to be."""


class Looker:
    """Looks for jobs by our ids; never says Absent of a job that is there."""

    def __init__(self, peer: Peer, queues: Queues) -> None:
        self._peer = peer
        self._queues = queues
        self._long = LongAnswers(peer, queues)
        self._history = History(peer)
        self._tags = Tags(peer, queues, self._history)

    async def look(self, prompt_id: str, *, fresh: bool) -> Sighting:
        """One look. Not *fresh*: its place in the queue may be some seconds old."""
        found: Sighting | None = self._long.known(prompt_id)
        if found is None and self._peer.jobs is not False:
            found = await self._by_job(prompt_id, fresh=fresh)
            for _ in range(MOVED_ON):
                # It left the queue between two answers: where to, the job itself says.
                if found is not None or self._peer.jobs is not True:
                    break
                found = await self._by_job(prompt_id, fresh=True)
            if isinstance(found, Absent) and await self._tags.found_among_jobs(prompt_id):
                found = await self._by_job(prompt_id, fresh=fresh)
        # A host without a queue to look into has said all there is to say.
        if found is not None and not (
            isinstance(found, Absent) and await self._tags.may_be_elsewhere(prompt_id)
        ):
            return found
        if not fresh:
            found = await self._in_stale_queue(prompt_id)
            if found is not None:
                return found
        # The queue first: a job that ends in between is in the history then.
        place = place_in(await self._queues.whole.get(), prompt_id)
        return place or await self._in_history(prompt_id)

    async def carries_our_tag(self, prompt_id: str, theirs: str) -> bool:
        """Whether the job that the host calls *theirs* came with our tag for *prompt_id*."""
        return await self._tags.carries(prompt_id, theirs)

    async def _by_job(self, prompt_id: str, *, fresh: bool) -> Sighting | None:
        """None where this ComfyUI has no jobs routes, or they are broken by another job."""
        theirs = self._peer.aliases.theirs(prompt_id)
        reply = await self._peer.wire.get(f"/jobs/{quote(theirs, safe='')}")
        if reply.too_large:
            return await self._long.from_list(prompt_id)
        if reply.status == HTTPStatus.NOT_FOUND:
            if says_no_such_job(reply.body, cloud=await self._peer.is_cloud()):
                self._peer.jobs = True
                return Absent()
            # Once the route was seen to work, a stray 404 must not switch it off.
            self._peer.jobs = self._peer.jobs or False
            return None
        if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return None
        item = self._peer.wire.parse("/jobs/{id}", reply, JobItem)
        self._peer.jobs = True
        if item.status == "pending":
            return await self._position(prompt_id, fresh=fresh)
        return self._read(item, reply)

    def _read(self, item: JobItem, reply: Reply) -> Sighting:
        if item.status == "in_progress":
            return Running()
        if item.status not in _OUTCOMES:
            raise self._peer.wire.strange("/jobs/{id}", reply)
        end = ended(item.outputs, item.execution_status)
        return end if item.execution_status else replace(end, outcome=item.status)

    async def _position(self, prompt_id: str, *, fresh: bool) -> Sighting | None:
        """Where a pending job stands; None if it moved on meanwhile."""
        for seconds in (0.0,) if fresh else (SHARED_SECONDS, 0.0):
            view = await self._queues.light.get(seconds)
            place = None if view is None else place_in(view, prompt_id)
            if isinstance(place, Pending):
                return place
        return None

    async def _in_stale_queue(self, prompt_id: str) -> Sighting | None:
        """Where nothing seems to have changed since the queue was read; None: read it again."""
        view = self._queues.whole.lately(STALE_SECONDS)
        place = None if view is None else place_in(view, prompt_id)
        if view is None or place is None:
            return None
        if await self._queues.depth.get(SHARED_SECONDS) != len(view.running) + len(view.pending):
            return None
        end = await self._in_history(prompt_id)
        return end if isinstance(end, Ended) else place

    async def _in_history(self, prompt_id: str) -> Sighting:
        theirs = self._peer.aliases.theirs(prompt_id)
        entries = await self._history.of(theirs)
        if entries is None:
            return await self._long.from_history(prompt_id)
        entry = entries.get(theirs) or await self._tags.in_history(prompt_id)
        return Absent() if entry is None else ended(entry.outputs, entry.status)
