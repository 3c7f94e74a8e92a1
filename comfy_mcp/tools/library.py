"""list_workflows, describe_workflow, save_workflow and delete_workflow: what can be run by name."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from comfy_mcp.errors import WorkflowError
from comfy_mcp.tools.app import App, Caller

__all__ = ["list_workflows", "describe_workflow", "save_workflow", "delete_workflow"]


class Unbuilt(BaseModel):
    """Nothing yet."""

    model_config = ConfigDict(frozen=True)


async def list_workflows(
    app: App,
    caller: Caller,
    *,
    query: str = "",
    limit: int = 20,
    cursor: str | None = None,
) -> Unbuilt:
    """Workflows that can be run by name, best match first."""
    raise WorkflowError("not built")


async def describe_workflow(
    app: App,
    caller: Caller,
    *,
    name: str,
) -> Unbuilt:
    """What a workflow takes, as JSON Schema with what this ComfyUI offers now, and what it lacks."""
    raise WorkflowError("not built")


async def save_workflow(
    app: App,
    caller: Caller,
    *,
    name: str,
    workflow: dict[str, Any],
    parameters: list[dict[str, Any]] | None = None,
) -> Unbuilt:
    """Keep a graph under a name."""
    raise WorkflowError("not built")


async def delete_workflow(
    app: App,
    caller: Caller,
    *,
    name: str,
) -> Unbuilt:
    """Delete a workflow that you saved."""
    raise WorkflowError("not built")
