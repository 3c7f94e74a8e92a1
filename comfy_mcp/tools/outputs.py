"""list_outputs and get_provenance: what came of all jobs, and how."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from comfy_mcp.errors import WorkflowError
from comfy_mcp.tools.app import App, Caller

__all__ = ["list_outputs", "get_provenance"]


class Unbuilt(BaseModel):
    """Nothing yet."""

    model_config = ConfigDict(frozen=True)


async def list_outputs(
    app: App,
    caller: Caller,
    *,
    limit: int = 20,
) -> Unbuilt:
    """Outputs of your jobs, newest first."""
    raise WorkflowError("not built")


async def get_provenance(
    app: App,
    caller: Caller,
    *,
    uri: str,
) -> Unbuilt:
    """How an output was made: graph, parameters, seed, models, host."""
    raise WorkflowError("not built")
