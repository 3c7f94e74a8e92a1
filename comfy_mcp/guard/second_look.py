"""What is looked at right before a call takes anything: who it is, and whose jobs it stops."""

from __future__ import annotations

from comfy_mcp.guard.call import Call
from comfy_mcp.guard.question import Decision, Effect
from comfy_mcp.store.asked import CLIENT, OPERATOR
from comfy_mcp.store.protocol import Store

__all__ = ["MOST_TARGETS", "changed", "of_others", "refusal_of", "stale"]

MOST_TARGETS = 10_000
"""Jobs that one permit may be for; a queue of ComfyUI that long could not be read any more."""

CHANGED = "The policy changed while this call was judged: call again."
WEAK = "By now the operator has to decide this, not your client: call again to ask anew."
NOT_YOURS = (
    "{count} of the {all} jobs were not started by you, so none was stopped;"
    " stop only jobs that you started."
)
TOO_MANY = "At most {most} jobs can be stopped at once: stop them in parts, with cancel_job."


def refusal_of(code: str, reason: str) -> Decision:
    """A no that is not the policy's."""
    return Decision(Effect.DENY, code, "", reason, "policy")


def changed(call: Call, decision: Decision) -> Decision | None:
    """The no to a caller who by now is somebody else; None if it is still who it was."""
    if decision.grant == call.grant:
        return None
    return refusal_of("policy_unavailable", CHANGED)


def stale(call: Call, decision: Decision, revision: str) -> Decision | None:
    """The no to a call that needs a yes and has none, or one too weak, or under another policy."""
    yes, asking = call.spend, decision.asking
    if asking is None and yes is None:
        return None
    if yes is None or yes.policy != revision:
        return refusal_of("policy_unavailable", CHANGED)
    if asking is not None and yes.assurance == CLIENT and asking.channel == OPERATOR:
        return refusal_of("approval_outdated", WEAK)
    return None


async def of_others(store: Store, call: Call) -> Decision | None:
    """The no to a call that would stop several jobs, not all of them the caller's own.

    Whatever the policy says about whose jobs may be stopped: that is about one job, by its name.

    Raises:
        StateError: the journal cannot be read.
    """
    if not call.targets:
        return None
    if len(call.targets) > MOST_TARGETS:
        return refusal_of("too_many", TOO_MANY.format(most=MOST_TARGETS))
    asked = frozenset(call.targets)
    strangers = asked - await store.owned(call.grant, asked)
    if not strangers:
        return None
    return refusal_of("not_owner", NOT_YOURS.format(count=len(strangers), all=len(asked)))
