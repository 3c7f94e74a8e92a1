"""Folders that an operator opens for reading or writing; no path leads out of them."""

from __future__ import annotations

from comfy_mcp.roots.ledger import Ledger
from comfy_mcp.roots.names import shown
from comfy_mcp.roots.roots import Opened, Place, Roots, is_folder, reading
from comfy_mcp.roots.writing import Put, Written, must_be_shown, put

__all__ = [
    "Ledger",
    "Opened",
    "Place",
    "Put",
    "Roots",
    "Written",
    "is_folder",
    "must_be_shown",
    "put",
    "reading",
    "shown",
]
