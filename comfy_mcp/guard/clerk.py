"""Writes down what the gate refuses and what became of what it allowed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from comfy_mcp.errors import Refused, StateError
from comfy_mcp.guard import record as rows
from comfy_mcp.guard.call import Call
from comfy_mcp.guard.decide import tallies
from comfy_mcp.guard.loading import Loaded
from comfy_mcp.guard.question import Decision
from comfy_mcp.store.protocol import Store, Tally

__all__ = ["UNTALLIED", "Clerk", "Told"]

log = logging.getLogger(__name__)

UNTALLIED = frozenset(
    {
        *("cooldown", "frozen", "policy_unavailable"),
        *("approval_required", "approval_pending", "approval_expired", "approval_spent"),
        "approval_outdated",
    }
)
"""Refusals that say nothing about how a caller behaves."""

Told = Callable[[Mapping[str, Any]], None]


class Clerk:
    """Appends audit rows to *store*; *told* hears of every row of a decision."""

    def __init__(self, store: Store, now_ms: Callable[[], int], told: Told) -> None:
        self._store = store
        self._now_ms = now_ms
        self._told = told

    def tell(self, record: Mapping[str, Any]) -> None:
        """Say what was decided, where the row is written already."""
        self._told(record)

    async def refused(
        self, call: Call, decision: Decision, decision_id: str, loaded: Loaded, refusal: Refused
    ) -> None:
        """Write down a no that is another one than *decision*."""
        record = rows.of_decision(call, decision, decision_id, loaded.revision)
        await self.refuse(call, loaded, rows.of_refusal(record, refusal))

    async def refuse(self, call: Call, loaded: Loaded, record: Mapping[str, Any]) -> None:
        """Write a refusal down, and count it."""
        counted = record["code"] not in UNTALLIED
        found = tallies(loaded.policy, call.grant) if counted else ()
        self._told(record)
        try:
            await self._store.refuse(
                self._now_ms(),
                record,
                tuple(Tally(call.grant, t.most, t.window_ms, t.cooldown_ms) for t in found),
            )
        except StateError:
            # A refusal stands whether or not it can be written down.
            log.exception("A refusal could not be written down: %s.", record["code"])

    async def outcome(self, call: Call, decision_id: str, outcome: str) -> None:
        """Write down what became of an allowed call."""
        try:
            await self._store.record(self._now_ms(), rows.of_outcome(call, decision_id, outcome))
        except StateError:
            # The effect has happened; its decision row stands without an outcome, and this says so.
            log.exception("The outcome %s of %s could not be written down.", outcome, decision_id)
