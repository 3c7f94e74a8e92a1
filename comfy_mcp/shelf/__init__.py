"""All workflows that can be run by name: those on disk, and those that ComfyUI keeps."""

from __future__ import annotations

from comfy_mcp.shelf.describing import Described, described
from comfy_mcp.shelf.found import Found
from comfy_mcp.shelf.keeping import to_save
from comfy_mcp.shelf.listing import Entry, ListedWorkflow, WorkflowPage, page_of, ranked
from comfy_mcp.shelf.parameters import json_schema
from comfy_mcp.shelf.shelf import Shelf

__all__ = [
    "Described",
    "Entry",
    "Found",
    "ListedWorkflow",
    "Shelf",
    "WorkflowPage",
    "described",
    "json_schema",
    "page_of",
    "ranked",
    "to_save",
]
