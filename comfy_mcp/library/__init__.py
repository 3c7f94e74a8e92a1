"""Workflows on disk, by name: those shipped with this package, the operator's, and saved ones."""

from __future__ import annotations

from comfy_mcp.library.folders import Library, LibraryWorkflow, shipped_folder
from comfy_mcp.library.names import Source, source_of
from comfy_mcp.library.reading import Draft, drafted, parts_of, read_draft, with_parameters
from comfy_mcp.library.saved import Done, SavedEntry, SavedWorkflow, SavedWorkflows

__all__ = [
    "Done",
    "Draft",
    "Library",
    "LibraryWorkflow",
    "SavedEntry",
    "SavedWorkflow",
    "SavedWorkflows",
    "Source",
    "drafted",
    "parts_of",
    "read_draft",
    "shipped_folder",
    "source_of",
    "with_parameters",
]
