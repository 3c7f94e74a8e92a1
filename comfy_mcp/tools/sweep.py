"""run_sweep and get_sweep: many variants of one workflow, judged as a whole."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from comfy_mcp.errors import WorkflowError
from comfy_mcp.tools.app import App, Caller

__all__ = ["run_sweep", "get_sweep"]


class Unbuilt(BaseModel):
    """Nothing yet."""

    model_config = ConfigDict(frozen=True)


async def run_sweep(
    app: App,
    caller: Caller,
    *,
    workflow: str | dict[str, Any],
    params: dict[str, Any] = {},
    axes: dict[str, list[Any]] = {},
) -> Unbuilt:
    """Run variants of a workflow."""
    raise WorkflowError("not built")


async def get_sweep(
    app: App,
    caller: Caller,
    *,
    sweep_id: str,
) -> Unbuilt:
    """All runs of a sweep, in one table."""
    raise WorkflowError("not built")
