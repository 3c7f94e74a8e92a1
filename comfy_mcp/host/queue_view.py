"""What ComfyUI has queued, in the order in which it will run, read from either of two routes."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, isfinite
from typing import Any, cast

from comfy_mcp.host.aliases import Aliases
from comfy_mcp.host.sighting import Pending, Running
from comfy_mcp.host.standing import Queued, QueueView
from comfy_mcp.host.wire import JobItem, Queue

__all__ = ["of_jobs", "of_queue", "place_in"]

_EXTRA = 3
"""Where extra_data stands in an item of /queue."""


def of_queue(queue: Queue, aliases: Aliases) -> QueueView:
    """GET /queue: its pending items are a heap, so they are sorted as ComfyUI takes them out."""
    return QueueView(
        tuple(_item(item, aliases) for item in queue.queue_running if _id(item)),
        tuple(
            _item(item, aliases)
            for item in sorted(filter(_id, queue.queue_pending), key=lambda it: (_place(it), it[1]))
        ),
    )


def of_jobs(jobs: Iterable[JobItem], aliases: Aliases) -> QueueView:
    """GET /api/jobs: light, and without what the items of /queue carry.

    Comfy Cloud has no numbers, but an order of its own that is near that of arrival.
    """

    def turn(job: JobItem) -> tuple[float, str]:
        return job.priority if job.priority is not None else job.created_ms or 0, job.id

    order = sorted(jobs, key=turn)
    return QueueView(
        tuple(_job(job, aliases) for job in order if job.status == "in_progress"),
        tuple(_job(job, aliases) for job in order if job.status == "pending"),
    )


def _job(job: JobItem, aliases: Aliases) -> Queued:
    return Queued(aliases.ours(job.id), job.priority or 0.0, job.created_ms)


def _item(item: list[Any], aliases: Aliases) -> Queued:
    extra = item[_EXTRA] if len(item) > _EXTRA else None
    told = cast("dict[str, Any]", extra) if isinstance(extra, dict) else {}
    created = told.get("create_time")
    return Queued(aliases.recognise(item[1], told), _place(item), _milliseconds(created))


def _id(item: list[Any]) -> str | None:
    return item[1] if len(item) > 1 and isinstance(item[1], str) else None


def _place(item: list[Any]) -> float:
    """Lower runs first; what is no number runs last."""
    return float(item[0]) if isinstance(item[0], int | float) else inf


def _milliseconds(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) and isfinite(value) else None


def place_in(view: QueueView, prompt_id: str) -> Pending | Running | None:
    """Where *prompt_id* stands in the queue."""
    if any(job.prompt_id == prompt_id for job in view.running):
        return Running()
    places = (at for at, job in enumerate(view.pending, 1) if job.prompt_id == prompt_id)
    place = next(places, None)
    return None if place is None else Pending(place)
