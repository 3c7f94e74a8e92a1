"""The jobs routes: list, look, cancel; a ComfyUI that has none answers as if it never heard."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from aiohttp import web

from comfy_mcp.embedded.joblist import Wanted, all_jobs, one_job, statuses
from comfy_mcp.embedded.values import as_list, as_object, canonical

if TYPE_CHECKING:
    from collections.abc import Mapping

    from comfy_mcp.embedded.engine import Engine
    from comfy_mcp.embedded.profiles import Profile

__all__ = ["routes"]


class _BadQuery(Exception):
    """The query asks for something that cannot be; the text says what."""


def routes(engine: Engine) -> list[web.RouteDef]:
    """The routes of this file, as far as the version has them."""
    handlers = _Jobs(engine)
    found: list[web.RouteDef] = []
    if engine.profile.jobs:
        found += [web.get("/api/jobs", handlers.list), web.get("/api/jobs/{id}", handlers.show)]
    if engine.profile.job_cancel:
        found += [
            web.post("/api/jobs/cancel", handlers.cancel_many),
            web.post("/api/jobs/{id}/cancel", handlers.cancel),
        ]
    return found


class _Jobs:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def list(self, request: web.Request) -> web.Response:
        try:
            wanted = _wanted(request.query, self._engine.profile)
        except _BadQuery as bad:
            return _bad(str(bad))
        jobs, total = all_jobs(self._engine.queue, wanted, self._engine.profile)
        page = {
            "offset": wanted.offset,
            "limit": wanted.limit,
            "total": total,
            "has_more": wanted.offset + len(jobs) < total,
        }
        return web.json_response({"jobs": jobs, "pagination": page})

    async def show(self, request: web.Request) -> web.Response:
        job = one_job(self._engine.queue, request.match_info["id"], self._engine.profile)
        if job is None:
            return web.json_response({"error": "Job not found"}, status=404)
        return web.json_response(job)

    async def cancel(self, request: web.Request) -> web.Response:
        return web.json_response({"cancelled": self._cancel(request.match_info["id"])})

    async def cancel_many(self, request: web.Request) -> web.Response:
        try:
            data = await request.json()
        except json.JSONDecodeError:
            return _bad("Request body must be valid JSON")
        ids = as_list((as_object(data) or {}).get("job_ids"))
        if ids is None:
            return _bad("job_ids must be a list")
        invalid = [
            each if isinstance(each, str) else repr(each) for each in ids if not canonical(each)
        ]
        if invalid:
            told = {"error": "job_ids contains invalid id(s)", "invalid_ids": invalid}
            return web.json_response(told, status=400)
        cancelled = [self._cancel(each) for each in ids]
        return web.json_response({"cancelled": any(cancelled)})

    def _cancel(self, prompt_id: str) -> bool:
        return self._engine.interrupt_if_running(prompt_id) or self._engine.dequeue(prompt_id)


def _bad(message: str) -> web.Response:
    return web.json_response({"error": message}, status=400)


def _wanted(query: Mapping[str, str], profile: Profile) -> Wanted:
    sort_by = query.get("sort_by", "created_at").lower()
    order = query.get("sort_order", "desc").lower()
    status = _statuses(query.get("status"), statuses(profile))
    if sort_by not in {"created_at", "execution_duration"}:
        raise _BadQuery("sort_by must be 'created_at' or 'execution_duration'")
    if order not in {"asc", "desc"}:
        raise _BadQuery("sort_order must be 'asc' or 'desc'")
    limit = _integer(query, "limit")
    if limit is not None and limit <= 0:
        raise _BadQuery("limit must be a positive integer")
    offset = max(_integer(query, "offset") or 0, 0)
    by_duration, ascending = sort_by == "execution_duration", order == "asc"
    return Wanted(status, query.get("workflow_id"), by_duration, ascending, limit, offset)


def _statuses(asked: str | None, known: list[str]) -> list[str]:
    if not asked:
        return known
    wanted = [each.strip().lower() for each in asked.split(",") if each.strip()]
    unknown = [each for each in wanted if each not in known]
    if unknown:
        raise _BadQuery(
            f"Invalid status value(s): {', '.join(unknown)}. Valid values: {', '.join(known)}"
        )
    return wanted


def _integer(query: Mapping[str, str], name: str) -> int | None:
    if name not in query:
        return None
    try:
        return int(query[name])
    except ValueError:
        raise _BadQuery(f"{name} must be an integer") from None
