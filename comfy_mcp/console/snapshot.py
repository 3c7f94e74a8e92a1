"""Everything that the page shows at one moment, as one bounded text. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from comfy_mcp.console.cards import Card, as_text
from comfy_mcp.console.comfyui import ComfyUI
from comfy_mcp.console.jobs_shown import Shelf, as_objects
from comfy_mcp.console.other_policy import Judged
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.oversight import holding
from comfy_mcp.oversight.standing import Standing
from comfy_mcp.store.protocol import Head

__all__ = ["Books", "rendered", "sameness"]

MOST_BYTES = 2 * 1024 * 1024
"""Of all requests together; what would go beyond comes in short."""

MOST_BARS = 200
"""Limits that are shown, and slots, and freezes."""


@dataclass(frozen=True, slots=True)
class Books:
    """What the state says: *words* is why it says nothing, else empty.

    *asked* are requests that wait, *decided* the last others, newest first; *mark* is what differs
    when any of them does. *grants* are callers that are known by name, *judged* is the last call
    that a server judged.
    """

    words: str = ""
    head: Head | None = None
    asked: tuple[Card, ...] = ()
    decided: tuple[Card, ...] = ()
    mark: tuple[int, int] | None = None
    standing: Standing = field(default_factory=Standing)
    shelf: Shelf = field(default_factory=Shelf)
    grants: tuple[str, ...] = ()
    judged: Judged | None = None


def sameness(books: Books) -> object:
    """What has to differ for the page to look different: not how long until there is room."""
    gauges = tuple(
        (one.holder, one.limit.rule, one.limit.counter, one.limit.most, one.use.used)
        for one in books.standing.gauges
    )
    slots = tuple((cap, use.used) for cap, use in books.standing.slots)
    cooling = tuple(grant for grant, _ in books.standing.cooling)
    plain = replace(books, head=None, standing=Standing())
    return (plain, gauges, slots, cooling, books.standing.freezes)


def rendered(
    books: Books,
    policy: Mapping[str, Any],
    comfyui: ComfyUI,
    host: ComfyHost | None,
    now_ms: int,
) -> bytes:
    """The snapshot as JSON; for a thread: there may be much to be put together."""
    held = holding.as_object(books.standing, None)
    content = {
        "now_ms": now_ms,
        "state": {"ready": not books.words, "words": books.words},
        "jobs": [] if host is None else as_objects(books.shelf, comfyui, host, now_ms),
        "limits": held["limits"][:MOST_BARS],
        "slots": held["slots"][:MOST_BARS],
        "cooling": held["cooling"][:MOST_BARS],
        "freezes": held["freezes"][:MOST_BARS],
        "grants": list(books.grants[:MOST_BARS]),
        "policy": policy,
        "comfyui": comfyui.as_object(),
    }
    approvals = ",".join(_within(MOST_BYTES, (*books.asked, *books.decided)))
    return f'{{"approvals":[{approvals}],{as_text(content)[1:]}'.encode("utf-8", "replace")


def _within(most: int, cards: tuple[Card, ...]) -> Iterator[str]:
    """As many as fit, those that would not as a whole in short."""
    for card in cards:
        one = card.text if len(card.text) <= most else card.short
        most -= len(one)
        if most < 0:
            return
        yield one
