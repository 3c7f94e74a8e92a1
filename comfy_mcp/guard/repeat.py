"""A call that repeats an earlier one by its idempotency key takes nothing and makes nothing."""

from __future__ import annotations

from typing import Any

from comfy_mcp.errors import KeyConflict
from comfy_mcp.guard import record as rows
from comfy_mcp.guard.call import Call
from comfy_mcp.guard.question import Decision
from comfy_mcp.store.protocol import JobRow, Store, SweepRow

__all__ = [
    "REPEATED",
    "conflict",
    "conflict_of_sweep",
    "earlier",
    "is_same",
    "of_repeat",
    "of_repeated_sweep",
]

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
    return _conflict(f"job {row.prompt_id}", "job")


def conflict_of_sweep(row: SweepRow) -> KeyConflict:
    """As `conflict`, where the key is a sweep's."""
    return _conflict(f"sweep {row.sweep_id}", "sweep")


def _conflict(taken_by: str, what: str) -> KeyConflict:
    return KeyConflict(
        f"This idempotency_key was used for another workflow or other parameters ({taken_by}), so"
        f" nothing was run. Repeat that call exactly to get its {what}, or take a new key for a new"
        f" {what}."
    )


def of_repeat(
    call: Call, decision: Decision, decision_id: str, revision: str, row: JobRow
) -> dict[str, Any]:
    """The audit row of a repeat: the job that was there, or the refusal of another one."""
    # Of the job that is there: what was asked now is sent to nobody.
    there = {"prompt_id": row.prompt_id, "digest": row.digest}
    record = rows.of_decision(call, decision, decision_id, revision) | there
    return _repeated(record, same=is_same(call, row))


def of_repeated_sweep(
    call: Call, decision: Decision, decision_id: str, revision: str, row: SweepRow
) -> dict[str, Any]:
    """The audit row of a repeat: the sweep that was there, or the refusal of another one."""
    record = rows.of_decision(call, decision, decision_id, revision)
    same = call.sweep is not None and row.request == call.sweep.request
    return _repeated(record | {"sweep": row.sweep_id}, same=same)


def _repeated(record: dict[str, Any], *, same: bool) -> dict[str, Any]:
    kept = {key: value for key, value in record.items() if key not in {"limits", "facts"}}
    told = ("allow", REPEATED) if same else ("deny", KeyConflict.code)
    return kept | {"rule": ""} | dict(zip(("decision", "code"), told, strict=True))
