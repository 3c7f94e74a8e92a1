"""Workflows on disk, by name: those shipped with this package, the operator's, and saved ones."""

from __future__ import annotations

from comfy_mcp.library.folders import Library, LibraryWorkflow, shipped_folder

__all__ = ["Library", "LibraryWorkflow", "shipped_folder"]
