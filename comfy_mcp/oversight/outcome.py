"""What became of an attempt to decide: a sentence that says what happened and what to do next."""

from __future__ import annotations

from comfy_mcp.oversight.gauge import duration
from comfy_mcp.oversight.judging import Judged
from comfy_mcp.oversight.telling import decided_by
from comfy_mcp.oversight.trail import moment
from comfy_mcp.oversight.words import plain
from comfy_mcp.store.asked import APPROVED, CANCELLED, DENIED, QUESTION, SPENT, ApprovalRow

__all__ = ["POLICY_CHANGED", "approved", "denied", "refused_by_policy", "standing", "unknown"]

POLICY_CHANGED = (
    "Nothing was decided: the policy is not the one under which this was asked, so a yes would let"
    " nothing through. The agent's next call asks anew, under the policy as it is now."
)

LATER = (
    " Some of it only ComfyUI can tell: the policy judges the changed run once more when the agent"
    " comes back."
)


def approved(row: ApprovalRow, *, later: bool) -> str:
    """What an approval means for the agent."""
    if row.kind == QUESTION:
        changed = " with what you changed" if row.changes else ""
        return f"Approved{changed}: the agent reads the answer with get_approval."
    changed = " with other parameters" if row.changes else ""
    return (
        f"Approved{changed}, for one {plain(row.tool)} until {moment(row.expires_ms)}. If the"
        " agent's call still waits, it goes on by itself; if not, the agent has to repeat the same"
        f" call.{LATER if later else ''}"
    )


def denied(row: ApprovalRow) -> str:
    """What a denial means for the agent."""
    if row.kind == QUESTION:
        return "Denied: the agent reads the answer with get_approval."
    return (
        "Denied: the agent is told so, and the same call is refused without asking again until"
        f" {moment(row.expires_ms)}."
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
        f"Nothing was decided: there is no request {plain(approval_id, 60)!r} in this state.{hint}"
        " `approvals ls` lists those that wait."
    )


def standing(row: ApprovalRow, now_ms: int, *, approve: bool) -> str:
    """Why the request cannot be decided (any more)."""
    ago = "" if row.decided_ms is None else f" {duration(max(0, now_ms - row.decided_ms))} ago"
    who = f" {decided_by(row)}" if decided_by(row) else ""
    if row.status == APPROVED and approve:
        return f"Nothing was decided: it was approved{who}{ago} already. `approvals deny` takes it back."
    if row.status == DENIED:
        again = " The agent can ask anew after that." if approve else ""
        until = f" That holds until {moment(row.expires_ms)}.{again}"
        return f"Nothing was decided: it was denied{who}{ago} already.{until}"
    if row.status == CANCELLED:
        return f"Nothing was decided: it was taken back{who}{ago}. There is nothing left to decide."
    if row.status == SPENT:
        job = f", for job {plain(row.prompt_id)}" if row.prompt_id else ""
        return (
            f"Nothing was decided: it was approved{who} and is used up{job}. To stop a job, use the"
            " console or ComfyUI; freeze stops every call."
        )
    late = duration(max(0, now_ms - row.expires_ms))
    return (
        f"Nothing was decided: it expired {late} ago. If it is still wanted, the agent has to make"
        " the call again, which asks anew."
    )
