"""What the page asks for beside its stream: the audit trail, one request as a whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import anyio
from aiohttp import web

from comfy_mcp.console import trail_page
from comfy_mcp.console.answers import Refusal, values
from comfy_mcp.console.parts import Parts
from comfy_mcp.console.routes import Ask
from comfy_mcp.console.security import QUERY
from comfy_mcp.oversight.object import as_object
from comfy_mcp.quoting import bounded
from comfy_mcp.store.protocol import ApprovalRow

__all__ = ["Views", "found"]

LARGEST = 2**53
MOST_NODES = 1_000
MOST_VALUE = 2_000
DEPTH = 6
MOST_GRAPH = 2 * 1024 * 1024
"""Bytes of a graph that is shown."""

LONGEST = 200
"""Characters of a filter."""

FILTERS = ("q", "grant", "tool", "code")


class Views:
    """Answers that change nothing."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def audit(self, ask: Ask) -> web.StreamResponse:
        """A page of the audit trail; empty where there is no state."""
        query = _query(ask, *FILTERS, "before", "count")
        wanted = trail_page.Wanted(**{key: query.get(key, "") for key in FILTERS})
        before = _whole(query, "before", LARGEST) if "before" in query else None
        count = _whole(query, "count", trail_page.MOST) if "count" in query else 50
        if await self._parts.missing() is not None:
            return values({"rows": [], "next": None})
        return values(await trail_page.page(self._parts.store, wanted, before, count))

    async def approval(self, ask: Ask) -> web.StreamResponse:
        """One request with all that the agent wrote, and the graph it would run."""
        _query(ask)
        # An agent may have written much.
        async with self._parts.turn:
            row = await found(self._parts, ask.parts["id"])
            return await anyio.to_thread.run_sync(_whole_request, row, self._parts.now_ms())


async def found(parts: Parts, approval_id: str) -> ApprovalRow:
    """The request.

    Raises:
        Refusal: there is none.
        StateError: the state cannot be read.
    """
    await parts.need_state()
    row = await parts.store.approval(approval_id, parts.now_ms())
    if row is None:
        raise Refusal(404, f"There is no request {approval_id}.", "Look at the list again.")
    return row


def _whole_request(row: ApprovalRow, now_ms: int) -> web.Response:
    return values({**as_object(row, now_ms, full=True), "graph": _graph(row.payload)})


def _graph(payload: Mapping[str, Any]) -> Any:
    """The graph with clean texts of bounded length; None where there is none, or far too much."""
    graph = payload.get("graph")
    if graph is None:
        return None
    shown = bounded(graph, MOST_VALUE, MOST_NODES, DEPTH)
    return shown if len(json.dumps(shown)) <= MOST_GRAPH else None


def _query(ask: Ask, *known: str) -> dict[str, str]:
    given = ask.request.query
    # The page's token has been looked at.
    names = [name for name in given if name != QUERY]
    for name in names:
        if name not in known or len(given.getall(name)) > 1 or len(given[name]) > LONGEST:
            raise Refusal(400, f"{name[:40]!r} cannot be asked for like that.", "Ask for less.")
    return {name: given[name] for name in names}


def _whole(query: Mapping[str, str], name: str, most: int) -> int:
    text = query[name]
    if not (text.isascii() and text.isdecimal() and len(text) < len(str(LARGEST)) + 1):
        raise Refusal(400, f"{name} has to be a whole number.", "Load the page again.")
    if not 1 <= int(text) <= most:
        raise Refusal(400, f"{name} has to be 1 to {most}.", "Load the page again.")
    return int(text)
