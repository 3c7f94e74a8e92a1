"""Rows of the audit log: names of arguments and digests of their values, never the values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from comfy_mcp.errors import Refused, WorkflowError
from comfy_mcp.guard.call import Call
from comfy_mcp.guard.catalog import TOOLS, canonical
from comfy_mcp.guard.question import Decision, Effect
from comfy_mcp.store.protocol import JobRow
from comfy_mcp.workflow import digest
from comfy_mcp.workflow.facts import Facts

__all__ = ["of_decision", "of_outcome", "of_overtime", "of_refusal"]

MAX_NAME = 128
"""Characters of a name that somebody else chose: anybody may call anything."""

MAX_NAMES = 20
"""Node classes, models, arguments and jobs that are named in one row."""


MAX_TEXT, MAX_PARTS = 2_000_000, 200_000
"""Characters and parts of an argument whose digest is written: of larger ones it takes too long."""


def of_decision(call: Call, decision: Decision, decision_id: str, revision: str) -> dict[str, Any]:
    """The row of a decision, written before its effect."""
    tool = canonical(call.tool)
    approved = call.spend is not None and decision.effect is Effect.APPROVAL
    row: dict[str, Any] = {
        "kind": "decision",
        "decision_id": decision_id,
        "grant": call.grant,
        "transport": call.transport,
        "client": call.client,
        "tool": tool[:MAX_NAME],
        "class": TOOLS.get(tool),
        "args": _digests(call.args or {}),
        "decision": Effect.ALLOW.value if approved else decision.effect.value,
        "code": "approved" if approved else decision.code,
        "rule": decision.hidden_by or decision.rule,
        "policy": revision,
        "prompt_id": call.job.prompt_id if call.job else call.target,
        "workflow": call.job.workflow[:MAX_NAME] if call.job else None,
        "digest": call.job.digest if call.job else None,
    }
    if call.upload is not None:
        row["upload"] = {"name": call.upload.name[:MAX_NAME], "sha256": call.upload.sha256}
    if call.sweep is not None:
        row |= {"sweep": call.sweep.sweep_id, "variants": len(call.variants)}
        row["workflow"] = call.sweep.workflow[:MAX_NAME]
    if call.targets:
        row["targets"] = {"count": len(call.targets), "prompt_ids": _few(call.targets)}
    if call.spend is not None:
        row["approval"] = call.spend.approval_id
        row["assurance"] = call.spend.assurance
    if call.run is not None:
        row["facts"] = _facts(call.run.facts)
    if decision.limits and (approved or decision.effect is Effect.ALLOW):
        row["limits"] = {limit.rule: limit.amount / 1_000_000 for limit in decision.limits}
    return row


def of_refusal(row: Mapping[str, Any], refusal: Refused) -> dict[str, Any]:
    """*row* of a decision that something else than the policy's own words turned into a no."""
    denial = refusal.denial
    kept = {key: value for key, value in row.items() if key != "limits"}
    changed = {"decision": denial.decision, "code": denial.code, "rule": denial.rule}
    more = {"limit": denial.limit, "approval": denial.approval_id}
    return {**kept, **changed, **{key: value for key, value in more.items() if value}}


def of_outcome(call: Call, decision_id: str, outcome: str) -> dict[str, Any]:
    """The row of what became of an allowed call."""
    return {
        "kind": "outcome",
        "decision_id": decision_id,
        "tool": canonical(call.tool)[:MAX_NAME],
        "outcome": outcome,
    }


def of_overtime(row: JobRow, decision_id: str, revision: str) -> dict[str, Any]:
    """The row of the guard's own decision to stop a job that ran too long."""
    return {
        "kind": "decision",
        "decision_id": decision_id,
        "grant": row.grant,
        "transport": "watchdog",
        "client": None,
        "tool": "watchdog",
        "class": "destructive",
        "args": {},
        "decision": Effect.ALLOW.value,
        "code": "overtime",
        "rule": row.cap_rule,
        "policy": revision,
        "prompt_id": row.prompt_id,
        "workflow": row.workflow[:MAX_NAME],
        "digest": row.digest,
    }


def _digests(args: Mapping[str, Any]) -> dict[str, str]:
    return {str(name)[:MAX_NAME]: _digest(args[name]) for name in sorted(args)[:MAX_NAMES]}


def _digest(value: object) -> str:
    if _is_long(value):
        # A call that is refused may bring any amount, and must not take time for it.
        return "too long"
    try:
        return digest(value)
    except (TypeError, ValueError, RecursionError, WorkflowError):
        return "unreadable"


def _is_long(value: object) -> bool:
    """It has more than `MAX_TEXT` characters in its texts, or more than `MAX_PARTS` parts."""
    parts: list[object] = [value]
    seen = length = 0
    while parts:
        part = parts.pop()
        seen += 1
        if isinstance(part, str):
            length += len(part)
        elif isinstance(part, Mapping):
            parts += cast("Mapping[str, object]", part).keys()
            parts += cast("Mapping[str, object]", part).values()
        elif isinstance(part, list | tuple):
            parts += cast("Sequence[object]", part)
        if length > MAX_TEXT or seen + len(parts) > MAX_PARTS:
            return True
    return False


def _facts(facts: Facts) -> dict[str, Any]:
    models = [f"{folder}/{one.name}" for folder, used in facts.models.items() for one in used]
    return {
        "nodes": facts.nodes,
        "bytes": facts.bytes,
        "steps": facts.steps,
        "total_steps": facts.total_steps,
        "width": facts.width,
        "height": facts.height,
        "megapixels": facts.megapixels,
        "batch": facts.batch,
        "frames": facts.frames,
        "models": _few(models),
        "unknown_classes": _few(facts.unknown_classes),
        "api_nodes": _few(facts.api_nodes),
        "undetermined": sorted(facts.undetermined),
    }


def _few(names: Any) -> list[str]:
    return [str(name)[:MAX_NAME] for name in sorted(names)[:MAX_NAMES]]
