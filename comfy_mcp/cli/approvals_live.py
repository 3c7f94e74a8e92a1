"""The live view of ``approvals watch``: a table that is drawn anew in its place."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from comfy_mcp.cli.approvals_shown import BEGINNING, GRANT, named, news_line, what
from comfy_mcp.cli.approvals_table import drawn
from comfy_mcp.cli.screen import one_line
from comfy_mcp.oversight.beginning import beginnings
from comfy_mcp.oversight.gauge import duration
from comfy_mcp.oversight.state import now_ms
from comfy_mcp.oversight.voiding import VOID, Revisions
from comfy_mcp.oversight.watching import Watcher
from comfy_mcp.quoting import plain
from comfy_mcp.store.asked import ApprovalRow
from comfy_mcp.store.protocol import Store

__all__ = ["live", "picture"]

FRESH_MS = 10_000
"""How long a request counts as new."""

SOON_MS = 60_000
"""So little time left that it is worth a colour."""

SHOWN = 20
"""Requests in the table, on a high screen."""

AROUND, EACH = 9, 3
"""Lines around the table, and those that a request takes at most, but for a narrow screen."""

LATEST = 5
"""Decisions below it."""

HEADINGS = ("", "id", "left", "from")


async def live(
    console: Console, watcher: Watcher, store: Store, folder: Path, *, look_seconds: float
) -> None:
    """Draw what waits until this is cancelled; then the cursor is given back.

    Raises:
        StateError: the state cannot be read.
    """
    latest: deque[str] = deque(maxlen=LATEST)
    told: dict[str, str] = {}
    revisions = Revisions()
    hint = f"All about one: {named(folder, 'show', 'ID')}"
    with Live(console=console, auto_refresh=False) as view:
        while True:
            at_ms = now_ms()
            seen = await watcher.look(at_ms)
            done = [one for one in seen.news if one.what not in {"waits", "asked"}]
            latest.extend(news_line(one, at_ms) for one in done)
            void = await asyncio.to_thread(revisions.void, seen.pending)
            most = max(1, min(SHOWN, (console.height - AROUND) // EACH))
            # An agent may have written much, and what waits does not change.
            new = [row for row in seen.pending[:most] if row.approval_id not in told]
            starts = await beginnings(store, new, at_ms, BEGINNING)
            told |= {one.approval_id: what(one, starts.get(one.approval_id, "")) for one in new}
            told = {one.approval_id: told[one.approval_id] for one in seen.pending[:most]}
            view.update(picture(seen.pending, told, latest, hint, at_ms, void=void), refresh=True)
            await asyncio.sleep(look_seconds)


def picture(
    pending: tuple[ApprovalRow, ...],
    told: Mapping[str, str],
    latest: Iterable[str],
    hint: str,
    at_ms: int,
    *,
    void: frozenset[str],
) -> RenderableType:
    """Title, table, the *latest* news, each cut to one line, and the *hint*.

    *told* has what is asked by those in the table, by their ids; *void* are the ids of requests
    that an edit of the policy made void.
    """
    shown = [row for row in pending if row.approval_id in told]
    more = len(pending) - len(shown)
    notes = [f"and {more} more"] if more > 0 else []
    parts: list[RenderableType] = [Text(_title(len(pending)), "bold")]
    parts += _table(shown, told, at_ms, void) if shown else []
    notes += [VOID] if any(row.approval_id in void for row in shown) else []
    for note in (*notes, *latest):
        # A word of an agent at the margin could be taken for a line of ours.
        parts.append(Text(one_line(note), "dim", no_wrap=True, overflow="ellipsis"))
    return Group(*parts, Text(hint, "dim", overflow="fold"))


def _title(count: int) -> str:
    waits = {0: "Nothing waits for you.", 1: "1 request waits for you."}
    return f"{waits.get(count, f'{count} requests wait for you.')} Ctrl-C ends this view."


def _table(
    shown: list[ApprovalRow], told: Mapping[str, str], at_ms: int, void: frozenset[str]
) -> list[RenderableType]:
    rows: list[tuple[str, ...]] = []
    styles: list[str] = []
    for row in shown:
        left_ms = max(0, row.expires_ms - at_ms)
        fresh = at_ms - row.created_ms < FRESH_MS
        is_void = row.approval_id in void
        left = "void" if is_void else duration(left_ms)
        mark = "NEW" if fresh else ""
        words = told[row.approval_id]
        rows.append((mark, plain(row.approval_id), left, plain(row.grant, GRANT), words))
        style = "bold yellow" if left_ms < SOON_MS else "bold" if fresh else ""
        styles.append("dim" if is_void else style)
    return list(drawn(HEADINGS, rows, styles))
