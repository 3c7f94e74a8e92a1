"""What a person is asked, as values; and the person's answer, written down."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio

from comfy_mcp.errors import ConfigError, WorkflowError
from comfy_mcp.oversight.judging import Judge, Judged, Trial, judge_by
from comfy_mcp.oversight.object import as_object
from comfy_mcp.oversight.outcome import (
    POLICY_CHANGED,
    approved,
    denied,
    refused_by_policy,
    standing,
    unknown,
)
from comfy_mcp.oversight.remaking import Changed, changed
from comfy_mcp.oversight.words import plain, seen
from comfy_mcp.store.asked import APPROVED, DENIED, MOVES, ApprovalRow, Ruling
from comfy_mcp.store.protocol import Store

__all__ = ["MOST_REASON", "Decided", "Judge", "as_object", "decide", "judge_by"]

MOST_REASON = 500
"""Characters of a person's reason: an agent reads it."""

NEAR = 200
"""Requests among which a mistyped id is looked for."""


@dataclass(frozen=True, slots=True)
class Decided:
    """Whether something was decided, the request as it stands now, and a sentence about both."""

    ok: bool
    row: ApprovalRow | None
    message: str


async def decide(
    store: Store,
    approval_id: str,
    *,
    approve: bool,
    by: Mapping[str, Any],
    reason: str,
    changes: Mapping[str, object],
    now_ms: int,
    judge: Judge | None,
) -> Decided:
    """Say yes or no to a request; whoever calls this has made sure that *by* is a person.

    *by* is ``{"channel", "user", "assurance"}``. With *changes* the yes is for the changed call, if
    *judge* does not refuse it. The answer never raises because of what the request is or became.

    Raises:
        StateError: the state cannot be read or written; nothing is decided.
    """
    row = await store.approval(approval_id, now_ms)
    if row is None:
        others = await store.approvals(now_ms, count=NEAR)
        names = [one.approval_id for one in others]
        close = difflib.get_close_matches(approval_id, names, 1, 0.6)
        return Decided(False, None, unknown(approval_id, close[0] if close else None))
    status = APPROVED if approve else DENIED
    if status not in MOVES[row.status]:
        return Decided(False, row, standing(row, now_ms, approve=approve))
    if changes and not approve:
        return Decided(
            False, row, "Nothing was decided: values can only be changed with an approval."
        )
    made: Changed | None = None
    if approve:
        try:
            made = await _examined(row, changes, judge, now_ms)
        except (WorkflowError, ConfigError) as error:
            return Decided(False, row, f"Nothing was decided: {plain(str(error), 1000)}")
        if made is not None and (why := _objection(row, made)):
            return Decided(False, row, why)
    ruling = _ruling(status, by, reason, made)
    ok, after = await store.rule(now_ms, approval_id, ruling, _record(row, ruling))
    if after is None:
        return Decided(False, None, unknown(approval_id, None))
    if not ok:
        return Decided(False, after, standing(after, now_ms, approve=approve))
    later = made is not None and made.judged is not None and made.judged.later
    return Decided(True, after, approved(after, later=later) if approve else denied(after))


async def _examined(
    row: ApprovalRow, changes: Mapping[str, object], judge: Judge | None, now_ms: int
) -> Changed | None:
    """What a yes would be for and what the policy says; None: what was asked, and no word."""
    if changes:
        return await anyio.to_thread.run_sync(partial(changed, row, changes, judge, now_ms))
    if judge is None:
        return None
    try:
        judged = await anyio.to_thread.run_sync(judge, Trial(row, {}, None, now_ms))
    except ConfigError:
        # A server with a policy file that broke meanwhile goes on with the last good one.
        return None
    return Changed(row.payload, row.effect, row.facts, judged=Judged(judged.revision))


def _objection(row: ApprovalRow, made: Changed) -> str | None:
    judged = made.judged
    if judged is None:
        return None
    if row.policy and judged.revision and judged.revision != row.policy:
        return POLICY_CHANGED
    return refused_by_policy(judged) if judged.refused and not judged.later else None


def _ruling(status: str, by: Mapping[str, Any], reason: str, made: Changed | None) -> Ruling:
    words = seen(reason)[0].strip()[:MOST_REASON]
    if made is None or not made.changes:
        return Ruling(status, dict(by), words)
    return Ruling(status, dict(by), words, made.changes, made.payload, made.effect, made.facts)


def _record(row: ApprovalRow, ruling: Ruling) -> dict[str, Any]:
    """The audit row of a decision."""
    return {
        "kind": "approval",
        "action": ruling.status,
        "approval_id": row.approval_id,
        "grant": row.grant,
        "tool": row.tool,
        "by": dict(ruling.by),
        "changes": sorted(ruling.changes),
        "reason": ruling.reason,
    }
