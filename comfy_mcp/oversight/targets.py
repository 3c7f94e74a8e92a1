"""Jobs that a request would touch, as they are now: a person may answer long after the question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from comfy_mcp.oversight.values import objects
from comfy_mcp.store.asked import ApprovalRow
from comfy_mcp.store.protocol import Store

__all__ = ["as_they_are"]


async def as_they_are(store: Store, row: ApprovalRow) -> ApprovalRow:
    """*row* whose ``facts.targets`` say ``now`` where a job has another status by this time.

    Of a job that was not submitted through this state nothing is known.

    Raises:
        StateError: the state cannot be read.
    """
    touched = objects(row.facts.get("targets"))
    if not touched:
        return row
    told: list[Mapping[str, Any]] = []
    for one in touched:
        job = await store.job(str(one.get("prompt_id", "")))
        moved = job is not None and job.status != one.get("status")
        told.append({**one, "now": job.status} if job is not None and moved else one)
    return replace(row, facts={**row.facts, "targets": told})
