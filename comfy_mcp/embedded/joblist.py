"""The jobs of /api/jobs: queue and history in one form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from comfy_mcp.embedded.summary import counted, normalised

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from comfy_mcp.embedded.profiles import Profile
    from comfy_mcp.embedded.queue import Item, JobQueue

__all__ = ["Wanted", "all_jobs", "one_job", "statuses"]

ENDED = {"execution_success", "execution_error", "execution_interrupted"}


def statuses(profile: Profile) -> list[str]:
    """What a job can be, in that version."""
    known = ["pending", "in_progress", "completed", "failed"]
    return [*known, "cancelled"] if profile.cancelled_status else known


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which jobs, in which order."""

    status: Collection[str]
    workflow_id: str | None = None
    by_duration: bool = False
    ascending: bool = False
    limit: int | None = None
    offset: int = 0


def all_jobs(queue: JobQueue, wanted: Wanted, profile: Profile) -> tuple[list[dict[str, Any]], int]:
    """The jobs that are *wanted*, and how many there are without limit and offset.

    Raises:
        AttributeError: some job's workflow is null, which ComfyUI answers with 500.
    """
    jobs = [_queued(item, "in_progress", profile) for item in queue.running]
    jobs += [_queued(item, "pending", profile) for item in queue.pending]
    jobs += [_finished(key, entry, profile) for key, entry in queue.history.items()]
    jobs = [job for job in jobs if job["status"] in wanted.status]
    if wanted.workflow_id:
        jobs = [job for job in jobs if job.get("workflow_id") == wanted.workflow_id]
    key = _duration if wanted.by_duration else _created
    jobs.sort(key=key, reverse=not wanted.ascending)
    end = None if wanted.limit is None else wanted.offset + wanted.limit
    return jobs[wanted.offset : end], len(jobs)


def one_job(queue: JobQueue, prompt_id: str, profile: Profile) -> dict[str, Any] | None:
    """One job with all that is known of it; history comes before queue."""
    if prompt_id in queue.history:
        return _whole(prompt_id, queue.history[prompt_id], profile)
    for status, items in (("in_progress", queue.running), ("pending", queue.pending)):
        for item in items:
            if item.prompt_id == prompt_id:
                return _queued(item, status, profile)
    return None


def _created(job: Mapping[str, Any]) -> int:
    return int(job.get("create_time", 0))


def _duration(job: Mapping[str, Any]) -> int:
    start, end = job.get("execution_start_time", 0), job.get("execution_end_time", 0)
    return int(end - start) if start and end else 0


def _pruned(job: dict[str, Any], profile: Profile) -> dict[str, Any]:
    if not profile.previewable_count:
        job.pop("previewable_outputs_count")
    return {key: value for key, value in job.items() if value is not None}


def _origin(extra_data: dict[str, Any]) -> tuple[int | None, str | None]:
    workflow = extra_data.get("extra_pnginfo", {}).get("workflow", {})
    return extra_data.get("create_time"), workflow.get("id")


def _queued(item: Item, status: str, profile: Profile) -> dict[str, Any]:
    create_time, workflow_id = _origin(item.extra_data)
    job = {
        "id": item.prompt_id,
        "status": status,
        "priority": item.number,
        "create_time": create_time,
        "outputs_count": 0,
        "previewable_outputs_count": 0,
        "workflow_id": workflow_id,
    }
    return _pruned(job, profile)


def _finished(prompt_id: str, entry: dict[str, Any], profile: Profile) -> dict[str, Any]:
    number, _, _, extra_data, _ = entry["prompt"]
    create_time, workflow_id = _origin(extra_data)
    events: dict[str, Any] = dict(entry["status"]["messages"])
    ends = [data["timestamp"] for event, data in events.items() if event in ENDED]
    count, previewable, preview = counted(entry["outputs"])
    job = {
        "id": prompt_id,
        "status": _status(entry["status"], events, profile),
        "priority": number,
        "create_time": create_time,
        "execution_start_time": events.get("execution_start", {}).get("timestamp"),
        "execution_end_time": ends[-1] if ends else None,
        "execution_error": events.get("execution_error"),
        "outputs_count": count,
        "previewable_outputs_count": previewable,
        "preview_output": preview,
        "workflow_id": workflow_id,
    }
    return _pruned(job, profile)


def _status(status: Mapping[str, Any], events: Collection[str], profile: Profile) -> str:
    if status["status_str"] == "success":
        return "completed"
    stopped = "execution_interrupted" in events and profile.cancelled_status
    return "cancelled" if stopped else "failed"


def _whole(prompt_id: str, entry: dict[str, Any], profile: Profile) -> dict[str, Any]:
    _, _, prompt, extra_data, _ = entry["prompt"]
    return _finished(prompt_id, entry, profile) | {
        "outputs": normalised(entry["outputs"]),
        "execution_status": entry["status"],
        "workflow": {"prompt": prompt, "extra_data": extra_data},
    }
