"""Nodes that only the editor knows: ComfyUI never sees them."""

from __future__ import annotations

from collections.abc import Container

from comfy_mcp.workflow.ui.promoting import PRIMITIVE

__all__ = ["GET", "REROUTES", "SET", "is_virtual", "needs_host"]

GET, SET = "GetNode", "SetNode"
"""A value by name instead of a link, of a widespread extension of the editor."""

REROUTES = frozenset({"Reroute", "Reroute (rgthree)"})

_EDITOR = frozenset({"Note", "MarkdownNote", "Reroute", PRIMITIVE})
_EXTENSIONS = frozenset(
    {
        *(
            GET,
            SET,
            "Reroute (rgthree)",
            "Note Plus (mtb)",
            "Label (rgthree)",
            "Bookmark (rgthree)",
        ),
        *("Fast Groups Muter (rgthree)", "Fast Groups Bypasser (rgthree)", "Fast Muter (rgthree)"),
        *("Fast Bypasser (rgthree)", "Mute / Bypass Relay (rgthree)", "Random Unmuter (rgthree)"),
        *("Mute / Bypass Repeater (rgthree)", "Node Collector (rgthree)"),
        "Fast Actions Button (rgthree)",
    }
)
"""Of extensions of the editor, unless the host has a class of that name."""


def is_virtual(kind: str, host: Container[str]) -> bool:
    """Whether a node of the type *kind* is the editor's alone; *host*: the classes that it has."""
    return kind in _EDITOR or (kind in _EXTENSIONS and kind not in host)


def needs_host(kind: str) -> bool:
    """Whether only the host can say what a node of the type *kind* is."""
    return kind not in _EDITOR
