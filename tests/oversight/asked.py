"""Requests to a person as servers park them, and words that an agent should not get away with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from comfy_mcp.guard.loading import load
from comfy_mcp.library import Library, shipped_folder
from comfy_mcp.store.asked import CALL, QUESTION, ApprovalRow, NewApproval, Parked
from comfy_mcp.store.protocol import Store
from comfy_mcp.workflow import digest, fill, parse_graph
from comfy_mcp.workflow.described import described
from comfy_mcp.workflow.facts import Known
from comfy_mcp.workflow.frozen import frozen
from comfy_mcp.workflow.measure import measure

NOW = 1_700_000_000_000
SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000
HOST = "http://127.0.0.1:8188"
BY = {"channel": "terminal", "user": "ada", "assurance": "operator"}

ASKS = {"/tools/run_workflow/require_approval": "More than two megapixels."}

NASTY = (
    "a fox\x1b[2J\x1b[1;1H\r\n  status      approved by root\u202egpj.exe\u200b\u2066"
    "[bold red]x[/] <img src=x onerror=alert(1)> \x07\x9b31m\U000e0041\ufe0f\u3164 end "
)
"""Escapes, a forged row, turned direction, unseen characters, markup of two kinds, a bell."""

LONG = "10,000 characters " * 556


def policy_file(folder: Path, **more: Any) -> Path:
    """A policy that wants a person for runs above two megapixels."""
    large = [{"path": "graph.megapixels", "op": "gt", "value": 2}]
    rules: dict[str, Any] = {
        "version": "1",
        "default": "deny",
        "tools": {
            "run_workflow": {
                "require_approval": {"when": large, "reason": "More than two megapixels."},
                "gpu": {"max_steps": 60, "max_megapixels": 6},
            },
            "get_job": {},
        },
        **more,
    }
    path = folder / "policy.json"
    path.write_text(json.dumps(rules))
    path.chmod(0o600)
    return path


def run_request(policy: Path | None = None, number: int = 1, **params: Any) -> NewApproval:
    """The request for a run of the shipped txt2img; *params* lie over its own."""
    known = Library((shipped_folder(),)).load("txt2img")
    given = {"prompt": "a red fox", "width": 2048, "height": 2048, "steps": 50, **params}
    given.setdefault("checkpoint", "photo.safetensors")
    filled = fill(known.graph, known.manifest, given, draw_seed=lambda: 7)
    graph = parse_graph(filled.graph.to_json())
    args = {"workflow": "txt2img", "params": given, "front": False}
    payload = {
        **frozen(
            filled,
            workflow="txt2img",
            base=known.graph,
            manifest=known.manifest,
            prefix=None,
            front=False,
        ),
        "args": args,
        "host": HOST,
    }
    facts = {
        "tool": "run_workflow",
        "class": "execute",
        "asks": ASKS,
        "workflow": "txt2img",
        "title": "Text to picture",
        "values": dict(filled.values),
        "given": sorted(given),
        "drawn": list(filled.drawn),
        "graph": described(graph, measure(graph, Known())),
        "front": False,
        "estimate_s": 38.2,
        "queue": {"running": 1, "pending": 3},
        "inputs": [],
        "host": HOST,
        "place": HOST,
        "policy_files": [] if policy is None else [str(policy)],
        "client": "test",
        "targets": [],
    }
    return new(number, payload, facts, policy=load([policy] if policy else []).revision)


def inline_request(graph: Mapping[str, Any], /, number: int = 1, **more: Any) -> NewApproval:
    """The request for a run of a graph that the agent wrote itself."""
    parsed = parse_graph(dict(graph))
    filled = fill(parsed, None, {}, draw_seed=lambda: 7)
    made = frozen(filled, workflow="inline", base=parsed, manifest=None, prefix=None, front=False)
    request = run_request(number=number)
    facts = {
        **request.facts,
        "workflow": "inline",
        "title": None,
        "values": {},
        "given": [],
        "drawn": [],
        "graph": described(parsed, measure(parsed, Known())),
        **more,
    }
    args = {"workflow": dict(graph), "params": {}, "front": False}
    return new(number, {**made, "args": args, "host": HOST}, facts, policy=request.policy)


def stop_request(number: int = 1, **target: Any) -> NewApproval:
    """The request to stop a job."""
    job = {"prompt_id": "11112222-3333-4444-5555-666677778888", "owner": "other agent"}
    facts = {
        "tool": "interrupt_execution",
        "class": "destructive",
        "asks": {"/tools/interrupt_execution": "Stopping needs the owner's word."},
        "targets": [{**job, "grant": "bob", "workflow": "txt2img", "status": "pending", **target}],
        "args": {"prompt_id": job["prompt_id"]},
        "host": HOST,
        "policy_files": [],
    }
    payload = {"kind": "plain", "target": job["prompt_id"], "targets": [], "args": facts["args"]}
    made = new(number, payload, facts, policy=load([]).revision)
    return replace(made, tool="interrupt_execution")


def question(
    number: int = 1, action: str = "May I delete the drafts?", **context: Any
) -> NewApproval:
    """A request that an agent made up itself."""
    context = context or {"drafts": 12, "folder": "drafts"}
    facts = {
        "tool": "request_approval",
        "action": action,
        "context": context,
        "urgency": "low",
    }
    made = new(number, {"action": action, "context": context}, facts, policy="")
    return replace(made, kind=QUESTION, tool="request_approval")


def new(
    number: int, payload: Mapping[str, Any], facts: Mapping[str, Any], *, policy: str
) -> NewApproval:
    """A request of *grant* ci-bot that lives for an hour."""
    return NewApproval(
        approval_id=f"apr_{number:016x}",
        kind=CALL,
        grant="ci-bot",
        host=HOST,
        tool="run_workflow",
        match=f"match {number}",
        effect=digest(payload),
        policy=policy,
        payload=payload,
        facts=facts,
        client="a client",
    )


async def parked(store: Store, request: NewApproval, now_ms: int = NOW) -> ApprovalRow:
    """*request* as a row of *store*."""
    record = {"kind": "approval", "action": "requested", "approval_id": request.approval_id}
    found = await store.park(now_ms, request, record, most=1_000)
    assert isinstance(found, Parked)
    return found.row
