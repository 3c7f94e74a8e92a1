"""What ComfyUI has queued, in the order in which it will run, read from either of two routes."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import Any

from comfy_mcp.host.aliases import Aliases
from comfy_mcp.host.finite import finite, whole
from comfy_mcp.host.sighting import Pending, Running
from comfy_mcp.host.standing import Queued, QueueView
from comfy_mcp.host.wire import Extra, JobItem, Queue

__all__ = ["of_jobs", "of_queue", "place_in"]

_EXTRA = 3
"""Where extra_data stands in an item of /queue."""


def of_queue(queue: Queue, aliases: Aliases, *, by_tag: bool = False) -> QueueView:
    """GET /queue: its pending items are a heap, so they are sorted as ComfyUI takes them out.

    *by_tag*: this ComfyUI gives jobs ids of its own, so that a tag may be all that tells one.
    """
    running = [item for item in queue.queue_running if _id(item)]
    pending = sorted(filter(_id, queue.queue_pending), key=lambda it: (_place(it), it[1]))
    if by_tag:
        met = (*running, *pending)
        aliases.recognise_all({str(item[1]): _extra(item).model_dump() for item in met})
    return QueueView(
        tuple(_item(item, aliases) for item in running),
        tuple(_item(item, aliases) for item in pending),
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
    return Queued(aliases.ours(item[1]), _place(item), whole(_extra(item).create_time))


def _extra(item: list[Any]) -> Extra:
    extra = item[_EXTRA] if len(item) > _EXTRA else None
    return extra if isinstance(extra, Extra) else Extra()


def _id(item: list[Any]) -> str | None:
    return item[1] if len(item) > 1 and isinstance(item[1], str) else None


def _place(item: list[Any]) -> float:
    """Lower runs first; what is no number runs last."""
    number = finite(item[0])
    return inf if number is None else number


def place_in(view: QueueView, prompt_id: str) -> Pending | Running | None:
    """Where *prompt_id* stands in the queue."""
    if any(job.prompt_id == prompt_id for job in view.running):
        return Running()
    places = (at for at, job in enumerate(view.pending, 1) if job.prompt_id == prompt_id)
    place = next(places, None)
    return None if place is None else Pending(place)
