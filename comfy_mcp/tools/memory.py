"""free_memory: models out of the GPU's memory."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from comfy_mcp.errors import WorkflowError
from comfy_mcp.tools.app import App, Caller

__all__ = ["free_memory"]


class Unbuilt(BaseModel):
    """Nothing yet."""

    model_config = ConfigDict(frozen=True)


async def free_memory(
    app: App,
    caller: Caller,
    *,
    unload_models: bool = True,
) -> Unbuilt:
    """Have ComfyUI unload models and give memory back, after the job that runs."""
    raise WorkflowError("not built")
