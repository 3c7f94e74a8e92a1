"""The live view of ``approvals watch``: a table that is drawn anew in its place."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from pathlib import Path

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from comfy_mcp.cli.approvals_shown import named, news_line
from comfy_mcp.cli.screen import one_line
from comfy_mcp.oversight.gauge import duration
from comfy_mcp.oversight.glance import summary
from comfy_mcp.oversight.state import now_ms
from comfy_mcp.oversight.watching import Watcher
from comfy_mcp.quoting import plain
from comfy_mcp.store.asked import ApprovalRow

__all__ = ["live", "picture"]

FRESH_MS = 10_000
"""How long a request counts as new."""

SOON_MS = 60_000
"""So little time left that it is worth a colour."""

SHOWN = 20
"""Requests in the table."""

LATEST = 5
"""Decisions below it."""

HEADINGS = ("", "id", "left", "from", "what")


async def live(console: Console, watcher: Watcher, folder: Path, look_seconds: float) -> None:
    """Draw what waits until this is cancelled; then the cursor is given back.

    Raises:
        StateError: the state cannot be read.
    """
    latest: deque[str] = deque(maxlen=LATEST)
    hint = f"All about one: {named(folder, 'show', 'ID')}"
    with Live(console=console, auto_refresh=False) as view:
        while True:
            at_ms = now_ms()
            seen = await watcher.look(at_ms)
            done = [one for one in seen.news if one.what not in {"waits", "asked"}]
            latest.extend(news_line(one, at_ms) for one in done)
            view.update(picture(seen.pending, latest, hint, at_ms), refresh=True)
            await asyncio.sleep(look_seconds)


def picture(
    pending: tuple[ApprovalRow, ...], latest: Iterable[str], hint: str, at_ms: int
) -> RenderableType:
    """Title, table, the *latest* news, each cut to one line, and the *hint*."""
    more = len(pending) - SHOWN
    notes = [f"and {more} more"] if more > 0 else []
    parts: list[RenderableType] = [Text(_title(len(pending)), "bold")]
    parts += [_table(pending[:SHOWN], at_ms)] if pending else []
    for note in (*notes, *latest):
        # A word of an agent at the margin could be taken for a line of ours.
        parts.append(Text(one_line(note), "dim", no_wrap=True, overflow="ellipsis"))
    return Group(*parts, Text(hint, "dim", overflow="fold"))


def _title(count: int) -> str:
    waits = {0: "Nothing waits for you.", 1: "1 request waits for you."}
    return f"{waits.get(count, f'{count} requests wait for you.')} Ctrl-C ends this view."


def _table(pending: tuple[ApprovalRow, ...], at_ms: int) -> Table:
    made = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for heading in HEADINGS[:-1]:
        made.add_column(heading, no_wrap=True)
    made.add_column(HEADINGS[-1], overflow="fold")
    for row in pending:
        fresh = at_ms - row.created_ms < FRESH_MS
        left_ms = max(0, row.expires_ms - at_ms)
        cells = (plain(row.approval_id), duration(left_ms), plain(row.grant, 24), summary(row))
        style = "bold yellow" if left_ms < SOON_MS else "bold" if fresh else ""
        made.add_row(
            Text("NEW" if fresh else "", "bold green"),
            *(Text(one_line(cell), style) for cell in cells),
        )
    return made
