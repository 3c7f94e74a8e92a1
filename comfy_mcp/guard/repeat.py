"""A call that repeats an earlier one by its idempotency key takes nothing and makes nothing."""

from __future__ import annotations

from typing import Any

from comfy_mcp.errors import KeyConflict
from comfy_mcp.guard import record as rows
from comfy_mcp.guard.call import Call
from comfy_mcp.guard.question import Decision
from comfy_mcp.store.protocol import JobRow, Store

__all__ = ["REPEATED", "conflict", "earlier", "is_same", "of_repeat"]

REPEATED = "repeated"


async def earlier(store: Store, call: Call) -> JobRow | None:
    """The job that an earlier call with the key of *call* made.

    Raises:
        StateError: the journal cannot be read.
    """
    if call.job is None or not call.job.key:
        return None
    return await store.keyed(call.job.host, call.job.grant, call.job.key)


def is_same(call: Call, row: JobRow) -> bool:
    """Whether *row* is what *call* asks for."""
    return call.job is not None and row.request == call.job.request


def conflict(row: JobRow) -> KeyConflict:
    """The refusal of another request under a key that is taken."""
    return KeyConflict(
        f"This idempotency_key was used for another workflow or other parameters (job"
        f" {row.prompt_id}), so nothing was run. Repeat that call exactly to get its job, or take a"
        " new key for a new job."
    )


def of_repeat(
    call: Call, decision: Decision, decision_id: str, revision: str, row: JobRow
) -> dict[str, Any]:
    """The audit row of a repeat: the job that was there, or the refusal of another one."""
    record = rows.of_decision(call, decision, decision_id, revision)
    # Of the job that is there: what was asked now is sent to nobody.
    record |= {"prompt_id": row.prompt_id, "digest": row.digest, "rule": ""}
    for taken in ("limits", "facts"):
        record.pop(taken, None)
    same = is_same(call, row)
    told = ("allow", REPEATED) if same else ("deny", KeyConflict.code)
    return record | dict(zip(("decision", "code"), told, strict=True))
