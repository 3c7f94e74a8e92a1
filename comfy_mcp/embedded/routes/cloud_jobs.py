"""Comfy Cloud's jobs: looked at, listed, cancelled; a cancelled one stays, whatever it did."""

from __future__ import annotations

import json
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aiohttp import web

from comfy_mcp.embedded.credential import refused
from comfy_mcp.embedded.joblist import Wanted, all_jobs, one_job, statuses
from comfy_mcp.embedded.values import as_list, as_object, canonical

if TYPE_CHECKING:
    from collections.abc import Mapping

    from comfy_mcp.embedded.engine import Engine
    from comfy_mcp.embedded.queue import Item

__all__ = ["CloudJobs", "routes"]

MOST_LISTED = 1000
LISTED = 100
MOST_CANCELLED = 100
RAW = {
    "pending": "queued_limited",
    "in_progress": "executing",
    "completed": "success",
    "failed": "error",
    "cancelled": "cancelled",
}
"""The states of the deprecated status route, which are not those of the jobs routes."""


def routes(engine: Engine) -> list[web.RouteDef]:
    """The jobs routes."""
    jobs = CloudJobs(engine)
    return [
        web.get("/api/jobs", jobs.list),
        web.post("/api/jobs/cancel", jobs.cancel_many),
        web.get("/api/jobs/{id}", jobs.show),
        web.post("/api/jobs/{id}/cancel", jobs.cancel),
        web.get("/api/job/{id}/status", jobs.status),
    ]


class _Unusable(Exception):
    """The request cannot be meant; the text says why."""


class CloudJobs:
    """What changes and shows jobs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def list(self, request: web.Request) -> web.Response:
        """GET /api/jobs."""
        profile = self._engine.profile
        try:
            wanted = _wanted(request.query, statuses(profile))
        except _Unusable as unusable:
            return refused(HTTPStatus.BAD_REQUEST, str(unusable))
        jobs, total = all_jobs(self._engine.queue, wanted, profile)
        page = {
            "offset": wanted.offset,
            "limit": wanted.limit,
            "total": total,
            "has_more": wanted.offset + len(jobs) < total,
        }
        return web.json_response({"jobs": jobs, "pagination": page})

    async def show(self, request: web.Request) -> web.Response:
        """GET /api/jobs/{id}: with the workflow in every state."""
        prompt_id = request.match_info["id"]
        job = one_job(self._engine.queue, prompt_id, self._engine.profile)
        if job is None:
            return refused(HTTPStatus.NOT_FOUND, "Job not found")
        item = self._active(prompt_id)
        if item is not None:
            job["workflow"] = {"prompt": item.prompt, "extra_data": item.extra_data}
        job["update_time"] = time.time_ns() // 1_000_000
        return web.json_response(job)

    async def status(self, request: web.Request) -> web.Response:
        """GET /api/job/{id}/status, deprecated: the cloud's inner states."""
        job = one_job(self._engine.queue, request.match_info["id"], self._engine.profile)
        if job is None:
            return refused(HTTPStatus.NOT_FOUND, "Job not found")
        return web.json_response({"id": job["id"], "status": RAW[job["status"]]})

    async def cancel(self, request: web.Request) -> web.Response:
        """POST /api/jobs/{id}/cancel."""
        prompt_id = request.match_info["id"]
        if not canonical(prompt_id):
            return refused(HTTPStatus.BAD_REQUEST, "job_id is not a valid UUID")
        if not self._known(prompt_id):
            return refused(HTTPStatus.NOT_FOUND, "Job not found")
        return web.json_response({"cancelled": self.cancelled(prompt_id)})

    async def cancel_many(self, request: web.Request) -> web.Response:
        """POST /api/jobs/cancel: all that are known, or none."""
        try:
            ids = _ids(await request.text())
        except _Unusable as unusable:
            return refused(HTTPStatus.BAD_REQUEST, str(unusable))
        if not all(self._known(each) for each in ids):
            return refused(HTTPStatus.NOT_FOUND, "One or more jobs not found")
        return web.json_response({"cancelled": [each for each in ids if self.cancelled(each)]})

    def cancelled(self, prompt_id: object) -> bool:
        """Cancel a pending or running job; whether there was one. A pending one is history then."""
        if self._engine.interrupt_if_running(prompt_id):
            return True
        item = self._active(prompt_id)
        if item is None:
            return False
        self._engine.queue.history[item.prompt_id] = _never_ran(item)
        return self._engine.dequeue(prompt_id)

    def first_active(self) -> str | None:
        """The job that runs, else the one that waits longest."""
        queue = self._engine.queue
        waiting = (each.prompt_id for each in sorted(queue.pending, key=lambda it: it[:2]))
        running = (each.prompt_id for each in queue.running)
        return next(running, next(waiting, None))

    def _active(self, prompt_id: object) -> Item | None:
        queue = self._engine.queue
        found = (each for each in (*queue.running, *queue.pending) if each.prompt_id == prompt_id)
        return next(found, None)

    def _known(self, prompt_id: str) -> bool:
        return prompt_id in self._engine.queue.history or self._active(prompt_id) is not None


def _never_ran(item: Item) -> dict[str, Any]:
    """The history of a job that was cancelled while it waited."""
    stamp = {"prompt_id": item.prompt_id, "timestamp": time.time_ns() // 1_000_000}
    status = {
        "status_str": "error",
        "completed": False,
        "messages": [["execution_interrupted", stamp]],
    }
    return {"prompt": item.shown(), "outputs": {}, "status": status, "meta": {}}


def _ids(text: str) -> list[str]:
    try:
        data: Any = json.loads(text)
    except ValueError:
        raise _Unusable("Request body must be valid JSON") from None
    ids = as_list((as_object(data) or {}).get("job_ids"))
    if not ids or len(ids) > MOST_CANCELLED or not all(canonical(each) for each in ids):
        raise _Unusable(f"job_ids must be 1 to {MOST_CANCELLED} UUIDs")
    return ids


def _wanted(query: Mapping[str, str], known: list[str]) -> Wanted:
    asked = [each for each in query.get("status", "").split(",") if each] or known
    by, order = query.get("sort_by", "create_time"), query.get("sort_order", "desc")
    limit, offset = _whole(query, "limit", LISTED), _whole(query, "offset", 0)
    right = set(asked) <= set(known) and by in {"create_time", "execution_time"}
    if not right or order not in {"asc", "desc"} or not 1 <= limit <= MOST_LISTED or offset < 0:
        raise _Unusable("Invalid query parameter")
    by_duration = by == "execution_time"
    return Wanted(asked, query.get("workflow_id"), by_duration, order == "asc", limit, offset)


def _whole(query: Mapping[str, str], name: str, default: int) -> int:
    try:
        return int(query.get(name, default))
    except ValueError:
        raise _Unusable(f"{name} must be an integer") from None
