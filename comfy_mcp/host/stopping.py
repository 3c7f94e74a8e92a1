"""Asking ComfyUI to stop a job: its own and no other, whatever ComfyUI can do."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from urllib.parse import quote

from comfy_mcp.errors import HostRejected
from comfy_mcp.host.peer import Peer
from comfy_mcp.host.queues import Queues
from comfy_mcp.host.wire import Cancelled
from comfy_mcp.permit import StopPermit

__all__ = ["Stopper"]


class Stopper:
    """Stops jobs by our ids, under a permit."""

    def __init__(self, peer: Peer, queues: Queues) -> None:
        self._peer = peer
        self._queues = queues

    async def stop(self, prompt_id: str, permit: StopPermit) -> tuple[str, ...]:
        """Ask once that *prompt_id* be stopped, pending or running; returns what was sent."""
        permit.check(prompt_id=prompt_id, now_ms=self._peer.clock() * 1000)
        theirs = await self._their_id(prompt_id)
        if await self._cancelled(theirs):
            return ("POST /api/jobs/{id}/cancel",)
        return await self._without_cancel_route(prompt_id, theirs)

    async def _cancelled(self, theirs: str) -> bool:
        """Whether there is a route that cancels a job in whatever state it is, and it was asked."""
        if self._peer.jobs is False:
            return False
        path = f"/jobs/{quote(theirs, safe='')}/cancel"
        reply = await self._peer.wire.repeat("POST", path, None)
        if reply.status == HTTPStatus.OK:
            self._peer.wire.parse("/jobs/{id}/cancel", reply, Cancelled)
            return True
        if not await self._peer.is_cloud():
            return False
        if reply.status == HTTPStatus.NOT_FOUND:
            # It knows no such job: nothing is left to be stopped.
            return True
        # Its other routes stop more than they are told to.
        raise self._peer.wire.strange("/jobs/{id}/cancel", reply)

    async def remove(self, prompt_ids: Iterable[str], permit: StopPermit) -> None:
        """Take jobs that wait out of the queue; one that runs is left alone."""
        wanted = tuple(prompt_ids)
        for prompt_id in wanted:
            permit.check(prompt_id=prompt_id, now_ms=self._peer.clock() * 1000)
        if not wanted:
            return
        theirs = [await self._their_id(prompt_id) for prompt_id in wanted]
        if await self._peer.is_cloud():
            raise HostRejected(
                "Comfy Cloud's way to empty the queue stops running jobs as well, so nothing was"
                " sent. Cancel the jobs one by one.",
                kind="no_safe_removal",
            )
        await self._peer.wire.order("/queue", {"delete": theirs})

    async def _their_id(self, prompt_id: str) -> str:
        """What ComfyUI calls the job, looked for in its queue if the answer to it was lost."""
        if not self._peer.aliases.knows(prompt_id) and not await self._peer.keeps_ids():
            await self._queues.whole.get()
        return self._peer.aliases.theirs(prompt_id)

    async def _without_cancel_route(self, prompt_id: str, theirs: str) -> tuple[str, ...]:
        await self._peer.wire.order("/queue", {"delete": [theirs]})
        sent = ("POST /api/queue {delete}",)
        if (await self._peer.capabilities()).targeted_interrupt:
            await self._peer.wire.order("/interrupt", {"prompt_id": theirs})
            return (*sent, "POST /api/interrupt {prompt_id}")
        return (*sent, *await self._whatever_runs(prompt_id, theirs))

    async def _whatever_runs(self, prompt_id: str, theirs: str) -> tuple[str, ...]:
        """Before 0.3.57 every interrupt is global: safe only while nobody else can be hit."""
        queue = await self._queues.whole.get()
        if [job.prompt_id for job in queue.running] != [prompt_id]:
            return ()
        if queue.pending:
            raise HostRejected(
                "This ComfyUI is older than 0.3.57 and can only interrupt whatever runs. Other jobs"
                " wait behind this one and could be hit instead, so nothing was sent. Update"
                " ComfyUI, or try again when the queue is empty.",
                kind="global_interrupt_only",
            )
        await self._peer.wire.order("/interrupt", {"prompt_id": theirs})
        return ("POST /api/interrupt (global: nothing else was queued)",)
