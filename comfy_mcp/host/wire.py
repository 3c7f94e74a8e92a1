"""What is read from ComfyUI's answers, as pydantic models: unknown keys are left alone.

Shapes were measured on 0.3.64 and 0.33.0; see the embedded host for both.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "Accepted",
    "Cancelled",
    "HistoryEntry",
    "HistoryStatus",
    "JobItem",
    "JobList",
    "NodeErrors",
    "Queue",
    "QueueDepth",
    "Refusal",
    "SystemStats",
]


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


class Queue(_Answer):
    """GET /queue: items are ``[number, prompt_id, graph, extra_data, outputs]``, in heap order."""

    queue_running: list[list[Any]]
    queue_pending: list[list[Any]]


class HistoryStatus(_Answer):
    """*messages* are ``[event, data]`` pairs and say more than *status_str*."""

    status_str: str = ""
    completed: bool = False
    messages: list[tuple[str, dict[str, Any]]] = Field(
        default_factory=list[tuple[str, dict[str, Any]]]
    )


class HistoryEntry(_Answer):
    """One finished job of GET /history/{id}."""

    outputs: dict[str, Any] = Field(default_factory=dict[str, Any])
    status: HistoryStatus | None = None


class JobItem(_Answer):
    """GET /api/jobs/{id}; the light form (lists, unfinished jobs) leaves the last three out."""

    id: str
    status: str
    priority: float = 0
    create_time: float | None = None
    outputs: dict[str, Any] = Field(default_factory=dict[str, Any])
    execution_status: HistoryStatus | None = None


class JobList(_Answer):
    """GET /api/jobs."""

    jobs: tuple[JobItem, ...]


class Cancelled(_Answer):
    """POST /api/jobs/{id}/cancel: true means dispatched, not stopped."""

    cancelled: bool


class SystemPart(_Answer):
    """The system object of GET /system_stats."""

    comfyui_version: str = ""


class SystemStats(_Answer):
    """GET /system_stats."""

    system: SystemPart
    devices: list[dict[str, Any]] = Field(default_factory=list[dict[str, Any]])
