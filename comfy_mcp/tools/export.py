"""export_output: an output as a file on this machine."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from comfy_mcp.errors import WorkflowError
from comfy_mcp.tools.app import App, Caller

__all__ = ["export_output"]


class Unbuilt(BaseModel):
    """Nothing yet."""

    model_config = ConfigDict(frozen=True)


async def export_output(
    app: App,
    caller: Caller,
    *,
    uri: str,
    to: str,
) -> Unbuilt:
    """Write an output into a folder that the operator opened."""
    raise WorkflowError("not built")
