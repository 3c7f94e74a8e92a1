"""The ComfyUI host: its REST API (*client*), its websocket (*stream*), and what both mean.

This page imports only what is light: a server must answer its first request before it pays for an
HTTP client.
"""

from __future__ import annotations

from comfy_mcp.host.events import (
    Closed,
    Event,
    NodeProgress,
    NodesState,
    QueueChanged,
    Started,
    meaning,
)
from comfy_mcp.host.sighting import (
    Absent,
    Ended,
    NodeFailure,
    OutputFile,
    Pending,
    Running,
    Sighting,
)

__all__ = [
    "Absent",
    "Closed",
    "Ended",
    "Event",
    "NodeFailure",
    "NodeProgress",
    "NodesState",
    "OutputFile",
    "Pending",
    "QueueChanged",
    "Running",
    "Sighting",
    "Started",
    "meaning",
]
