"""Everything that the page shows at one moment, as one bounded text. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from comfy_mcp.console.comfyui import ComfyUI
from comfy_mcp.console.jobs_shown import Shelf, as_objects
from comfy_mcp.console.other_policy import Judged
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.oversight import holding
from comfy_mcp.oversight.object import as_object
from comfy_mcp.oversight.standing import Standing
from comfy_mcp.store.protocol import ApprovalRow, Head

__all__ = ["Books", "Renderer", "sameness"]

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
    asked: tuple[ApprovalRow, ...] = ()
    decided: tuple[ApprovalRow, ...] = ()
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


class Renderer:
    """Makes snapshots; a request is worked out once, and again when it has moved.

    An agent may have written much: *render* is for a thread, one call at a time.
    """

    def __init__(self) -> None:
        self._told: dict[str, tuple[object, str]] = {}

    def render(
        self,
        books: Books,
        policy: Mapping[str, Any],
        comfyui: ComfyUI,
        host: ComfyHost | None,
        now_ms: int,
    ) -> bytes:
        """The snapshot as JSON."""
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
        approvals = ",".join(self._approvals(books, now_ms))
        return f'{{"approvals":[{approvals}],{_text(content)[1:]}'.encode("utf-8", "replace")

    def _approvals(self, books: Books, now_ms: int) -> list[str]:
        rows = (*books.asked, *books.decided)
        known, self._told = self._told, {}
        for row in rows:
            stands = (row.status, row.decided_ms, row.prompt_id, row.expires_ms)
            had = known.get(row.approval_id)
            if had is None or had[0] != stands:
                had = (stands, _text(_lasting(as_object(row, now_ms))))
            self._told[row.approval_id] = had
        return list(_within(MOST_BYTES, [self._told[row.approval_id][1] for row in rows]))


def _lasting(one: dict[str, Any]) -> dict[str, Any]:
    """Without what time alone changes: the page knows the times."""
    return {key: one[key] for key in one if key not in {"lines", "age_s", "expires_in_s"}}


def _within(most: int, texts: list[str]) -> Iterator[str]:
    """As many as fit, those that would not as a whole in short."""
    for text in texts:
        one = text if len(text) <= most else _text(_short(json.loads(text)))
        most -= len(one)
        if most < 0:
            return
        yield one


def _short(one: dict[str, Any]) -> dict[str, Any]:
    """Without what the agent wrote: that is shown when somebody opens it."""
    empty: dict[str, Any] = {
        "action": one["agent_words"]["action"],
        **{key: [] for key in ("values", "inputs", "args", "context")},
    }
    left = sum(len(one["agent_words"][key]) for key in ("values", "inputs", "args", "context"))
    left += one["agent_words"]["left_out"]
    return {**one, "agent_words": {**empty, "left_out": left}, "shortened": True}


def _text(content: object) -> str:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
