"""Long lists in pages: a cursor is how many have been shown, since the order is always the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from comfy_mcp.errors import WorkflowError

__all__ = ["page", "read_cursor"]

Item = TypeVar("Item")

MOST_DIGITS = 7

ROOM = 17_000
"""Characters of the items of one page, whatever they are called."""


def page(
    items: Sequence[Item], begin: int, limit: int, size: Callable[[Item], int]
) -> tuple[list[Item], str | None]:
    """At most *limit* of *items* from number *begin* on, and the cursor of the next page."""
    shown: list[Item] = []
    room = ROOM
    for item in items[begin : begin + limit]:
        room -= size(item)
        if room < 0 and shown:
            break
        shown.append(item)
    end = begin + len(shown)
    return shown, str(end) if end < len(items) else None


def read_cursor(cursor: str | None) -> int:
    """How many items the pages before have shown.

    Raises:
        WorkflowError: it is no cursor of ours.
    """
    if not cursor:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= MOST_DIGITS):
        raise WorkflowError("That is no next_cursor of this tool: leave cursor out to begin anew.")
    return int(cursor)
