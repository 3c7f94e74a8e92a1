"""How one caller stands: what each tool would answer it, and how much of its limits is used."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from comfy_mcp.guard.admission import charge
from comfy_mcp.guard.call import Call, Status
from comfy_mcp.guard.catalog import TOOLS
from comfy_mcp.guard.loading import Loaded
from comfy_mcp.guard.question import Decision
from comfy_mcp.guard.source import PolicySource
from comfy_mcp.store.protocol import SlotCap, Store

__all__ = ["status_of"]


class _Judge(Protocol):
    """What of the gate is needed here."""

    source: PolicySource

    @property
    def loaded(self) -> Loaded: ...

    def listed(self, identity: str, tool: str) -> bool: ...

    def decide(self, call: Call, *, final: bool = False) -> Decision: ...


async def status_of(judge: _Judge, store: Store, call: Call, host: str, now_ms: int) -> Status:
    """How the caller stands with every tool it sees; *host* is where its jobs run.

    Raises:
        StateError: the state cannot be read.
    """
    decisions = {
        tool: judge.decide(replace(call, tool=tool, args=None))
        for tool in TOOLS
        if judge.listed(call.identity, tool)
    }
    limits = {
        (limit.rule, limit.counter): limit
        for decision in decisions.values()
        for limit in decision.limits
    }
    caps = {cap for decision in decisions.values() for cap in decision.slots}
    charges = tuple(charge(limit, call.grant) for limit in limits.values())
    slots = tuple(
        SlotCap(grant=call.grant, host=host, most=cap.value, rule=cap.rule)
        for cap in sorted(caps, key=lambda cap: cap.rule)
    )
    uses = await store.peek(now_ms, charges, slots)
    return Status(
        grant=call.grant,
        loaded=judge.loaded,
        decisions=decisions,
        limits=tuple(zip(limits.values(), uses, strict=False)),
        slots=uses[len(charges) :],
        unfinished=await store.unfinished(host=host, grant=call.grant),
        # As for a call that changes something: a freeze that spares reads is told, too.
        standing=await store.standing(call.grant, now_ms, reads=False),
        degraded=judge.source.closed or judge.source.degraded,
    )
