"""What became of an attempt to decide: a sentence that says what happened and what to do next."""

from __future__ import annotations

from collections.abc import Mapping

from comfy_mcp.oversight.gauge import duration
from comfy_mcp.oversight.glance import SUPERSEDED, UNREADABLE, decided_by, is_superseded
from comfy_mcp.oversight.judging import Judged
from comfy_mcp.oversight.trail import moment
from comfy_mcp.quoting import plain
from comfy_mcp.store.asked import (
    APPROVED,
    CANCELLED,
    DENIED,
    EXPIRED,
    QUESTION,
    SPENT,
    ApprovalRow,
)

__all__ = [
    "NO_WITH_CHANGES",
    "POLICY_CHANGED",
    "done",
    "refused_by_policy",
    "standing",
    "unknown",
]

NO_WITH_CHANGES = "Nothing was decided: values can only be changed together with a yes."

POLICY_CHANGED = (
    "Nothing was decided: the policy is not the one under which this was asked, so a yes would let"
    " nothing through. The agent's next call asks anew, under the policy as it is now."
)

LATER = (
    " Some of it only ComfyUI can tell: the policy judges the changed run once more when the agent"
    " comes back."
)


def done(row: ApprovalRow, before: ApprovalRow, *, later: bool = False) -> str:
    """What a decision that was just written means for the agent; *before* is how it stood."""
    word = "Approved" if row.status == APPROVED else "Denied"
    back = _taken_back(before)
    changed = " with other values" if row.changes and row.status == APPROVED else ""
    if row.kind == QUESTION:
        return f"{word}{changed}: the agent reads the answer with get_approval.{back}"
    until = moment(row.expires_ms)
    if row.status == DENIED:
        return (
            "Denied: the agent is told so, and the same call is refused without asking again until"
            f" {until}, unless you approve this request after all.{back}"
        )
    return (
        f"Approved{changed}, for one {plain(row.tool)} until {until}. If the agent's call still"
        " waits, it goes on by itself; if not, the agent has to repeat the same call."
        f"{LATER if later else ''}{back}"
    )


def refused_by_policy(judged: Judged) -> str:
    """Why nobody may approve what was made of the request."""
    return (
        f"Nothing was decided: the policy denies the run with these values ({judged.code},"
        f" {plain(judged.rule)}): {plain(judged.reason, 500)} Choose other values, or deny it."
    )


def unknown(approval_id: str, near: str | None) -> str:
    """There is no such request."""
    hint = f" Did you mean {plain(near)}?" if near else ""
    return (
        f"There is no request {plain(approval_id, 60)!r}, so nothing was done.{hint}"
        " `approvals ls` lists those that wait."
    )


def standing(row: ApprovalRow, now_ms: int) -> str:
    """Why the request, as it stands, cannot be decided like that (any more)."""
    ago = "" if row.decided_ms is None else f" {duration(max(0, now_ms - row.decided_ms))} ago"
    by = decided_by(row)
    who = f" {by}" if by else ""
    late = duration(max(0, now_ms - row.expires_ms))
    job = f", for job {plain(row.prompt_id)}" if row.prompt_id else ""
    told: Mapping[str, str] = {
        APPROVED: f"it was approved{who}{ago} already. To take that back, deny it.",
        DENIED: _denied(row, now_ms, f"{who}{ago}"),
        CANCELLED: f"it was {_ended(row, f'{who}{ago}')}, so there is nothing left to decide.",
        SPENT: f"it was approved{who}{ago} and is used up{job}. To stop that job, cancel it in"
        " ComfyUI; `freeze` refuses every further call.",
        EXPIRED: f"it expired {late} ago. If it is still wanted, the agent has to make the same"
        " call again, which asks anew.",
    }
    return f"Nothing was decided: {told.get(row.status, UNREADABLE)}"


def _taken_back(before: ApprovalRow) -> str:
    """That an answer was there already, and whose: two people may not know of each other."""
    word = {DENIED: "no", APPROVED: "yes"}.get(before.status)
    by = decided_by(before)
    return f" It takes back the {word}{f' said {by}' if by else ''}." if word else ""


def _denied(row: ApprovalRow, now_ms: int, how: str) -> str:
    """A no holds until the request expires, and can be taken back as long."""
    if now_ms >= row.expires_ms:
        return (
            f"it was denied{how} and has expired since. If it is wanted after all, the agent has to"
            " make the same call again, which asks anew."
        )
    return (
        f"it was denied{how} already, and that holds until {moment(row.expires_ms)}. To take that"
        " back, approve it."
    )


def _ended(row: ApprovalRow, how: str) -> str:
    return f"{SUPERSEDED}{how}" if is_superseded(row) else f"taken back{how}"
