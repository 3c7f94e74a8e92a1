"""A small, honest ComfyUI-compatible host: runs on any machine, for trying out and for tests."""

from __future__ import annotations

from comfy_mcp.embedded.faults import BadAnswer, Faults
from comfy_mcp.embedded.host import CLOUD_KEY, EmbeddedHost, Seen
from comfy_mcp.embedded.profiles import PROFILES, Profile

__all__ = ["CLOUD_KEY", "PROFILES", "BadAnswer", "EmbeddedHost", "Faults", "Profile", "Seen"]
