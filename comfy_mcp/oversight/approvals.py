"""What a person is asked, as values; and the person's answer, written down."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio

from comfy_mcp.errors import ConfigError, WorkflowError
from comfy_mcp.oversight import outcome
from comfy_mcp.oversight.judging import Judge, Trial, judge_by
from comfy_mcp.oversight.object import as_object
from comfy_mcp.oversight.remaking import Changed, changed
from comfy_mcp.quoting import plain, seen
from comfy_mcp.store.asked import APPROVED, DENIED, MOVES, QUESTION, ApprovalRow, Ruling
from comfy_mcp.store.protocol import Store

__all__ = ["MOST_REASON", "Decided", "Judge", "as_object", "decide", "judge_by", "nearest_to"]

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

    A yes that was not used yet can be taken back, and so can a no until the request expires. *by*
    is ``{"channel", "user", "assurance"}``. With *changes* the yes is for the changed call,
    unless *judge* refuses that. A yes is refused, too, if the policy is not the one under which
    was asked any more: nothing would be let through by it. What the request is or became raises
    nothing: the message says it.

    Raises:
        StateError: the state cannot be read or written; nothing is decided.
    """
    row = await store.approval(approval_id, now_ms)
    if row is None:
        near = await nearest_to(store, approval_id, now_ms)
        return Decided(False, None, outcome.unknown(approval_id, near))
    status = APPROVED if approve else DENIED
    made = await _examined(row, status, changes, judge, now_ms)
    if isinstance(made, str):
        return Decided(False, row, made)
    words = seen(reason)[0].strip()[:MOST_REASON]
    said = (status, dict(by), words)
    ruling = Ruling(*said)
    if made is not None:
        every = _since_asked(row.changes, made.changes)
        ruling = Ruling(*said, every, made.payload, made.effect, made.facts)
    ok, after = await store.rule(now_ms, approval_id, ruling, _record(row, ruling))
    if after is None:
        return Decided(False, None, outcome.unknown(approval_id, None))
    if not ok:
        return Decided(False, after, outcome.standing(after, now_ms))
    later = made is not None and made.later
    return Decided(True, after, outcome.done(after, row, later=later))


async def nearest_to(store: Store, approval_id: str, now_ms: int) -> str | None:
    """The id that was probably meant by one that nobody has."""
    names = [one.approval_id for one in await store.approvals(now_ms, count=NEAR, payloads=False)]
    # An id is short; whatever is much longer is none.
    close = difflib.get_close_matches(approval_id[:NEAR], names, 1, 0.8)
    return close[0] if close else None


async def _examined(
    row: ApprovalRow,
    status: str,
    changes: Mapping[str, object],
    judge: Judge | None,
    now_ms: int,
) -> Changed | str | None:
    """What a yes would be for instead of what was asked, if *changes* change anything.

    A text says why nothing can be decided.
    """
    forgotten = row.status == DENIED and now_ms >= row.expires_ms
    if status not in MOVES.get(row.status, ()) or forgotten:
        return outcome.standing(row, now_ms)
    if status != APPROVED:
        return outcome.NO_WITH_CHANGES if changes else None
    if judge is not None and await _outdated(row, judge, now_ms):
        return outcome.POLICY_CHANGED
    return await _changed(row, changes, judge, now_ms) if changes else None


async def _changed(
    row: ApprovalRow, changes: Mapping[str, object], judge: Judge | None, now_ms: int
) -> Changed | str | None:
    try:
        made = await anyio.to_thread.run_sync(partial(changed, row, changes, judge, now_ms))
    except (WorkflowError, ConfigError) as error:
        return f"Nothing was decided: {plain(str(error), 1000)}"
    if made.refused is not None:
        return outcome.refused_by_policy(made.refused)
    return made if made.changes else None


def _since_asked(earlier: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, list[object]]:
    """What is changed by now against what the agent asked for: a yes may be the second one.

    What was put back stays on the list: it says so, and the payload was made anew.
    """
    merged: dict[str, list[object]] = {name: list(pair) for name, pair in earlier.items()}
    for name, (was, now) in changes.items():
        merged[name] = [merged[name][0] if name in merged else was, now]
    return merged


async def _outdated(row: ApprovalRow, judge: Judge, now_ms: int) -> bool:
    """The policy is another one than that under which *row* was asked, if it was under one."""
    if row.kind == QUESTION:
        return False
    try:
        judged = await anyio.to_thread.run_sync(judge, Trial(row, {}, None, now_ms))
    except ConfigError:
        # A file that broke meanwhile: the server goes on with the last good policy, and the gate
        # judges the call anyway.
        return False
    return judged.revision != row.policy


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
