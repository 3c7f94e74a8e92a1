"""Who decides what the policy wants a person for, in words."""

from __future__ import annotations

from collections.abc import Mapping

from comfy_mcp.guard.question import Asking
from comfy_mcp.oversight.gauge import duration

__all__ = ["CHANNELS", "asked_whom"]

CHANNELS: Mapping[str, str] = {
    "operator": "on the terminal or the console's page",
    "elicitation": "asked by the agent's own client",
    "any": "asked by the agent's own client if it can ask, else on the terminal or the console's"
    " page",
}
"""Where each channel's question is answered."""


def asked_whom(asking: Asking) -> str:
    """Where it is decided, and how long question and answer hold."""
    return f"{CHANNELS[asking.channel]}, within {duration(asking.lives_ms)}"
