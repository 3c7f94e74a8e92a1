"""ComfyUI's REST API, one method a route: time-outs, retries and what may be sent, in one place.

Only what changes nothing, or what changes the same thing however often it is sent, is repeated.
Every request uses the ``/api`` spelling: proxies and Comfy Cloud know no other. No ``Origin`` is
sent, since ComfyUI answers a foreign one with 403.
"""

from __future__ import annotations

import io
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
from pydantic import BaseModel, ValidationError
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from comfy_mcp.errors import HostError, HostRejected, HostTimeout, HostUnreachable, OutputError
from comfy_mcp.host.failures import (
    answer_lost,
    ids_of_its_own,
    lost_or_unreachable,
    not_comfyui,
    problems_of,
    reading,
    rejected,
    unreachable,
)
from comfy_mcp.host.sighting import Absent, OutputFile, Pending, Running, Sighting, ended, in_queue
from comfy_mcp.host.version import TARGETED_INTERRUPT, parse_version
from comfy_mcp.host.wire import (
    Accepted,
    Cancelled,
    HistoryEntry,
    JobItem,
    JobList,
    Queue,
    SystemStats,
)
from comfy_mcp.permit import StopPermit, SubmitPermit
from comfy_mcp.settings import Address
from comfy_mcp.workflow import Graph, digest

__all__ = ["ComfyHost", "Timeouts"]

Answer = TypeVar("Answer", bound=BaseModel)

_OUTCOMES = frozenset({"completed", "failed", "cancelled"})

MAX_JSON = 256 * 1024 * 1024
"""A history entry repeats the whole graph and its outputs; what is larger is refused."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: to connect, for an answer, and for the answer to a submit (it validates first)."""

    connect: float = 5.0
    answer: float = 30.0
    submit: float = 60.0


@dataclass(frozen=True, slots=True)
class Reply:
    """A status and a whole body."""

    status: int
    body: bytes
    kind: str


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
        self._pause = pause
        self._session: aiohttp.ClientSession | None = None
        self._jobs_api: bool | None = None
        self._version: tuple[int, int, int] | None = None

    async def close(self) -> None:
        """Close the connections; the host may be used again and opens new ones."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def stats(self) -> SystemStats:
        """Version, memory and devices."""
        stats = await self._read("/system_stats", SystemStats)
        self._version = parse_version(stats.system.comfyui_version)
        return stats

    async def submit(
        self, graph: Graph, *, prompt_id: str, client_id: str, permit: SubmitPermit
    ) -> tuple[str, ...]:
        """Queue *graph* under our own *prompt_id*; returns what ComfyUI dropped of it.

        Raises:
            PermitError: *permit* is not for this graph and job.
            HostRejected: ComfyUI refused it; nothing was queued.
            AnswerLost: it was sent and nobody knows: look the id up.
            HostUnreachable: nothing was sent.
        """
        content = graph.to_json()
        permit.spend(prompt_id=prompt_id, digest=digest(content))
        body = {"prompt": content, "prompt_id": prompt_id, "client_id": client_id}
        with lost_or_unreachable(self.address.base, prompt_id):
            reply = await self._send("POST", "/prompt", body, self._timeouts.submit)
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
            reply = await self._repeat("POST", f"/jobs/{quote(prompt_id, safe='')}/cancel", None)
            if reply.status == HTTPStatus.OK:
                self._parse("/jobs/{id}/cancel", reply, Cancelled)
                return ("POST /api/jobs/{id}/cancel",)
        return await self._stop_without_jobs_api(prompt_id)

    async def view(self, file: OutputFile, *, limit: int) -> bytes:
        """The bytes of a file a job put out.

        Raises:
            OutputError: it is gone, or larger than *limit* bytes.
        """
        query = {"filename": file.filename, "subfolder": file.subfolder, "type": file.type}
        seconds = self._timeouts.answer
        with reading(self.address.base):
            async with self._request("GET", "/view", None, query, seconds) as answer:
                if answer.status != HTTPStatus.OK:
                    raise _no_file(file, answer.status)
                content = await _bounded(answer, limit)
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

    async def _look_by_job(self, prompt_id: str) -> Sighting | None:
        """None where this ComfyUI has no jobs routes, or they are broken by another job."""
        reply = await self._get(f"/jobs/{quote(prompt_id, safe='')}")
        if reply.status == HTTPStatus.NOT_FOUND:
            self._jobs_api = reply.kind == "application/json"
            return Absent() if self._jobs_api else None
        if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return None
        item = self._parse("/jobs/{id}", reply, JobItem)
        self._jobs_api = True
        if item.status == "in_progress":
            return Running()
        if item.status == "pending":
            return await self._position(prompt_id)
        if item.status not in _OUTCOMES:
            raise self._strange("/jobs/{id}", reply)
        end = ended(item.outputs, item.execution_status)
        return end if item.execution_status else replace(end, outcome=item.status)

    async def _position(self, prompt_id: str) -> Sighting | None:
        """Where a pending job stands, from the light list; None if it moved on meanwhile."""
        reply = await self._get("/jobs", {"status": "pending"})
        if reply.status != HTTPStatus.OK:
            return None
        jobs = self._parse("/jobs", reply, JobList).jobs
        order = sorted((job.priority, job.id) for job in jobs)
        places = [place for place, (_, known) in enumerate(order, 1) if known == prompt_id]
        return Pending(places[0]) if places else None

    async def _look_in_history(self, prompt_id: str) -> Sighting:
        reply = await self._get(f"/history/{quote(prompt_id, safe='')}")
        if reply.status != HTTPStatus.OK:
            raise self._strange("/history/{id}", reply)
        try:
            entries = _HistoryAnswer.model_validate_json(b'{"entries":' + reply.body + b"}").entries
        except ValidationError as error:
            raise self._strange("/history/{id}", reply) from error
        entry = entries.get(prompt_id)
        return Absent() if entry is None else ended(entry.outputs, entry.status)

    async def _jobs_or_queue(self) -> tuple[str, ...]:
        if self._jobs_api is not False:
            reply = await self._get("/jobs", {"status": "in_progress"})
            if reply.status == HTTPStatus.OK:
                return tuple(job.id for job in self._parse("/jobs", reply, JobList).jobs)
        queue = await self._queue()
        return tuple(str(item[1]) for item in queue.queue_running if len(item) > 1)

    async def _queue(self) -> Queue:
        return await self._read("/queue", Queue)

    async def _stop_without_jobs_api(self, prompt_id: str) -> tuple[str, ...]:
        await self._order("/queue", {"delete": [prompt_id]})
        sent = ("POST /api/queue {delete}",)
        if self._version is None:
            await self.stats()
        if self._version is None or self._version >= TARGETED_INTERRUPT:
            await self._order("/interrupt", {"prompt_id": prompt_id})
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
        await self._order("/interrupt", {"prompt_id": prompt_id})
        return ("POST /api/interrupt (global: nothing else was queued)",)

    async def _read(self, path: str, shape: type[Answer]) -> Answer:
        return self._parse(path, await self._get(path), shape)

    async def _order(self, path: str, body: Mapping[str, Any]) -> None:
        """Send what ComfyUI answers with an empty 200, whether it did anything or not."""
        reply = await self._repeat("POST", path, body)
        if reply.status != HTTPStatus.OK:
            raise self._strange(path, reply)

    async def _get(self, path: str, params: Mapping[str, str] | None = None) -> Reply:
        return await self._repeat("GET", path, None, params)

    async def _repeat(
        self, method: str, path: str, body: Any, params: Mapping[str, str] | None = None
    ) -> Reply:
        """Send what may be sent more than once, up to three times."""
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type((HostUnreachable, HostTimeout)),
            stop=stop_after_attempt(3),
            wait=wait_exponential(multiplier=self._pause, max=2),
            reraise=True,
        ):
            with attempt, reading(self.address.base):
                return await self._send(method, path, body, self._timeouts.answer, params)
        raise AssertionError  # the last attempt returns or raises

    async def _send(
        self,
        method: str,
        path: str,
        body: Any,
        seconds: float,
        params: Mapping[str, str] | None = None,
    ) -> Reply:
        async with self._request(method, path, body, params, seconds) as answer:
            content = await _bounded(answer, MAX_JSON)
            if content is None:
                why = f"more than {MAX_JSON} bytes"
                raise not_comfyui(self.address.base, f"/api{path}", answer.status, why)
            return Reply(answer.status, content, answer.content_type)

    @asynccontextmanager
    async def _request(
        self, method: str, path: str, body: Any, params: Mapping[str, str] | None, seconds: float
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        """One request; what went wrong before anything was sent is HostUnreachable."""
        try:
            async with self._open().request(
                method,
                f"{self.address.base}/api{path}",
                data=None if body is None else io.BytesIO(json.dumps(body).encode()),
                headers=None if body is None else {"Content-Type": "application/json"},
                params=params,
                timeout=aiohttp.ClientTimeout(total=seconds, connect=self._timeouts.connect),
                allow_redirects=False,
            ) as answer:
                yield answer
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            self._jobs_api = self._version = None
            raise await unreachable(self.address.base, error) from error

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers=dict(self.address.headers),
                timeout=aiohttp.ClientTimeout(
                    total=self._timeouts.answer, connect=self._timeouts.connect
                ),
                connector=aiohttp.TCPConnector(limit=32, force_close=False),
            )
        return self._session

    def _parse(self, path: str, reply: Reply, shape: type[Answer]) -> Answer:
        if reply.status != HTTPStatus.OK:
            raise self._strange(path, reply)
        try:
            return shape.model_validate_json(reply.body)
        except ValidationError as error:
            raise self._strange(path, reply) from error

    def _strange(self, path: str, reply: Reply) -> HostError:
        why = f"with {reply.kind} where ComfyUI's JSON was expected"
        return not_comfyui(self.address.base, f"/api{path}", reply.status, why)

    async def _accepted(self, reply: Reply, prompt_id: str) -> tuple[str, ...]:
        """What was dropped of a queued job, in words."""
        try:
            accepted = Accepted.model_validate_json(reply.body)
        except ValidationError as error:
            why = f"{reply.kind} that cannot be read"
            raise answer_lost(self.address.base, prompt_id, why) from error
        if accepted.prompt_id != prompt_id:
            await self._order("/queue", {"delete": [accepted.prompt_id]})
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
        return rejected(reply.status, reply.body) or self._strange("/prompt", reply)


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


async def _bounded(answer: aiohttp.ClientResponse, limit: int) -> bytes | None:
    """Read a body of at most *limit* bytes; None if it is larger."""
    parts: list[bytes] = []
    size = 0
    async for part in answer.content.iter_chunked(1 << 16):
        size += len(part)
        if size > limit:
            return None
        parts.append(part)
    return b"".join(parts)
