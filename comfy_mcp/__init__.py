"""comfy-mcp-guard: ComfyUI for AI agents, with its owner in charge."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
