"""Workflows as the ComfyUI editor saves them, turned into what ``POST /prompt`` takes. Pure."""

from __future__ import annotations

from comfy_mcp.workflow.ui.about import About, ModelFile, about
from comfy_mcp.workflow.ui.convert import Converted, classes_of, converted, is_ui

__all__ = ["About", "Converted", "ModelFile", "about", "classes_of", "converted", "is_ui"]
