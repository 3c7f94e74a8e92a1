"""What is wrong or odd about a policy as a whole, which no single entry of it can show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfy_mcp.guard.catalog import TOOLS
from comfy_mcp.guard.decide import decide
from comfy_mcp.guard.lint_approvals import approval_warnings
from comfy_mcp.guard.lint_counters import counter_faults, counter_warnings
from comfy_mcp.guard.lint_dead import dead_warnings
from comfy_mcp.guard.lint_gpu import gpu_faults, gpu_warnings
from comfy_mcp.guard.lint_grants import grant_faults, grant_warnings
from comfy_mcp.guard.lint_names import name_faults, name_warnings
from comfy_mcp.guard.lint_reach import callers
from comfy_mcp.guard.question import Effect, Question

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfy_mcp.errors import Fault
    from comfy_mcp.guard.policy import Grant, Policy

__all__ = ["faults", "warnings"]


def faults(policy: Policy) -> tuple[Fault, ...]:
    """What forbids the use of *policy*: entries that contradict each other or would fail open."""
    return (
        *counter_faults(policy),
        *grant_faults(policy),
        *gpu_faults(policy),
        *name_faults(policy),
    )


def warnings(policy: Policy, now_ms: int) -> tuple[str, ...]:
    """What *policy* can be used with, but its author should know; each a sentence or two.

    *now_ms* tells which grants have expired.
    """
    found = (
        *name_warnings(policy),
        *grant_warnings(policy, now_ms),
        *counter_warnings(policy),
        *gpu_warnings(policy),
        *dead_warnings(policy),
        *approval_warnings(policy, now_ms),
        *_powers(policy, now_ms),
    )
    return tuple(dict.fromkeys(found))


def _powers(policy: Policy, now_ms: int) -> Iterator[str]:
    """Callers that may do nothing, or that may start what they cannot follow."""
    able = [
        (grant, _usable(policy, grant, now_ms))
        for grant, _ in callers(policy)
        if grant is None or not _is_over(grant, now_ms)
    ]
    if not any(tools for _, tools in able):
        yield (
            "Nothing is allowed: every call of every tool will be denied."
            ' List the tools that may be called under "tools", or set "default": "allow".'
        )
        return
    for grant, tools in able:
        who = "" if grant is None else f"{grant.where}: "
        if not tools:
            yield f"{who}nothing is allowed: every call of this grant will be denied."
        elif "run_workflow" in tools and "get_job" not in tools:
            yield (
                f"{who}run_workflow is allowed but get_job is not: an agent can start jobs and"
                ' never learn what became of them. Add "get_job": {} to "tools".'
            )
        if "run_sweep" in tools and "run_workflow" not in tools:
            yield (
                f"{who}run_sweep is allowed but run_workflow is not: each run of a sweep is judged"
                ' as run_workflow, too, so every sweep will be denied. Add "run_workflow": {} to'
                ' "tools", or leave run_sweep out.'
            )


def _is_over(grant: Grant, now_ms: int) -> bool:
    return grant.revoked or (grant.expires_ms is not None and grant.expires_ms <= now_ms)


def _usable(policy: Policy, grant: Grant | None, now_ms: int) -> frozenset[str]:
    """The tools that may be called, as far as arguments and counters do not matter."""
    identity = "" if grant is None else grant.stdio
    asked = {tool: decide(policy, Question(tool, identity, at_ms=now_ms)) for tool in TOOLS}
    return frozenset(tool for tool, said in asked.items() if said.effect is not Effect.DENY)
