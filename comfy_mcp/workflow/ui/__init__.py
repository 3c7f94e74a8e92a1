"""Workflows as the ComfyUI editor saves them, turned into what ``POST /prompt`` takes. Pure."""

from __future__ import annotations

from comfy_mcp.workflow.ui.convert import Converted, classes_of, converted, is_ui

__all__ = ["Converted", "classes_of", "converted", "is_ui"]
