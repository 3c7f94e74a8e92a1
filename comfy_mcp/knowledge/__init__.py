"""What an agent has to know of nodes and models: found, ranked, described, never all at once."""

from __future__ import annotations

from comfy_mcp.knowledge.known import Knowledge

__all__ = ["Knowledge"]
