"""ComfyUI's REST API, one method a route, and what may be sent under which permit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from comfy_mcp.errors import HostError, HostRejected, OutputError
from comfy_mcp.host.failures import (
    answer_lost,
    ids_of_its_own,
    lost_or_unreachable,
    problems_of,
    reading,
    rejected,
)
from comfy_mcp.host.information import Information
from comfy_mcp.host.pictures import Pictures
from comfy_mcp.host.sighting import Absent, OutputFile, Pending, Running, Sighting, ended, in_queue
from comfy_mcp.host.transport import Reply, Timeouts, Transport, bounded, readable
from comfy_mcp.host.version import CHOSEN_IDS, TARGETED_INTERRUPT, parse_version
from comfy_mcp.host.wire import (
    Accepted,
    Cancelled,
    HistoryEntry,
    JobItem,
    JobList,
    Queue,
    QueueDepth,
    SystemStats,
)
from comfy_mcp.permit import StopPermit, SubmitPermit
from comfy_mcp.settings import Address
from comfy_mcp.workflow import Asked, Graph, Known, digest

__all__ = ["ComfyHost"]

_OUTCOMES = frozenset({"completed", "failed", "cancelled"})


VIEW_SECONDS = 60.0
"""For a whole file; a look has to be quicker."""


class ComfyHost:
    """One ComfyUI; nothing is contacted before the first call that needs it."""

    def __init__(
        self,
        address: Address,
        *,
        now_ms: Callable[[], int],
        timeouts: Timeouts = Timeouts(),
        pause: float = 0.2,
    ) -> None:
        self.address = address
        self._now_ms = now_ms
        self._timeouts = timeouts
        self._wire = Transport(address, timeouts=timeouts, pause=pause, lost=self._forget)
        self._information = Information(self._wire, address.base, now_ms, seconds=timeouts.known)
        self._pictures = Pictures(self._wire, address.base, seconds=timeouts.known)
        self._jobs_api: bool | None = None
        self._stats: SystemStats | None = None

    async def close(self) -> None:
        """Close the connections; the host may be used again and opens new ones."""
        await self._wire.close()

    async def stats(self) -> SystemStats:
        """Version, memory and devices."""
        self._stats = await self._wire.read("/system_stats", SystemStats)
        return self._stats

    async def has_jobs_api(self) -> bool:
        """Whether this ComfyUI has ``/api/jobs`` (0.6.0 and newer)."""
        return (await self._wire.get("/jobs", {"limit": "1"})).status == HTTPStatus.OK

    async def queue_length(self) -> tuple[int, int]:
        """How many jobs run, and how many wait."""
        queue = await self._queue()
        return len(queue.queue_running), len(queue.queue_pending)

    async def known(self, asked: Asked) -> Known:
        """What a workflow's facts need to know of this host; bounded in time, and no error.

        What cannot be had is left out, so that it counts as undetermined.
        """
        classes, pictures = await asyncio.gather(
            self._information.classes(asked.classes), self._pictures.sizes(asked.pictures)
        )
        return Known(classes=classes, pictures=pictures)

    async def queue_depth(self) -> int:
        """How many jobs run or wait, by the cheapest route there is."""
        depth = await self._wire.read("/prompt", QueueDepth)
        return depth.exec_info.queue_remaining

    async def submit(
        self,
        graph: Graph,
        *,
        prompt_id: str,
        client_id: str,
        permit: SubmitPermit,
        front: bool = False,
    ) -> tuple[str, ...]:
        """Queue *graph* under our own *prompt_id*; returns what ComfyUI dropped of it.

        *front*: before all that wait.

        Raises:
            PermitError: *permit* is not for this graph and job.
            HostRejected: ComfyUI refused it; nothing was queued.
            AnswerLost: it was sent and nobody knows: look the id up.
            HostUnreachable: nothing was sent.
        """
        content = graph.to_json()
        permit.spend(prompt_id=prompt_id, digest=digest(content), front=front)
        version = await self._version()
        if version is not None and version < CHOSEN_IDS:
            raise ids_of_its_own(None)
        body: dict[str, object] = {
            "prompt": content,
            "prompt_id": prompt_id,
            "client_id": client_id,
        }
        if front:
            body["front"] = True
        with lost_or_unreachable(self.address.base, prompt_id):
            reply = await self._wire.send("POST", "/prompt", body, seconds=self._timeouts.submit)
        if reply.status == HTTPStatus.OK:
            return await self._accepted(reply, prompt_id)
        if reply.status > HTTPStatus.INTERNAL_SERVER_ERROR:
            # A proxy's words: what ComfyUI made of the request is not known.
            raise answer_lost(self.address.base, prompt_id, f"HTTP {reply.status}")
        raise self._refusal(reply)

    async def look(self, prompt_id: str) -> Sighting:
        """What became of a job; never says Absent of a job that is there."""
        if self._jobs_api is not False:
            found = await self._look_by_job(prompt_id)
            if found is not None:
                return found
        queue = await self._queue()
        return in_queue(queue, prompt_id) or await self._look_in_history(prompt_id)

    async def running(self) -> str | None:
        """The id of the job being worked on."""
        queue = await self._jobs_or_queue()
        return queue[0] if queue else None

    async def stop(self, prompt_id: str, permit: StopPermit) -> tuple[str, ...]:
        """Ask once that *prompt_id* be stopped, pending or running; returns what was sent.

        ComfyUI may accept this and lose it: look, and send it again.

        Raises:
            PermitError: *permit* is for another job or out of date.
            HostRejected: this ComfyUI can only interrupt whatever runs, and that could hit others.
        """
        permit.check(prompt_id=prompt_id, now_ms=self._now_ms())
        if self._jobs_api is not False:
            reply = await self._wire.repeat(
                "POST", f"/jobs/{quote(prompt_id, safe='')}/cancel", None
            )
            if reply.status == HTTPStatus.OK:
                self._wire.parse("/jobs/{id}/cancel", reply, Cancelled)
                return ("POST /api/jobs/{id}/cancel",)
        return await self._stop_without_jobs_api(prompt_id)

    async def view(self, file: OutputFile, *, limit: int) -> bytes:
        """The bytes of a file a job put out.

        Raises:
            OutputError: it is gone, or larger than *limit* bytes.
        """
        query = {"filename": file.filename, "subfolder": file.subfolder, "type": file.type}
        with reading(self.address.base):
            async with self._wire.open(
                "GET", "/view", params=query, seconds=VIEW_SECONDS
            ) as answer:
                if answer.status != HTTPStatus.OK:
                    raise _no_file(file, answer.status)
                content = await bounded(answer, limit)
        if content is None:
            raise OutputError(
                f"{file.filename} is larger than {limit} bytes, the most that is fetched. Open it"
                " in ComfyUI, or make something smaller."
            )
        return content

    def view_url(self, file: OutputFile) -> str | None:
        """Where a person can fetch the file; None where that needs credentials."""
        if self.address.headers:
            return None
        subfolder = f"&subfolder={quote(file.subfolder, safe='')}" if file.subfolder else ""
        name = quote(file.filename, safe="")
        return f"{self.address.base}/api/view?filename={name}{subfolder}&type={file.type}"

    async def _version(self) -> tuple[int, int, int] | None:
        """Asked once for each time that ComfyUI is reached anew; None for a fork's own name.

        Asked before the first submit, so that what is no ComfyUI is recognised by a question that
        changes nothing.
        """
        stats = self._stats or await self.stats()
        return parse_version(stats.system.comfyui_version)

    def _forget(self) -> None:
        """Nobody answers: what comes back may be another version."""
        self._jobs_api = self._stats = None
        self._information.forget()

    async def _look_by_job(self, prompt_id: str) -> Sighting | None:
        """None where this ComfyUI has no jobs routes, or they are broken by another job."""
        reply = await self._wire.get(f"/jobs/{quote(prompt_id, safe='')}")
        if reply.status == HTTPStatus.NOT_FOUND:
            if reply.kind == "application/json":
                self._jobs_api = True
                return Absent()
            # Once the route was seen to work, a stray 404 must not switch it off.
            self._jobs_api = self._jobs_api or False
            return None
        if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return None
        item = self._wire.parse("/jobs/{id}", reply, JobItem)
        self._jobs_api = True
        if item.status == "in_progress":
            return Running()
        if item.status == "pending":
            return await self._position(prompt_id)
        if item.status not in _OUTCOMES:
            raise self._wire.strange("/jobs/{id}", reply)
        end = ended(item.outputs, item.execution_status)
        return end if item.execution_status else replace(end, outcome=item.status)

    async def _position(self, prompt_id: str) -> Sighting | None:
        """Where a pending job stands, from the light list; None if it moved on meanwhile."""
        reply = await self._wire.get("/jobs", {"status": "pending"})
        if reply.status != HTTPStatus.OK:
            return None
        jobs = self._wire.parse("/jobs", reply, JobList).jobs
        order = sorted((job.priority, job.id) for job in jobs)
        places = [place for place, (_, known) in enumerate(order, 1) if known == prompt_id]
        return Pending(places[0]) if places else None

    async def _look_in_history(self, prompt_id: str) -> Sighting:
        reply = await self._wire.get(f"/history/{quote(prompt_id, safe='')}")
        if reply.status != HTTPStatus.OK:
            raise self._wire.strange("/history/{id}", reply)
        try:
            entries = readable(_HistoryAnswer, b'{"entries":' + reply.body + b"}").entries
        except ValidationError as error:
            raise self._wire.strange("/history/{id}", reply) from error
        entry = entries.get(prompt_id)
        return Absent() if entry is None else ended(entry.outputs, entry.status)

    async def _jobs_or_queue(self) -> tuple[str, ...]:
        if self._jobs_api is not False:
            reply = await self._wire.get("/jobs", {"status": "in_progress"})
            if reply.status == HTTPStatus.OK:
                return tuple(job.id for job in self._wire.parse("/jobs", reply, JobList).jobs)
        queue = await self._queue()
        return tuple(str(item[1]) for item in queue.queue_running if len(item) > 1)

    async def _queue(self) -> Queue:
        return await self._wire.read("/queue", Queue)

    async def _stop_without_jobs_api(self, prompt_id: str) -> tuple[str, ...]:
        await self._wire.order("/queue", {"delete": [prompt_id]})
        sent = ("POST /api/queue {delete}",)
        version = await self._version()
        if version is None or version >= TARGETED_INTERRUPT:
            await self._wire.order("/interrupt", {"prompt_id": prompt_id})
            return (*sent, "POST /api/interrupt {prompt_id}")
        return (*sent, *await self._stop_whatever_runs(prompt_id))

    async def _stop_whatever_runs(self, prompt_id: str) -> tuple[str, ...]:
        """Before 0.3.57 every interrupt is global: safe only while nobody else can be hit."""
        queue = await self._queue()
        if not isinstance(in_queue(queue, prompt_id), Running):
            return ()
        if queue.queue_pending:
            raise HostRejected(
                "This ComfyUI is older than 0.3.57 and can only interrupt whatever runs. Other jobs"
                " wait behind this one and could be hit instead, so nothing was sent. Update"
                " ComfyUI, or try again when the queue is empty.",
                kind="global_interrupt_only",
            )
        await self._wire.order("/interrupt", {"prompt_id": prompt_id})
        return ("POST /api/interrupt (global: nothing else was queued)",)

    async def _accepted(self, reply: Reply, prompt_id: str) -> tuple[str, ...]:
        """What was dropped of a queued job, in words."""
        try:
            accepted = Accepted.model_validate_json(reply.body)
        except ValidationError as error:
            why = f"{reply.kind} that cannot be read"
            raise answer_lost(self.address.base, prompt_id, why) from error
        if accepted.prompt_id != prompt_id:
            await self._wire.order("/queue", {"delete": [accepted.prompt_id]})
            raise ids_of_its_own(accepted.prompt_id)
        return tuple(str(problem) for problem in problems_of(accepted.node_errors))

    def _refusal(self, reply: Reply) -> HostError:
        if reply.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return HostRejected(
                "The workflow is larger than ComfyUI accepts (HTTP 413). Make it smaller, or start"
                " ComfyUI with a higher --max-upload-size.",
                kind="too_large",
                status=413,
            )
        return rejected(reply.status, reply.body) or self._wire.strange("/prompt", reply)


class _HistoryAnswer(BaseModel):
    entries: dict[str, HistoryEntry]


def _no_file(file: OutputFile, status: int) -> OutputError:
    if status == HTTPStatus.NOT_FOUND:
        return OutputError(
            f"ComfyUI no longer has {file.filename}; temporary files go at its restart. Run the"
            " workflow again."
        )
    return OutputError(
        f"ComfyUI did not hand out {file.filename} (HTTP {status}). Open it in ComfyUI, or look at"
        " its log."
    )
