"""What an agent may do under a policy, in words: one row for each tool."""

from __future__ import annotations

from dataclasses import dataclass

from comfy_mcp.guard.catalog import TOOLS, ToolClass
from comfy_mcp.guard.decide import Decision, Effect, Question, decide, listed
from comfy_mcp.guard.policy import Policy

__all__ = ["Power", "powers"]


@dataclass(frozen=True, slots=True)
class Power:
    """One tool: whether agents see it, and what becomes of a call."""

    tool: str
    listed: bool
    words: str


def powers(policy: Policy, grant: str) -> tuple[Power, ...]:
    """What *grant* may do with each tool, to its own jobs, before any limit is used up."""
    asked = {tool: decide(policy, Question(tool, grant, "mine")) for tool in TOOLS}
    return tuple(
        Power(tool, listed(policy, tool), _words(tool, decision))
        for tool, decision in asked.items()
    )


def _words(tool: str, decision: Decision) -> str:
    if decision.hidden_by:
        return f"hidden by {decision.hidden_by}: it seems not to exist"
    if decision.effect is Effect.DENY:
        return f"denied by {decision.rule or '/default'}: {decision.reason}"
    if decision.effect is Effect.APPROVAL:
        return f"refused: {decision.reason} This version cannot ask a person yet."
    own = ["own jobs only"] if TOOLS[tool] is ToolClass.DESTRUCTIVE else []
    limits = [limit.words for limit in decision.limits]
    slots = [f"at most {most} unfinished jobs" for _, most in decision.max_in_flight]
    return "; ".join(["allowed", *own, *limits, *slots])
