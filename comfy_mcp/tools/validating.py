"""validate_workflow: what would become of a run, without running it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from comfy_mcp.errors import WorkflowError
from comfy_mcp.tools.app import App, Caller

__all__ = ["validate_workflow"]


class Unbuilt(BaseModel):
    """Nothing yet."""

    model_config = ConfigDict(frozen=True)


async def validate_workflow(
    app: App,
    caller: Caller,
    *,
    workflow: str | dict[str, Any],
    params: dict[str, Any] = {},
) -> Unbuilt:
    """Check a run against ComfyUI's nodes and the policy; nothing is queued."""
    raise WorkflowError("not built")
