"""Asking ComfyUI for its queue, no more often than needed."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from comfy_mcp.host.peer import Peer
from comfy_mcp.host.queue_view import of_jobs, of_queue
from comfy_mcp.host.recent import Recent
from comfy_mcp.host.standing import FinishedJob, QueueView
from comfy_mcp.host.wire import JobItem, JobList, Queue, QueueDepth

__all__ = ["Queues"]

PAGE = 200
MOST_PAGES = 50
"""ComfyUI remembers 10,000 jobs."""

_ENDS = "completed,failed,cancelled"
_ENDS_BEFORE_090 = "completed,failed"


class Queues:
    """The queue of one ComfyUI, from the lightest route that it has."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

        def epoch() -> int:
            return peer.epoch

        self.depth = Recent(self._ask_depth, peer.clock, epoch)
        """How many jobs run or wait; GET /prompt costs next to nothing."""
        self.whole = Recent(self._ask_queue, peer.clock, epoch)
        """From GET /queue, whose every item has the job's whole graph."""
        self.light = Recent(self._ask_jobs, peer.clock, epoch)
        """From GET /api/jobs; None where that is not to be had."""

    async def view(self, seconds: float = 0.0) -> QueueView:
        """All that runs and waits, asked at most *seconds* ago."""
        light = None if self._peer.jobs is False else await self.light.get(seconds)
        return light or await self.whole.get(seconds)

    async def finished(self, count: int) -> tuple[FinishedJob, ...] | None:
        """The last *count* jobs that ComfyUI remembers, newest first; None: it has no such list."""
        if self._peer.jobs is False:
            return None
        jobs = await self._ended(0, min(count, PAGE))
        if jobs is None:
            return None
        return tuple(
            FinishedJob(self._peer.aliases.ours(job.id), job.status, job.created_ms)
            for job in jobs.jobs[:count]
        )

    async def finished_item(self, theirs: str) -> JobItem | None:
        """The light item of one job that ended; None if it is in no list."""
        for page in range(MOST_PAGES):
            jobs = await self._ended(page * PAGE, PAGE)
            if jobs is None:
                return None
            item = next((job for job in jobs.jobs if job.id == theirs), None)
            if item is not None or not jobs.pagination.has_more:
                return item
        return None

    async def newest(self, count: int) -> tuple[str, ...]:
        """ComfyUI's own ids of the jobs that came last, in whatever state; none where no list."""
        jobs = await self._jobs({"limit": str(count)})
        return () if jobs is None else tuple(job.id for job in jobs.jobs[:count])

    async def _ask_depth(self) -> int:
        told = await self._peer.wire.read("/prompt", QueueDepth)
        return told.exec_info.queue_remaining

    async def _ask_queue(self) -> QueueView:
        queue = await self._peer.wire.read("/queue", Queue)
        by_tag = not await self._peer.keeps_ids()
        return of_queue(queue, self._peer.aliases, by_tag=by_tag)

    async def _ask_jobs(self) -> QueueView | None:
        """Page by page where a host gives no more; None if it cannot be had as a whole."""
        items: list[JobItem] = []
        known: set[str] = set()
        until = self._peer.clock() + self._peer.timeouts.answer
        for _ in range(MOST_PAGES):
            if self._peer.clock() > until:
                break
            offset = {"offset": str(len(items))} if items else {}
            jobs = await self._jobs({"status": "in_progress,pending", **offset})
            if jobs is None:
                return None
            new = [job for job in jobs.jobs if job.id not in known]
            known.update(job.id for job in new)
            items += new
            if not jobs.pagination.has_more or not new:
                return of_jobs(items, self._peer.aliases)
        return None

    async def _ended(self, offset: int, limit: int) -> JobList | None:
        page = {"limit": str(limit), "offset": str(offset)}
        return await self._jobs({"status": _ENDS, **page}) or await self._jobs(
            {"status": _ENDS_BEFORE_090, **page}
        )

    async def _jobs(self, params: Mapping[str, str]) -> JobList | None:
        """Light items, newest first; None where the route is missing or broken by another job."""
        reply = await self._peer.wire.get("/jobs", params)
        if reply.status in _UNUSABLE:
            return None
        return self._peer.wire.parse("/jobs", reply, JobList)


_UNUSABLE = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.METHOD_NOT_ALLOWED,
        HTTPStatus.INTERNAL_SERVER_ERROR,
    }
)
