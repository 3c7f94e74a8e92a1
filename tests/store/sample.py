"""Values that the store's tests have in common: one caller, one host, one limit."""

from __future__ import annotations

from typing import Any

from comfy_mcp.store import UNIT, Admission, Charge, NewJob, Refund, SlotCap

NOW = 1_700_000_000_000
SECOND = 1_000
MINUTE = 60_000
DAY = 86_400_000
HOST = "http://127.0.0.1:8188"


def calls(most: int, *, window_ms: int = MINUTE, calendar: bool = False, **kw: Any) -> Charge:
    """At most *most* calls of ann within *window_ms*."""
    account = {"counter": "calls", "holder": "ann", **kw}
    return Charge(
        **{"amount": UNIT, **account},
        most=most * UNIT,
        window_ms=window_ms,
        rule="/tools/run_workflow/rate_limit",
        calendar=calendar,
    )


def gpu(seconds: int, most: int, *, window_ms: int = DAY, **kw: Any) -> Charge:
    """*seconds* of GPU time are reserved, of at most *most* within *window_ms*."""
    return calls(
        most,
        window_ms=window_ms,
        **{"counter": "gpu_seconds", "amount": seconds * UNIT, "refund": Refund.SETTLED, **kw},
    )


def asking(now_ms: int = NOW, *charges: Charge, **kw: Any) -> Admission:
    """A call of run_workflow by nobody in particular."""
    return Admission(
        **{"decision_id": "dec_1", "record": {"tool": "run_workflow"}, **kw},
        now_ms=now_ms,
        charges=charges,
    )


def running(prompt_id: str, *charges: Charge, now_ms: int = NOW, **kw: Any) -> Admission:
    """A call that submits a job, under a decision of its own."""
    return asking(now_ms, *charges, decision_id=f"dec_{prompt_id}", job=a_job(prompt_id, **kw))


def a_job(prompt_id: str, **kw: Any) -> NewJob:
    """A job of ann on the host."""
    values = {"grant": "ann", "host": HOST, "workflow": "txt2img", "digest": "sha256:1", **kw}
    return NewJob(prompt_id, **values)


def a_cap(most: int, *, grant: str = "ann", host: str = HOST) -> SlotCap:
    """At most *most* jobs of ann at a time."""
    return SlotCap(grant, host, most, rule="/gpu/max_in_flight")
