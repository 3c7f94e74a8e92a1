"""A job as callers see it; the models are the output schema of the tools."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from comfy_mcp.outputs import Output

__all__ = ["DROPPED", "Job", "JobFailure", "Progress", "Status", "Timings"]

DROPPED = "ComfyUI dropped an output: "
"""How a warning of a job begins that lacks an output."""

Status = Literal["pending", "in_progress", "completed", "failed", "cancelled", "lost"]


class _Shown(BaseModel):
    model_config = ConfigDict(frozen=True)


class Progress(_Shown):
    """How far a running job is."""

    percent: Annotated[float, Field(description="0 to 100, over all nodes")]
    node_id: str | None = None
    step: int | None = None
    steps: int | None = None


class Timings(_Shown):
    """Seconds; only what is known."""

    since_submit: float | None = None
    running: Annotated[float | None, Field(description="Time on the GPU")] = None


class JobFailure(_Shown):
    """Why a job failed, in ComfyUI's words, and what to try."""

    type: str
    message: str
    node_id: str | None = None
    node_type: str | None = None
    inputs: Annotated[dict[str, str] | None, Field(description="Of that node")] = None
    hint: str | None = None


class Job(_Shown):
    """One run of a workflow."""

    prompt_id: str
    status: Status
    workflow: Annotated[str | None, Field(description="Library name, or inline")] = None
    owner: Annotated[
        Literal["mine", "other agent", "human"], Field(description="Others: status only")
    ] = "mine"
    queue_position: Annotated[int | None, Field(description="1 runs next")] = None
    progress: Progress | None = None
    timings: Timings = Timings()
    outputs: list[Output] = []
    error: JobFailure | None = None
    warnings: list[str] = []
    next: Annotated[str | None, Field(description="What to do now")] = None
