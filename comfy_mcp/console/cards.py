"""Requests to people as the page lists them: each worked out once, and again when it has moved.

An agent may have written much. So the list is read without payloads, these one at a time and each
for a moment, and no more of them in one round than a short time allows: whoever decides something
meanwhile waits for one row at most.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import anyio

from comfy_mcp.console.parts import Parts
from comfy_mcp.errors import StateError
from comfy_mcp.oversight.object import as_object
from comfy_mcp.store.asked import MOVES, PENDING
from comfy_mcp.store.protocol import ApprovalRow

__all__ = ["MOST_PAYLOAD", "Card", "Cards", "as_text"]

log = logging.getLogger(__name__)

MOST_PAYLOAD = 256 * 1024
"""Characters of JSON: what is longer is shown when somebody opens the request."""

MOST_WHOLE = 256 * 1024
"""Characters of one request in the list; one that is longer comes in short."""

MOST_ASKED = 50
MOST_DECIDED = 20
AT_ONCE = 10
"""Rows that are read at a time."""

ROUND_S = 0.3
"""So long payloads are read in one round; the others come in the next ones."""

AGAIN_S = 10.0
"""A request that could not be read is tried again after so long."""

DECIDED = frozenset(MOVES) - {PENDING}

LISTS = ("values", "inputs", "args", "context")

AGEING = frozenset({"lines", "age_s", "expires_in_s"})
"""What time alone changes: the page knows the times."""

_NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Card:
    """One request in the list: *short* and *whole* are its JSON (None: not read, or too long).

    *stands* is what differs when it has moved; *facts* are those that others need.
    """

    approval_id: str
    grant: str
    policy: str
    facts: Mapping[str, Any]
    stands: tuple[object, ...]
    short: str
    whole: str | None = None
    due: float = field(default=0.0, compare=False)
    """When its payload is to be read, by the loop's clock."""

    @property
    def text(self) -> str:
        """As much as there is."""
        return self.short if self.whole is None else self.whole


class Cards:
    """The requests that wait, and the last others; reads through *parts*, one row at a time."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._asked: tuple[str, ...] = ()
        self._decided: tuple[str, ...] = ()
        self._known: dict[str, Card] = {}

    @property
    def asked(self) -> tuple[Card, ...]:
        """Those that wait, newest first."""
        return tuple(self._known[name] for name in self._asked)

    @property
    def decided(self) -> tuple[Card, ...]:
        """The last others, newest first."""
        return tuple(self._known[name] for name in self._decided)

    async def look(self, now_ms: int) -> None:
        """Find out which there are, and how they stand.

        Raises:
            StateError: the state cannot be read.
        """
        asked = await self._listed(now_ms, frozenset({PENDING}), MOST_ASKED)
        decided = await self._listed(now_ms, DECIDED, MOST_DECIDED)
        self._known = {one.approval_id: one for one in (*decided, *asked)}
        self._asked = tuple(one.approval_id for one in asked)
        # One that was decided between the two is told as it was, until the next time.
        self._decided = tuple(one.approval_id for one in decided if one not in asked)

    async def fill(self, now_ms: int) -> None:
        """Read some of the payloads that were not read yet, within a short time."""
        clock = asyncio.get_running_loop().time
        until = clock() + ROUND_S
        for name in (*self._asked, *self._decided):
            card = self._known[name]
            if card.whole is None and card.due <= clock():
                self._known[name] = await self._read(card, now_ms, clock())
            if clock() >= until:
                return

    async def _listed(self, now_ms: int, statuses: frozenset[str], count: int) -> list[Card]:
        found: list[Card] = []
        before = None
        while len(found) < count:
            rows = await self._parts.store.approvals(
                now_ms,
                statuses=statuses,
                before=before,
                count=min(AT_ONCE, count - len(found)),
                payloads=False,
            )
            if not rows:
                break
            before = rows[-1].seq
            found += await anyio.to_thread.run_sync(self._cards, rows, now_ms)
        return found

    def _cards(self, rows: tuple[ApprovalRow, ...], now_ms: int) -> list[Card]:
        known = ((self._known.get(row.approval_id), row) for row in rows)
        return [
            card if card is not None and card.stands == _stands(row) else _card(row, now_ms)
            for card, row in known
        ]

    async def _read(self, card: Card, now_ms: int, at: float) -> Card:
        async with self._parts.turn:
            try:
                row = await self._parts.store.approval(card.approval_id, now_ms)
            except StateError as error:
                log.warning("%s", error)
                return replace(card, short=_unreadable(card.short), due=at + AGAIN_S)
            if row is None or _stands(row) != card.stands:
                # It has moved since: the next round sees it.
                return replace(card, due=at + AGAIN_S)
            return await anyio.to_thread.run_sync(_filled, card, row, now_ms)


def as_text(content: object) -> str:
    """JSON without spaces."""
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _stands(row: ApprovalRow) -> tuple[object, ...]:
    return (row.status, row.decided_ms, row.prompt_id, row.expires_ms)


def _card(row: ApprovalRow, now_ms: int) -> Card:
    """What is known of *row* without its payload."""
    facts = {key: row.facts[key] for key in ("policy_files",) if key in row.facts}
    known = (row.approval_id, row.grant, row.policy, facts, _stands(row))
    text = _text(row, now_ms, _short)
    if text is None or row.facts.get("unreadable") is True:
        bare = replace(row, facts={"unreadable": True}, payload={}, changes={}, by={})
        return Card(*known, _unreadable(as_text(_lasting(as_object(bare, now_ms)))), due=_NEVER)
    return Card(*known, text)


def _filled(card: Card, row: ApprovalRow, now_ms: int) -> Card:
    """*card* with as much of *row* as belongs into a list."""
    read = replace(card, due=_NEVER)
    if not _fits(row.payload):
        return read
    text = _text(row, now_ms, _lasting)
    if text is None:
        return replace(read, short=_unreadable(card.short))
    return replace(read, whole=text) if len(text) <= MOST_WHOLE else read


def _text(
    row: ApprovalRow, now_ms: int, shape: Callable[[dict[str, Any]], dict[str, Any]]
) -> str | None:
    """*row* as JSON in that shape; None if it is beyond telling."""
    try:
        return as_text(shape(as_object(row, now_ms)))
    except Exception:
        # Somebody edited it in the state. The others are shown all the same.
        log.exception("The request %.40r cannot be shown as it is.", row.approval_id)
        return None


def _fits(payload: Mapping[str, Any]) -> bool:
    left = MOST_PAYLOAD
    for part in json.JSONEncoder(ensure_ascii=False).iterencode(payload):
        left -= len(part)
        if left < 0:
            return False
    return True


def _lasting(one: dict[str, Any]) -> dict[str, Any]:
    return {key: one[key] for key in one if key not in AGEING}


def _short(one: dict[str, Any]) -> dict[str, Any]:
    """Without what the agent wrote: that is shown when somebody opens it."""
    words = one["agent_words"]
    left = sum(len(words[key]) for key in LISTS) + words["left_out"]
    lists: dict[str, list[object]] = {key: [] for key in LISTS}
    words = {"action": words["action"], **lists, "left_out": left}
    return {**_lasting(one), "agent_words": words, "shortened": True}


def _unreadable(text: str) -> str:
    """Nobody can open it either."""
    return as_text({**json.loads(text), "shortened": False, "unreadable": True})
