"""Values that the store's tests have in common: one caller, one host, one limit."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from comfy_mcp.store import (
    UNIT,
    Admission,
    ApprovalRow,
    Charge,
    NewApproval,
    NewJob,
    Parked,
    Refund,
    Ruling,
    SlotCap,
    Spend,
    Store,
)
from comfy_mcp.store.asked import APPROVED, CALL, OPERATOR

NOW = 1_700_000_000_000
SECOND = 1_000
MINUTE = 60_000
DAY = 86_400_000
HOUR = 3_600_000
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


PERSON = {"channel": "terminal", "user": "eve", "assurance": OPERATOR}
YES = Ruling(APPROVED, PERSON, "Go on.")


def a_request(approval_id: str = "apr_1", **kw: Any) -> NewApproval:
    """Ann asks for one run; requests of different ids are for different calls."""
    values = {
        "kind": CALL,
        "grant": "ann",
        "host": HOST,
        "tool": "run_workflow",
        "match": f"match of {approval_id}",
        "effect": "effect 1",
        "policy": "policy 1",
        "payload": {"graph": {"1": {"class_type": "KSampler"}}},
        "facts": {"tool": "run_workflow", "title": "A cat"},
        "lives_ms": HOUR,
        **kw,
    }
    return NewApproval(approval_id, **values)


def spending(
    approval_id: str = "apr_1", now_ms: int = NOW, *charges: Charge, **kw: Any
) -> Admission:
    """Ann makes the call of `a_request`, with the yes that she has got."""
    spend = Spend(approval_id, "effect 1", "policy 1")
    return asking(now_ms, *charges, **{"grant": "ann", "spend": spend, **kw})


async def parked(
    store: Store, approval_id: str = "apr_1", now_ms: int = NOW, **kw: Any
) -> ApprovalRow:
    """A request that was written down now."""
    answer = await store.park(
        now_ms, a_request(approval_id, **kw), {"parked": approval_id}, most=99
    )
    assert isinstance(answer, Parked)
    assert answer.is_new
    return answer.row


async def approved(
    store: Store, approval_id: str = "apr_1", now_ms: int = NOW, **kw: Any
) -> ApprovalRow:
    """A request that was written down and answered with yes now."""
    await parked(store, approval_id, now_ms, **kw)
    moved, row = await store.rule(now_ms, approval_id, YES, {"approved": approval_id})
    assert moved
    assert row is not None
    return row


def edited(folder: Path, statement: str) -> None:
    """Somebody's edit, past every check."""
    with closing(connected(folder)) as connection, connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        assert connection.execute(statement).rowcount > 0


def connected(folder: Path) -> sqlite3.Connection:
    """The state's file, past the store."""
    return sqlite3.connect(folder / "guard.db")
