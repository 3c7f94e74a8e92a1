"""upload_input: a file for nodes to load."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from comfy_mcp.errors import WorkflowError
from comfy_mcp.tools.app import App, Caller

__all__ = ["upload_input"]


class Unbuilt(BaseModel):
    """Nothing yet."""

    model_config = ConfigDict(frozen=True)


async def upload_input(
    app: App,
    caller: Caller,
    *,
    source: str,
    name: str | None = None,
) -> Unbuilt:
    """Give ComfyUI a picture, mask, sound or video to load."""
    raise WorkflowError("not built")
