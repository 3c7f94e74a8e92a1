"""What a caller may see of a job: all of its own, of others' only how they stand."""

from __future__ import annotations

from comfy_mcp.host import Absent, Ended, OutputFile, Pending, Running, Sighting
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.jobs.hints import told
from comfy_mcp.jobs.job import DROPPED, Job, JobFailure, Progress, Status, Timings
from comfy_mcp.jobs.lost import why_lost
from comfy_mcp.jobs.record import REFUSAL, Overtime, failure_of, files_of, gpu_ms, overtime_of
from comfy_mcp.jobs.table import ends, shown
from comfy_mcp.jobs.vitals import silence_in_words
from comfy_mcp.jobs.watch import Live
from comfy_mcp.outputs import Output, describe, uri
from comfy_mcp.store.protocol import JobRow

__all__ = [
    "ELSEWHERE",
    "elsewhere",
    "from_journal",
    "from_live",
    "from_sight",
    "untold",
    "with_life",
]

ELSEWHERE = (
    "This job was submitted to another ComfyUI than the one this server works with: ask the server"
    " that it was submitted through."
)

MAX_LISTED = 20
"""Outputs in one answer: a batch of hundreds of frames would fill a model's context."""

_DEAD = JobFailure(
    type="worker_dead",
    message="ComfyUI's worker has died: it accepts jobs and works on none, so this one cannot end.",
    hint="Restart ComfyUI, or tell its owner; then run the workflow again.",
)

_REFUSED = JobFailure(
    type="refused",
    message="ComfyUI never took this job.",
    hint="The answer to the call that ran it said why.",
)


def from_journal(row: JobRow, grant: str, host: ComfyHost, now_ms: int) -> Job:
    """A job that has ended, as the journal remembers it."""
    status = "failed" if row.status == "refused" else row.status
    if row.grant != grant:
        return Job(prompt_id=row.prompt_id, status=_status(status), owner="other agent")
    files = files_of(row.result)
    return Job(
        prompt_id=row.prompt_id,
        status=_status(status),
        workflow=row.workflow,
        timings=_timings(row, now_ms),
        outputs=_outputs(row.prompt_id, files, host),
        error=_error(row),
        warnings=[*_warnings(row), *_unlisted(row.prompt_id, len(files))],
    )


def elsewhere(row: JobRow, grant: str) -> Job:
    """A job that was submitted to another ComfyUI: nothing here can look at it."""
    status = "failed" if row.status == "refused" else shown(row.status)
    job = Job(prompt_id=row.prompt_id, status=_status(status))
    if row.grant != grant:
        return job.model_copy(update={"owner": "other agent"})
    return job.model_copy(update={"workflow": row.workflow, "warnings": [ELSEWHERE]})


def untold(prompt_id: str, live: Live, why: str) -> Job:
    """A job that was submitted, when neither the journal nor ComfyUI can say more at the moment."""
    return Job(prompt_id=prompt_id, status=_status(live.status), warnings=[why])


def from_live(
    row: JobRow, grant: str, seen: Sighting | None, live: Live | None, now_ms: int
) -> Job:
    """A job that has not ended."""
    status = _sighted(seen) or (live.status if live else None) or shown(row.status)
    position = seen.position if isinstance(seen, Pending) else (live.position if live else None)
    job = Job(prompt_id=row.prompt_id, status=_status(status), queue_position=position)
    if row.grant != grant:
        return job.model_copy(update={"owner": "other agent"})
    return job.model_copy(
        update={
            "workflow": row.workflow,
            "progress": _progress(live) if status == "in_progress" else None,
            "timings": _timings(row, now_ms),
            "warnings": _warnings(row),
        }
    )


def from_sight(prompt_id: str, seen: Sighting) -> Job:
    """A job that nobody submitted through this server: it belongs to a human."""
    position = seen.position if isinstance(seen, Pending) else None
    return Job(
        prompt_id=prompt_id,
        status=_status(_sighted(seen) or "lost"),
        owner="human",
        queue_position=position,
    )


def with_life(job: Job, *, dead: bool, silence_s: float | None) -> Job:
    """*job*, unfinished, with what is known of ComfyUI's worker."""
    if dead:
        return job.model_copy(update={"error": _DEAD})
    if silence_s is None:
        return job
    return job.model_copy(update={"warnings": [*job.warnings, silence_in_words(silence_s)]})


def _outputs(prompt_id: str, files: tuple[OutputFile, ...], host: ComfyHost) -> list[Output]:
    shown = enumerate(files[:MAX_LISTED])
    return [describe(uri(prompt_id, number), file, host) for number, file in shown]


def _unlisted(prompt_id: str, count: int) -> list[str]:
    if count <= MAX_LISTED:
        return []
    last = uri(prompt_id, count - 1)
    return [f"{count} outputs; only the first {MAX_LISTED} are listed. The last is {last}."]


def _sighted(seen: Sighting | None) -> str | None:
    match seen:
        case Pending():
            return "pending"
        case Running():
            return "in_progress"
        case Ended(outcome=outcome):
            return outcome
        case Absent() | None:
            return None


def _status(text: str) -> Status:
    return text  # type: ignore[return-value]  # pyright: ignore[reportReturnType] - Job validates


def _progress(live: Live | None) -> Progress | None:
    if live is None or not live.total:
        return None
    return Progress(
        percent=live.percent,
        node_id=live.node_id,
        step=int(live.value) if live.counted else None,
        steps=int(live.most) if live.counted else None,
    )


def _timings(row: JobRow, now_ms: int) -> Timings:
    ran = gpu_ms(row.result)
    until = row.changed_ms if ends(row.status) else now_ms
    return Timings(
        since_submit=round(max(0, until - row.created_ms) / 1000, 3),
        running=None if ran is None else round(ran / 1000, 3),
    )


def _error(row: JobRow) -> JobFailure | None:
    if row.status == "lost":
        return why_lost(row)
    if row.status == "refused":
        said = row.result.get(REFUSAL)
        return _REFUSED.model_copy(update={"message": said, "hint": None}) if said else _REFUSED
    overtime = overtime_of(row.result)
    if row.status == "cancelled" and overtime is not None:
        return _overtime(overtime)
    failure = failure_of(row.result)
    return None if failure is None else told(failure)


def _overtime(why: Overtime) -> JobFailure:
    return JobFailure(
        type="overtime",
        message=f"It was stopped after {_seconds(why)} s: the policy allows no job to run longer"
        f" (rule {why.rule}).",
        hint="Ask for less: fewer steps, a smaller size, batch or number of frames.",
    )


def _warnings(row: JobRow) -> list[str]:
    dropped = [f"{DROPPED}{text}" for text in row.result.get("warnings") or ()]
    dropped += row.result.get("drawn") or ()
    unread = row.result.get("unread")
    if isinstance(unread, str):
        dropped.append(unread)
    overtime = overtime_of(row.result)
    if overtime is None or ends(row.status):
        return dropped
    stopping = (
        f"It has run longer than the {_seconds(overtime)} s that the policy allows a job"
        f" (rule {overtime.rule}) and is being stopped."
    )
    return [*dropped, stopping]


def _seconds(why: Overtime) -> str:
    return f"{why.cap_ms / 1000:g}"
