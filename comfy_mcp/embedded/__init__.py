"""A small, honest ComfyUI-compatible host: runs on any machine, for trying out and for tests."""

from __future__ import annotations

from comfy_mcp.embedded.faults import Faults
from comfy_mcp.embedded.host import EmbeddedHost, Seen
from comfy_mcp.embedded.profiles import PROFILES, Profile

__all__ = ["PROFILES", "EmbeddedHost", "Faults", "Profile", "Seen"]
