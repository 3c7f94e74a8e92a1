"""Refuses, and writes down what is refused and what became of what was allowed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from comfy_mcp.errors import Refused, StateError
from comfy_mcp.guard import record as rows
from comfy_mcp.guard.admission import reads
from comfy_mcp.guard.call import Call
from comfy_mcp.guard.decide import tallies
from comfy_mcp.guard.denial import from_decision, from_standing
from comfy_mcp.guard.hearing import Judged
from comfy_mcp.guard.loading import Loaded
from comfy_mcp.guard.question import Decision
from comfy_mcp.store.protocol import Cooling, Frozen, Store, Tally

__all__ = ["UNTALLIED", "Clerk", "Told"]

log = logging.getLogger(__name__)

UNTALLIED = frozenset(
    {
        *("cooldown", "frozen", "policy_unavailable"),
        *("approval_required", "approval_pending", "approval_expired", "approval_spent"),
        *("approval_outdated", "approval_cancelled"),
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

    async def standing(self, call: Call) -> Frozen | Cooling | None:
        """What refuses every call of this caller at the moment, as far as the state can be read."""
        try:
            return await self._store.standing(call.grant, self._now_ms(), reads=reads(call))
        except StateError:
            # What may go on without a state is decided where the call is admitted.
            return None

    async def refusal(
        self,
        call: Call,
        judged: Judged,
        decision_id: str,
        standing: Frozen | Cooling | None = None,
        *,
        variant: int | None = None,
    ) -> Refused:
        """The no to *call*, by the policy or by what is *standing*; written down and counted.

        *variant* is the index of the one of its variants that it is about.
        """
        decision = judged.decision
        if standing is None and decision.code not in {"no_grant", "not_listed"}:
            standing = await self.standing(call)
        refusal = (
            from_standing(standing, decision_id)
            if standing is not None
            else from_decision(decision, decision_id)
        )
        about = call if variant is None else replace(call, run=call.variants[variant].run)
        record = rows.of_decision(about, decision, decision_id, judged.loaded.revision)
        if variant is not None:
            record["variant"] = variant + 1
        if standing is not None:
            record = rows.of_refusal(record, refusal)
        await self.refuse(call, judged.loaded, record)
        return refusal

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
        await self.outcomes([(call, decision_id, outcome)])

    async def outcomes(self, ended: Sequence[tuple[Call, str, str]]) -> None:
        """Write down what became of allowed calls: each with its decision's id and its outcome."""
        records = [rows.of_outcome(*one) for one in ended]
        try:
            await self._store.record(self._now_ms(), *records)
        except StateError:
            # The effect has happened; its decision row stands without an outcome, and this says so.
            _, decision_id, outcome = ended[0]
            log.exception("The outcome %s of %s could not be written down.", outcome, decision_id)
