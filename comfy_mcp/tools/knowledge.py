"""search_nodes, describe_node and list_models: what this ComfyUI can do."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from comfy_mcp.errors import WorkflowError
from comfy_mcp.tools.app import App, Caller

__all__ = ["search_nodes", "describe_node", "list_models"]


class Unbuilt(BaseModel):
    """Nothing yet."""

    model_config = ConfigDict(frozen=True)


async def search_nodes(
    app: App,
    caller: Caller,
    *,
    query: str = "",
) -> Unbuilt:
    """Find node classes."""
    raise WorkflowError("not built")


async def describe_node(
    app: App,
    caller: Caller,
    *,
    class_type: str,
) -> Unbuilt:
    """What a node class takes and gives."""
    raise WorkflowError("not built")


async def list_models(
    app: App,
    caller: Caller,
    *,
    folder: str | None = None,
    query: str = "",
) -> Unbuilt:
    """Models that ComfyUI has."""
    raise WorkflowError("not built")
