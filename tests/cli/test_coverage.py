"""Which rules no test met is said by pointer: parts by themselves, rules without parts whole."""

from __future__ import annotations

import json
from typing import Any

from comfy_mcp.cli.coverage import pointers, untouched
from comfy_mcp.guard.loading import parse
from comfy_mcp.guard.policy import Policy


def policy(**keys: Any) -> Policy:
    return parse(json.dumps({"version": "1", "default": "deny", **keys}), "test").policy


FULL = {
    "hide": ["interrupt_execution"],
    "tools": {
        "get_job": {},
        "run_workflow": {
            "limits": [{"counter": "runs", "window": "hour", "max": 3}],
            "require": [{"path": "args.workflow", "op": "eq", "value": "txt2img"}],
            "require_approval": {"when": [{"path": "graph.steps", "op": "gt", "value": 9}]},
        },
    },
    "gpu": {"max_steps": 20, "max_workflow_bytes": 9_000, "output_prefix": "x/"},
    "grants": {"ann": {"gpu": {"max_steps": 10}}},
    "denials": {"max": 3, "window": "minute", "cooldown": 60},
}


def test_everything_that_can_decide_is_named_once() -> None:
    assert pointers(policy(**FULL)) == (
        "/hide/0",
        "/tools/get_job",
        "/tools/run_workflow/limits/0",
        "/tools/run_workflow/require/0",
        "/tools/run_workflow/require_approval",
        "/gpu/max_steps",
        "/gpu/max_workflow_bytes",
        "/gpu/output_prefix",
        "/grants/ann",
        "/grants/ann/gpu/max_steps",
        "/denials",
    )


def test_what_a_call_met_is_not_told() -> None:
    met = frozenset({"/gpu/max_steps", "/tools/get_job", "grant ann", "code cooldown"})

    left = untouched(policy(**FULL), met)

    assert {"/gpu/max_steps", "/tools/get_job", "/grants/ann", "/denials"}.isdisjoint(left)
    assert "/gpu/max_workflow_bytes" in left


def test_a_pointer_is_not_met_by_one_that_only_begins_like_it() -> None:
    found = policy(tools={"get_job": {}}, gpu={"max_steps": 20})

    assert untouched(found, frozenset({"/tools/get_jobs", "/gpu/max"})) == pointers(found)


def test_a_word_that_lets_everything_pass_refuses_nothing() -> None:
    words = {"api_nodes": "allow", "ownership": "any", "queue_jump": "approve"}

    assert pointers(policy(tools={"get_job": {}}, gpu=words))[1:] == ("/gpu/queue_jump",)
