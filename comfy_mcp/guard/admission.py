"""What an allowed call takes from the state, made from the call and the decision: pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from comfy_mcp.guard.call import Call
from comfy_mcp.guard.catalog import TOOLS, ToolClass, canonical
from comfy_mcp.guard.question import AppliedLimit, Decision
from comfy_mcp.store.protocol import (
    EVERYBODY,
    Admission,
    Charge,
    Full,
    NewJob,
    Refund,
    SlotCap,
)

__all__ = ["admission", "charge", "may_be_over", "reads"]


def admission(
    call: Call, decision: Decision, decision_id: str, now_ms: int, record: Mapping[str, Any]
) -> Admission:
    """All that *call* takes, with the audit row of its decision."""
    return Admission(
        decision_id=decision_id,
        now_ms=now_ms,
        record=record,
        grant=call.grant,
        reads=reads(call),
        charges=tuple(charge(limit, call.grant) for limit in decision.limits),
        slots=_slots(call, decision),
        job=_job(call, decision),
        spend=call.spend,
    )


def reads(call: Call) -> bool:
    """The call changes nothing."""
    return TOOLS.get(canonical(call.tool)) is ToolClass.READ


def charge(limit: AppliedLimit, grant: str) -> Charge:
    """What *limit* takes from the account of *grant*, or of everybody."""
    return Charge(
        counter=limit.counter,
        holder=grant if limit.per_grant else EVERYBODY,
        amount=limit.amount,
        most=limit.most,
        window_ms=limit.window_ms,
        rule=limit.rule,
        calendar=limit.calendar,
        refund=Refund(limit.refund),
    )


def may_be_over(full: Full) -> bool:
    """Jobs that have ended unnoticed may hold what is missing."""
    return isinstance(full.cause, SlotCap) or full.cause.refund is Refund.SETTLED


def _slots(call: Call, decision: Decision) -> tuple[SlotCap, ...]:
    if call.job is None:
        return ()
    return tuple(
        SlotCap(grant=call.grant, host=call.job.host, most=cap.value, rule=cap.rule)
        for cap in decision.slots
    )


def _job(call: Call, decision: Decision) -> NewJob | None:
    """The job with the time that the policy gives it."""
    if call.job is None or decision.job_ms is None:
        return call.job
    return replace(call.job, cap_ms=decision.job_ms.value, cap_rule=decision.job_ms.rule)
