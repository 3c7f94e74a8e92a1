"""edit_workflow: a graph, changed step by step."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from comfy_mcp.errors import WorkflowError
from comfy_mcp.tools.app import App, Caller

__all__ = ["edit_workflow"]


class Unbuilt(BaseModel):
    """Nothing yet."""

    model_config = ConfigDict(frozen=True)


async def edit_workflow(
    app: App,
    caller: Caller,
    *,
    workflow: dict[str, Any],
    operations: list[dict[str, Any]],
) -> Unbuilt:
    """Change an API-format graph, or build one from nothing ({}); the result is checked."""
    raise WorkflowError("not built")
