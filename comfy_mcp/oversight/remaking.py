"""A request with what a person changed: made anew, measured, and judged by the policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from comfy_mcp.errors import WorkflowError
from comfy_mcp.oversight.described import described
from comfy_mcp.oversight.judging import Judge, Judged, Trial
from comfy_mcp.store.asked import QUESTION, ApprovalRow
from comfy_mcp.workflow.digest import digest
from comfy_mcp.workflow.facts import Known
from comfy_mcp.workflow.flaws import listed, nearest, shown
from comfy_mcp.workflow.frozen import remake
from comfy_mcp.workflow.measure import measure

__all__ = ["Changed", "changed"]


@dataclass(frozen=True, slots=True)
class Changed:
    """What a yes would be for: *changes* maps each name to ``[before, after]``.

    *judged* is the policy's word; None if no policy has one, as to a question of the agent.
    """

    payload: Mapping[str, Any]
    effect: str
    facts: Mapping[str, Any]
    changes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    judged: Judged | None = None


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
    values = {**_mapping(row.facts.get("values")), **after}
    told = {
        **row.facts,
        "values": values,
        "graph": described(remade.graph, facts),
        "estimate_s": None,
    }
    judged = None
    if judge is not None:
        judged = judge(Trial(row, _args(row, remade.payload, after), facts, now_ms))
    return Changed(remade.payload, digest(remade.payload), told, remade.changes, judged)


def _args(
    row: ApprovalRow, payload: Mapping[str, Any], after: Mapping[str, object]
) -> dict[str, Any]:
    """The arguments of the call, as if it had been made with the changes."""
    inline = payload.get("manifest") is None
    return {
        **_mapping(row.facts.get("args")),
        "workflow": payload["graph"] if inline else payload["workflow"],
        "params": {} if inline else {**_mapping(payload.get("values")), **after},
        "front": payload.get("front") is True,
    }


def _context(row: ApprovalRow, changes: Mapping[str, object]) -> Changed:
    """A question of the agent: the values of its context are its parameters."""
    was = _mapping(row.payload.get("context"))
    for name in changes:
        if name not in was:
            close = nearest(name, tuple(was))
            hint = f' Did you mean "{close}"?' if close else ""
            known = f" It has: {listed(tuple(was))}." if was else " It has no context."
            raise WorkflowError(f'The context has no "{shown(name)}".{hint}{known}')
    made = {name: [was[name], value] for name, value in changes.items() if was[name] != value}
    payload = {**row.payload, "context": {**was, **changes}}
    facts = {**row.facts, "context": payload["context"]}
    return Changed(payload, digest(payload), facts, made)


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}
