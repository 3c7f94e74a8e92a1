"""What the policy would say to a run, by the very questions that run_workflow is asked."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from comfy_mcp.guard.question import Decision, Effect
from comfy_mcp.store.protocol import UNIT, Cooling, Frozen
from comfy_mcp.tools.app import App, Caller
from comfy_mcp.tools.run import run_workflow
from comfy_mcp.tools.source import settled_early

if TYPE_CHECKING:
    from comfy_mcp.guard.call import Call, Status
    from comfy_mcp.jobs.manager import Jobs

__all__ = ["LimitTaken", "Verdict", "decided", "runner", "verdict"]

RUN = "run_workflow"
MOST_LIMITS = 6
WORDS = 160


class LimitTaken(BaseModel):
    """A limit that the run would count against."""

    model_config = ConfigDict(frozen=True)

    limit: str
    takes: float
    left: float
    retry_after_s: Annotated[float | None, Field(description="If it does not fit now")] = None


class Verdict(BaseModel):
    """What the policy says to the run."""

    model_config = ConfigDict(frozen=True)

    effect: Literal["allow", "deny", "require_approval"]
    code: str | None = None
    rule: str | None = None
    reason: str | None = None
    fix: dict[str, Any] | None = None
    limits: Annotated[list[LimitTaken] | None, Field(description="What it would take")] = None

    @property
    def passes(self) -> bool:
        """Whether nothing but a person's word may be wanting."""
        full = any(one.takes > one.left for one in self.limits or ())
        return self.effect != "deny" and not full


def runner(caller: Caller, workflow: object, params: Mapping[str, Any]) -> Caller:
    """*caller* as if it had called run_workflow with these arguments, the others as by default."""
    return replace(caller, tool=RUN, args={**_DEFAULTS, "workflow": workflow, "params": params})


def decided(app: App, caller: Caller, call: Call) -> Decision:
    """What the gate says to *call*, a run of *caller*: asked at the points where a run is asked."""
    args = caller.args or {}
    early = caller.call() if settled_early(args) else replace(caller.call(), args=None)
    for asked in (replace(early, args=None), early):
        decision = app.gate.decide(asked)
        if decision.effect is Effect.DENY:
            return decision
    return app.gate.decide(call, final=True)


async def verdict(app: App, caller: Caller, call: Call, jobs: Jobs) -> Verdict:
    """*call*, a run of *caller*, as the policy and its counters see it; nothing is reserved.

    Raises:
        StateError: the counters cannot be read.
    """
    if app.gate.hidden(caller.identity, RUN):
        return Verdict(
            effect="deny", code="not_listed", reason="You have no tool that runs workflows."
        )
    decision = decided(app, caller, call)
    told = Verdict(
        effect=_EFFECTS[decision.effect],
        code=None if decision.effect is Effect.ALLOW else decision.code,
        rule=decision.rule or None,
        reason=decision.reason[:1000] or None,
        fix=None if decision.fix is None else dict(decision.fix),
    )
    status = await app.gate.status(caller.call(), jobs.label)
    if any(use.used >= use.cause.most for use in status.slots):
        # Jobs that ended unnoticed hold no slot, as when a run needs one.
        await jobs.judge.reconcile(caller.grant)
        status = await app.gate.status(caller.call(), jobs.label)
    if status.standing is not None:
        return _stopped(status.standing)
    return told.model_copy(update={"limits": _limits(decision, status) or None})


def _stopped(standing: Frozen | Cooling) -> Verdict:
    if isinstance(standing, Frozen):
        return Verdict(effect="deny", code="frozen", reason="The owner has stopped this for now.")
    wait = f"Too many of your calls were refused; retry in {standing.retry_after_ms / 1000:.0f} s."
    return Verdict(effect="deny", code="cooldown", reason=wait)


def _limits(decision: Decision, status: Status) -> list[LimitTaken]:
    """Those that the run counts against, the fullest first."""
    uses = {(limit.rule, limit.counter): use for limit, use in status.limits}
    caps = {cap.rule for cap in decision.slots}
    found = [
        LimitTaken(
            limit="unfinished jobs at a time",
            takes=1,
            left=max(0, use.cause.most - use.used),
        )
        for use in status.slots
        if use.cause.rule in caps
    ]
    for limit in decision.limits:
        use = uses.get((limit.rule, limit.counter))
        if use is None:
            continue
        left = max(0, limit.most - use.used)
        wait = use.retry_after_ms if limit.amount > left else None
        found.append(
            LimitTaken(
                limit=limit.words[:WORDS],
                takes=limit.amount / UNIT,
                left=left / UNIT,
                retry_after_s=None if wait is None else wait / 1000,
            )
        )
    return sorted(found, key=lambda one: one.left - one.takes)[:MOST_LIMITS]


_EFFECTS: dict[Effect, Literal["allow", "deny", "require_approval"]] = {
    Effect.ALLOW: "allow",
    Effect.DENY: "deny",
    Effect.APPROVAL: "require_approval",
}
_DEFAULTS: dict[str, Any] = {
    name: one.default
    for name, one in inspect.signature(run_workflow).parameters.items()
    if one.kind is inspect.Parameter.KEYWORD_ONLY
}
