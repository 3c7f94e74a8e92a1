"""What a refused agent is told, made from a decision, a standing order or a full account."""

from __future__ import annotations

from comfy_mcp.errors import Denial, Denied, RateLimited, Refused
from comfy_mcp.guard.question import AppliedLimit, Decision
from comfy_mcp.store.protocol import EVERYBODY, UNIT, Charge, Cooling, Frozen, Full, Refund

__all__ = ["from_decision", "from_full", "from_standing", "plain_s", "unwritable", "words_of"]

PASSING = frozenset({"queue_full", "policy_unavailable"})
"""Codes of the policy's own words that may be gone at the next try."""


def from_decision(decision: Decision, decision_id: str) -> Refused:
    """The refusal of a call that the policy does not allow."""
    denial = Denial(
        code=decision.code,
        reason=decision.reason,
        rule=decision.rule,
        decision_id=decision_id,
        retryable=decision.code in PASSING,
        fix=dict(decision.fix) if decision.fix else None,
    )
    return Denied(denial)


def from_standing(standing: Frozen | Cooling, decision_id: str) -> Refused:
    """The refusal of a call while the operator froze the caller, or it has to cool down."""
    if isinstance(standing, Frozen):
        who = "everybody" if standing.grant == EVERYBODY else "you"
        why = f": {standing.reason.rstrip('.')}" if standing.reason else ""
        return Denied(
            Denial(
                code="frozen",
                reason=f"The owner of the GPU has stopped {who} for now{why}. Tell the user.",
                rule="",
                decision_id=decision_id,
            )
        )
    wait = standing.retry_after_ms
    return RateLimited(
        Denial(
            code="cooldown",
            reason="Too many of your calls were refused; everything is refused until you have"
            f" waited; retry in {plain_s(wait)} s.",
            rule="/denials",
            decision_id=decision_id,
            retryable=True,
            retry_after_s=wait / 1000,
        )
    )


def from_full(
    full: Full,
    limits: tuple[AppliedLimit, ...],
    decision_id: str,
    unfinished: tuple[str, ...] = (),
) -> Refused:
    """The refusal of a call for which a limit or a slot leaves no room."""
    cause = full.cause
    if isinstance(cause, Charge):
        return _used_up(full, cause, limits, decision_id)
    return RateLimited(
        Denial(
            code="in_flight",
            reason=f"You may have {cause.most} unfinished jobs at a time; wait for one to end, or"
            f" cancel it: {', '.join(unfinished[:5])}.",
            rule=cause.rule,
            decision_id=decision_id,
            retryable=cause.most > 0,
            limit={
                "counter": "in_flight",
                "used": full.used,
                "max": cause.most,
                "window_s": None,
                "scope": "grant",
            },
        )
    )


def words_of(charge: Charge, limits: tuple[AppliedLimit, ...]) -> str:
    """What the limit of *charge* says, without a full stop."""
    limit = next((one for one in limits if one.rule == charge.rule), None)
    words = (limit.reason or limit.words) if limit else f"the limit {charge.counter} is used up"
    return words.rstrip(".")


def unwritable(decision_id: str) -> Refused:
    """The refusal of a call that could not be written down first."""
    return Denied(
        Denial(
            code="audit_unavailable",
            reason="The guard cannot write its state, so nothing that changes anything is allowed.",
            rule="",
            decision_id=decision_id,
            retryable=True,
            operator_hint="Make the folder of COMFY_MCP_STATE writable; see the server's stderr.",
        )
    )


def _used_up(
    full: Full, charge: Charge, limits: tuple[AppliedLimit, ...], decision_id: str
) -> Refused:
    wait = full.retry_after_ms
    seconds = None if wait is None else wait / 1000
    code = "budget_exhausted" if charge.refund is not Refund.NEVER else "rate_limited"
    code = "never_fits" if wait is None else code
    tail = "waiting does not help" if seconds is None else f"retry in {plain_s(wait or 0)} s"
    return RateLimited(
        Denial(
            code=code,
            reason=f"{words_of(charge, limits)}; {tail}.",
            rule=charge.rule,
            decision_id=decision_id,
            retryable=seconds is not None,
            retry_after_s=seconds,
            limit={
                "counter": charge.counter,
                "used": full.used / UNIT,
                "max": charge.most / UNIT,
                "window_s": charge.window_ms / 1000,
                "scope": "global" if charge.holder == EVERYBODY else "grant",
            },
        )
    )


def plain_s(milliseconds: int) -> str:
    """Seconds, whole or with their milliseconds; never in powers of ten."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds}.{rest:03}".rstrip("0") if rest else str(seconds)
