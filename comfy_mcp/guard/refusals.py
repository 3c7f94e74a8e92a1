"""What an agent is told whose call waits for a person, or was answered by one: pure."""

from __future__ import annotations

from collections.abc import Mapping

from comfy_mcp.errors import ApprovalNeeded, Denial, Denied, RateLimited, Refused
from comfy_mcp.store.asked import APPROVED, CANCELLED, DENIED, EXPIRED, HOURLY, PENDING, SPENT
from comfy_mcp.store.protocol import ApprovalRow, Crowded, TooLarge

__all__ = ["not_parked", "of_row", "outdated", "unknown"]

MAX_REASON = 500


def of_row(
    row: ApprovalRow, decision_id: str, *, is_new: bool, now_ms: int, command: str, by_id: bool
) -> Refused:
    """Why *row* lets nothing through.

    *command* shows the request to the operator; *by_id*: the tool can be called with the id alone.
    """
    if row.status in {PENDING, APPROVED}:
        return _waits(row, decision_id, is_new=is_new, now_ms=now_ms, command=command, by_id=by_id)
    code, reason = _ENDED[row.status](row, now_ms)
    return Denied(
        Denial(
            code=code,
            reason=reason,
            rule=_rule(row),
            decision_id=decision_id,
            approval_id=row.approval_id,
        )
    )


def not_parked(answer: Crowded | TooLarge, decision_id: str) -> Refused:
    """The request could not be made: too many, too often, or too much."""
    if isinstance(answer, TooLarge):
        return Denied(
            Denial(
                code="approvals_full",
                reason=f"What would be run has {answer.bytes} bytes, and at most {answer.most} can"
                " wait for a person: make it smaller.",
                rule="",
                decision_id=decision_id,
            )
        )
    wait_ms = answer.retry_after_ms
    if wait_ms is not None:
        return RateLimited(
            Denial(
                code="approvals_full",
                reason=f"You asked people {HOURLY} times within an hour, which is the most; retry"
                f" in {_minutes(wait_ms / 1000)}.",
                rule="",
                decision_id=decision_id,
                retryable=True,
                retry_after_s=wait_ms / 1000,
            )
        )
    return Denied(
        Denial(
            code="approvals_full",
            reason=f"{answer.pending} of your requests wait for a person already, which is the"
            " most; wait for an answer, or take one back with cancel_approval.",
            rule="/approvals/max_pending",
            decision_id=decision_id,
            retryable=True,
        )
    )


def unknown(approval_id: str, decision_id: str) -> Refused:
    """There is no such request, or it is somebody else's: the two are told alike."""
    return Denied(
        Denial(
            code="approval_unknown",
            reason=f"You have no request {approval_id[:40]!r}; make the call itself.",
            rule="",
            decision_id=decision_id,
        )
    )


def outdated(decision_id: str) -> Refused:
    """The yes was for something else than what would be done now."""
    return Denied(
        Denial(
            code="approval_outdated",
            reason="What was approved is no longer what would be done: call again to ask anew.",
            rule="",
            decision_id=decision_id,
            retryable=True,
        )
    )


def _waits(
    row: ApprovalRow, decision_id: str, *, is_new: bool, now_ms: int, command: str, by_id: bool
) -> Refused:
    left_s = max(0, row.expires_ms - now_ms) / 1000
    again = "repeat this call exactly"
    if by_id:
        again += f', or run_workflow(approval_id="{row.approval_id}")'
    asked = "now waits" if is_new else "still waits"
    return ApprovalNeeded(
        Denial(
            code="approval_required" if is_new else "approval_pending",
            reason=f"{_why(row)} Request {row.approval_id} {asked} for a person, for"
            f" {_minutes(left_s)}; after a yes {again}.",
            rule=_rule(row),
            decision_id=decision_id,
            decision="require_approval",
            retryable=True,
            approval_id=row.approval_id,
            expires_in_s=left_s,
            operator_hint=command,
        )
    )


def _why(row: ApprovalRow) -> str:
    words = next(iter(_asks(row).values()), f"A person has to approve {row.tool} first.")
    return f"{words.rstrip('.')}."


def _rule(row: ApprovalRow) -> str:
    return next(iter(_asks(row)), "")


def _asks(row: ApprovalRow) -> Mapping[str, str]:
    """The rules that asked, with their words."""
    asks: Mapping[str, str] = row.facts.get("asks", {})
    return asks


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"  # noqa: PLR2004 - from here on minutes are plainer


def _denied(row: ApprovalRow, now_ms: int) -> tuple[str, str]:
    by_client = row.by.get("assurance") == "client"
    who = "Your client did not confirm this" if by_client else "A person said no"
    said = f' ("{row.reason[:MAX_REASON]}")' if row.reason else ""
    left = _minutes(max(0, row.expires_ms - now_ms) / 1000)
    again = f"Do not ask for the same again within {left}; tell the user."
    return "approval_denied", f"{who}{said}. {again}"


def _expired(row: ApprovalRow, _now_ms: int) -> tuple[str, str]:
    late = "was approved, but not used in time" if row.decided_ms else "was not answered in time"
    return "approval_expired", f"Request {row.approval_id} {late}. Call again to ask anew."


def _cancelled(row: ApprovalRow, _now_ms: int) -> tuple[str, str]:
    edited = row.by.get("channel") == "guard"
    why = "ended with an edit of the policy" if edited else "was taken back"
    return "approval_cancelled", f"Request {row.approval_id} {why}. Call again to ask anew."


def _spent(row: ApprovalRow, _now_ms: int) -> tuple[str, str]:
    job = f" for job {row.prompt_id}" if row.prompt_id else ""
    return (
        "approval_spent",
        f"Request {row.approval_id} was used up{job}; a yes holds once. Call again to ask anew.",
    )


_ENDED = {DENIED: _denied, EXPIRED: _expired, CANCELLED: _cancelled, SPENT: _spent}
