"""How callers stand, as commands and the page ask for it and as programs read it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from comfy_mcp.guard.policy import Policy
from comfy_mcp.oversight import freezing
from comfy_mcp.oversight.gauge import gauge_object
from comfy_mcp.oversight.standing import MOST_REQUESTS, Standing, callers, look
from comfy_mcp.store.asked import PENDING
from comfy_mcp.store.protocol import EVERYBODY, UNIT, Store

__all__ = ["as_object", "everybody", "only"]


async def everybody(
    store: Store, policy: Policy, own: str, host: str | None, at_ms: int
) -> Standing:
    """How all callers of *policy* and of the state stand, and *own* with them (see `look`).

    Raises:
        StateError: the state cannot be read.
    """
    holders = {one.holder for one in await store.accounts()} - {EVERYBODY}
    waiting = await store.approvals(
        at_ms, statuses=frozenset({PENDING}), count=MOST_REQUESTS, payloads=False
    )
    names = sorted({*holders, own, *(row.grant for row in waiting)})
    return await look(store, policy, callers(policy, names, at_ms), host, at_ms)


async def only(store: Store, policy: Policy, grant: str, host: str | None, at_ms: int) -> Standing:
    """How *grant* stands, with what it shares with everybody.

    Raises:
        StateError: the state cannot be read.
    """
    grants = {
        known: name for known, name in callers(policy, [grant], at_ms).items() if known == grant
    }
    found = await look(store, policy, grants, host, at_ms)
    return replace(
        found,
        others=tuple(one for one in found.others if one.holder in {grant, EVERYBODY}),
        unfinished=tuple(job for job in found.unfinished if job.grant == grant),
        freezes=tuple(one for one in found.freezes if one.grant in {grant, EVERYBODY}),
    )


def as_object(found: Standing, host: str | None) -> dict[str, Any]:
    """Everything, as JSON values."""
    return {
        "limits": [gauge_object(gauge) for gauge in found.gauges],
        "other_accounts": [
            {"counter": one.counter, "holder": one.holder, "held": one.amount / UNIT}
            for one in found.others
        ],
        "host": host,
        "slots": [
            {"grant": cap.grant, "used": use.used, "max": cap.most} for cap, use in found.slots
        ],
        "unfinished": [
            {
                "prompt_id": job.prompt_id,
                "grant": job.grant,
                "workflow": job.workflow,
                "status": job.status,
                "created_ms": job.created_ms,
            }
            for job in found.unfinished
        ],
        "cooling": [
            {"grant": grant, "retry_after_s": cooling.retry_after_ms / 1000}
            for grant, cooling in found.cooling
        ],
        "freezes": [freezing.as_object(one) for one in found.freezes],
        "waiting_requests": [
            {"grant": grant, "waiting": count, "max": found.most_waiting}
            for grant, count in found.waiting
        ],
        "clock_ahead_s": found.ahead_ms / 1000,
    }
