"""A request with what a person changed: made anew, measured, and judged by the policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from comfy_mcp.errors import WorkflowError
from comfy_mcp.oversight.judging import Judge, Judged, Trial
from comfy_mcp.oversight.values import mapping
from comfy_mcp.store.asked import QUESTION, ApprovalRow
from comfy_mcp.workflow.described import described
from comfy_mcp.workflow.digest import digest
from comfy_mcp.workflow.facts import Known
from comfy_mcp.workflow.flaws import listed, nearest, shown
from comfy_mcp.workflow.frozen import changeable, remake
from comfy_mcp.workflow.measure import measure
from comfy_mcp.workflow.parse import parse_graph

__all__ = ["Changed", "changed"]


@dataclass(frozen=True, slots=True)
class Changed:
    """What a yes would be for: *changes* maps each name to ``[before, after]``.

    *refused*: the policy denies it. *later*: the policy can only be asked once ComfyUI is.
    """

    payload: Mapping[str, Any]
    effect: str
    facts: Mapping[str, Any]
    changes: Mapping[str, Any]
    refused: Judged | None = None
    later: bool = False


def changed(
    row: ApprovalRow, changes: Mapping[str, object], judge: Judge | None, now_ms: int
) -> Changed:
    """*row* with *changes*. Works on the graph and reads policy files: call it on a thread.

    What only ComfyUI knows is undetermined here: the gate asks it when the agent comes back.

    Raises:
        WorkflowError: a name or a value does not fit.
        ConfigError: the policy cannot be read.
    """
    if row.kind == QUESTION:
        return _context(row, changes)
    remade = remake(row.payload, changes)
    facts = measure(remade.graph, Known())
    after = {name: pair[1] for name, pair in remade.changes.items()}
    told = {
        **row.facts,
        "values": {**mapping(row.facts.get("values")), **after},
        "graph": described(remade.graph, facts),
        "estimate_s": None,
    }
    effect = digest(remade.payload)
    if judge is None:
        return Changed(remade.payload, effect, told, remade.changes)
    judged = judge(Trial(row, _args(row, after), facts, now_ms))
    if not judged.refused:
        return Changed(remade.payload, effect, told, remade.changes)
    later = judged.code == "undetermined" or _always(row, judge, judged, now_ms)
    refused = None if later else judged
    return Changed(remade.payload, effect, told, remade.changes, refused, later)


def _always(row: ApprovalRow, judge: Judge, judged: Judged, now_ms: int) -> bool:
    """The same rule refuses what was asked: not because of the changes, but for want of knowledge.

    What was asked was judged before with all that ComfyUI and the call told, and not refused.
    """
    facts = measure(parse_graph(row.payload["graph"]), Known())
    before = judge(Trial(row, _args(row, {}), facts, now_ms))
    return (before.code, before.rule) == (judged.code, judged.rule)


def _args(row: ApprovalRow, after: Mapping[str, object]) -> dict[str, Any]:
    """The arguments of the call, as if it had been made with the changes."""
    args = mapping(row.payload.get("args"))
    names = changeable(row.payload)
    given = {name: value for name, value in after.items() if name in names}
    params = {**mapping(args.get("params")), **given}
    return {**mapping(row.payload.get("waits")), **args, "params": params}


def _context(row: ApprovalRow, changes: Mapping[str, object]) -> Changed:
    """A question of the agent: the values of its context are its parameters."""
    was = mapping(row.payload.get("context"))
    for name in changes:
        if name not in was:
            close = nearest(name, tuple(was))
            hint = f' Did you mean "{shown(close)}"?' if close else ""
            known = f" It has: {listed(tuple(was))}." if was else " It has no context."
            raise WorkflowError(f'The context has no "{shown(name)}".{hint}{known}')
    made = {name: [was[name], value] for name, value in changes.items() if was[name] != value}
    payload = {**row.payload, "context": {**was, **changes}}
    facts = {**row.facts, "context": payload["context"]}
    return Changed(payload, digest(payload), facts, made)
