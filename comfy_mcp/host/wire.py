"""What is read from ComfyUI's answers, as pydantic models: unknown keys are left alone.

Shapes were measured on 0.3.64 and 0.33.0; see the embedded host for both.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from comfy_mcp.host.finite import finite

__all__ = [
    "Accepted",
    "Cancelled",
    "Extra",
    "HistoryEntry",
    "HistoryStatus",
    "JobDetail",
    "JobItem",
    "JobList",
    "Log",
    "NodeErrors",
    "Queue",
    "QueueDepth",
    "Refusal",
    "SystemStats",
    "says_no_such_job",
]


_SECONDS = 1e11
"""Below, a time of our days is in seconds."""


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class NodeFault(_Answer):
    """One reason why a node was refused."""

    type: str = ""
    message: str = ""
    details: str = ""
    extra_info: dict[str, Any] = Field(default_factory=dict[str, Any])


class NodeErrors(_Answer):
    """All that was wrong with one node."""

    errors: tuple[NodeFault, ...] = ()
    class_type: str = ""


class Accepted(_Answer):
    """Answer 200 of POST /prompt; *node_errors* may name outputs that were dropped."""

    prompt_id: str
    number: float = 0
    node_errors: dict[str, NodeErrors] = Field(default_factory=dict[str, NodeErrors])


class ErrorText(_Answer):
    """The error object of a refusal."""

    type: str = ""
    message: str = ""
    details: str = ""
    extra_info: dict[str, Any] = Field(default_factory=dict[str, Any])


class Refusal(_Answer):
    """Answer 400 of POST /prompt; old versions send *node_errors* as an empty list."""

    error: ErrorText
    node_errors: dict[str, NodeErrors] | list[Any] = Field(default_factory=dict[str, NodeErrors])


class _QueueInfo(_Answer):
    queue_remaining: int


class QueueDepth(_Answer):
    """``GET /prompt``: jobs that run and wait."""

    exec_info: _QueueInfo


class Extra(_Answer):
    """What is read of a job's extra_data; all else, such as whole workflows, is passed over."""

    create_time: Any = None
    comfy_mcp_guard: Any = None


_Part = Annotated[Extra | Any, Field(union_mode="left_to_right")]
"""A part of a queue's item. Objects are read as `Extra`: graphs of megabytes make no objects."""


class Queue(_Answer):
    """GET /queue: items are ``[number, prompt_id, graph, extra_data, outputs]``, in heap order."""

    queue_running: list[list[_Part]]
    queue_pending: list[list[_Part]]


class HistoryStatus(_Answer):
    """*messages* are ``[event, data]`` pairs and say more than *status_str*."""

    status_str: str = ""
    completed: bool = False
    messages: list[tuple[str, dict[str, Any]]] = Field(
        default_factory=list[tuple[str, dict[str, Any]]]
    )


class HistoryEntry(_Answer):
    """One finished job of GET /history/{id}; *prompt* is as an item of the queue."""

    prompt: list[Any] = Field(default_factory=list[Any])

    outputs: dict[str, Any] = Field(default_factory=dict[str, Any])
    status: HistoryStatus | None = None


class JobItem(_Answer):
    """GET /api/jobs/{id}; the light form (lists, unfinished jobs) has no outputs and no status."""

    id: str
    status: str
    priority: float | None = None
    create_time: float | None = None
    outputs: dict[str, Any] = Field(default_factory=dict[str, Any])
    execution_status: HistoryStatus | None = None
    execution_error: dict[str, Any] | None = None

    @property
    def created_ms(self) -> int | None:
        """When it came, if that was told and is a time; Comfy Cloud tells seconds."""
        time = finite(self.create_time)
        if time is None:
            return None
        return int(time * 1000 if abs(time) < _SECONDS else time)


class JobDetail(_Answer):
    """GET /api/jobs/{id} as far as what came with the job: *workflow* has prompt and extra_data."""

    id: str
    workflow: dict[str, Any] = Field(default_factory=dict[str, Any])


class Page(_Answer):
    """Which part of all jobs a list is."""

    has_more: bool = False


class JobList(_Answer):
    """GET /api/jobs."""

    jobs: tuple[JobItem, ...]
    pagination: Page = Page()


class Cancelled(_Answer):
    """POST /api/jobs/{id}/cancel: true means dispatched, not stopped."""

    cancelled: bool


class LogEntry(_Answer):
    """A piece of the log, not always a whole line."""

    m: str = ""


class Log(_Answer):
    """GET /internal/logs/raw: the last 300 pieces."""

    entries: tuple[LogEntry, ...]


class SystemPart(_Answer):
    """The system object of GET /system_stats; sizes in bytes."""

    comfyui_version: str = ""
    cloud_version: str | None = None
    ram_total: Any = None
    ram_free: Any = None


class SystemStats(_Answer):
    """GET /system_stats."""

    system: SystemPart
    devices: list[dict[str, Any]] = Field(default_factory=list[dict[str, Any]])


class _NoSuchJob(_Answer):
    """Answer 404 of GET /api/jobs/{id}: ComfyUI's own, or Comfy Cloud's."""

    error: str = ""
    code: str = ""
    message: str = ""


def says_no_such_job(body: bytes, *, cloud: bool) -> bool:
    """Whether a 404 is the host's own word on a job: gateways have theirs, about routes."""
    try:
        said = _NoSuchJob.model_validate_json(body)
    except ValidationError:
        return False
    return bool(said.code and said.message) if cloud else said.error == "Job not found"
