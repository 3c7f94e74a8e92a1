"""Words in, exit status out."""

from __future__ import annotations

from comfy_mcp.cli.main import run

__all__ = ["run"]
