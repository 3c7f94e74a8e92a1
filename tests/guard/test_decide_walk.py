"""The steps of a decision, one by one, and which facts have to be measured for them."""

from __future__ import annotations

from typing import Any

import pytest

from comfy_mcp.guard.callers import caller_of
from comfy_mcp.guard.catalog import TOOLS, ToolClass
from comfy_mcp.guard.compiling import in_force
from comfy_mcp.guard.decide import STEPS, decide, walk, wanted
from comfy_mcp.guard.question import Question, Run
from comfy_mcp.workflow.facts import Facts
from tests.guard.questions import ALLOWED, policy, question

ALWAYS = {"output_prefixes", "api_nodes", "job_files"}


def test_the_steps_have_an_order() -> None:
    assert list(STEPS) == [
        *("identity", "tool", "hide", "default", "action", "require", "deny_if", "ownership"),
        *("run", "input_path", "node_class", "api_node", "model", "output_path", "queue_jump"),
        *("gpu_limit", "undetermined", "amounts", "queue_full", "approval", "allowed"),
    ]


def test_a_walk_goes_to_the_step_that_decides_and_names_the_rest() -> None:
    found = policy({**ALLOWED, "gpu": {"max_steps": 5}})
    asked = question("run_workflow", run=Run(Facts(steps=9)))
    steps = walk(found, asked)
    verdicts = {one.step: one.verdict for one in steps}
    assert [one.step for one in steps] == list(STEPS)
    assert verdicts["gpu_limit"] == "decided"
    assert {verdicts[name] for name in list(STEPS)[:15]} == {"passed"}
    assert {verdicts[name] for name in list(STEPS)[16:]} == {"not asked"}
    decided = next(one for one in steps if one.verdict == "decided")
    decision = decide(found, asked)
    assert (decided.step, decided.rule, decided.words) == (
        decision.step,
        decision.rule,
        decision.reason,
    )


def test_a_walk_tells_the_operator_what_hides_a_tool() -> None:
    steps = walk(policy({**ALLOWED, "hide": ["get_*"]}), question("get_job"))
    assert [one.rule for one in steps if one.verdict == "decided"] == ["/hide/0"]


@pytest.mark.parametrize(
    ("keys", "step", "words"),
    [
        ({"tool": "get_job"}, "gpu_limit", "get_job has no graph"),
        ({"tool": "run_workflow", "final": False}, "gpu_limit", "the graph is not known yet"),
        ({"tool": "cancel_job", "final": False}, "ownership", "whose job it is about is not known"),
    ],
)
def test_what_cannot_be_asked_is_not_asked(keys: dict[str, Any], step: str, words: str) -> None:
    steps = walk(policy(ALLOWED), question(**keys))
    looked = next(one for one in steps if one.step == step)
    assert looked.verdict == "not asked"
    assert words in looked.words


def test_a_step_that_passed_says_what_it_looked_at() -> None:
    rule = {
        "require": [{"path": "args.a", "op": "eq", "value": 1}],
        "deny_if": [{"path": "graph.steps", "op": "gt", "value": 9}],
        "limits": [{"counter": "c", "window": "day", "max": 9, "increment_from": "args.a"}],
    }
    document = {
        "tools": {"run_workflow": rule},
        "grants": {"ann": {"match": {"stdio": "me"}}},
        "gpu": {
            "max_steps": 9,
            "max_megapixels": 4.2,
            "max_queue_depth": 4,
            "allow_node_classes": ["*"],
            "allow_models": {"*": ["*"]},
            "output_prefix": "a/",
        },
    }
    run = Run(Facts(steps=5, node_classes={"K": "1"}), queue_depth=2)
    steps = walk(policy(document), question("run_workflow", args={"a": 1}, run=run))
    words = {one.step: (one.rule, one.words) for one in steps if one.verdict == "passed"}
    assert words["identity"] == ("/grants/ann", "the caller is ann")
    assert words["default"] == ("/tools/run_workflow", "it may be called")
    assert words["require"] == ("", "1 hold")
    assert words["deny_if"] == ("", "1 do not match")
    assert words["node_class"] == ("", "1 classes are allowed")
    assert words["gpu_limit"] == ("", "5 steps of 9, 0 megapixels of 4.2")
    assert words["queue_full"] == ("/gpu/max_queue_depth", "2 jobs, below 4")
    assert words["queue_jump"] == ("/gpu/queue_jump", "queue_jump is deny")
    assert words["amounts"] == ("", "1 are numbers")


def test_predicates_that_wait_for_the_graph_are_counted() -> None:
    rule = {"deny_if": [{"path": "graph.steps", "op": "gt", "value": 9}]}
    steps = walk(policy({"tools": {"run_workflow": rule}}), Question("run_workflow", "me"))
    looked = next(one for one in steps if one.step == "deny_if")
    assert looked.words == "0 do not match; 1 cannot be judged yet"


def test_tables_are_made_once_and_never_for_what_a_caller_makes_up() -> None:
    found = policy({**ALLOWED, "grants": {"me": {}}})
    caller = caller_of(found, "me", 0)
    assert in_force(found, "get_job", caller) is in_force(found, "get_job", caller)
    decide(found, question("get_job"))
    kept = len(vars(found)["_kept"])
    for number in range(20):
        decide(found, question(f"tool-{number}"))
        decide(found, question("get_job", identity=f"caller-{number}"))
        wanted(found, f"tool-{number}", f"caller-{number}")
    assert len(vars(found)["_kept"]) == kept


# Facts that are wanted.


def condition(path: str) -> dict[str, Any]:
    return {"path": path, "op": "exists", "value": True}


@pytest.mark.parametrize(
    ("rule", "gpu", "facts"),
    [
        ({}, {}, set()),
        ({}, {"max_nodes": 9}, {"nodes"}),
        ({}, {"max_workflow_bytes": 9}, {"bytes"}),
        ({}, {"max_steps": 9}, {"steps", "unknown_classes"}),
        ({}, {"max_queue_depth": 9}, {"queue_depth"}),
        ({}, {"max_in_flight": 9, "max_seconds_per_job": 9}, set()),
        ({}, {"gpu_seconds": [{"window": 9, "max": 9}]}, {"estimate"}),
        ({}, {"allow_node_classes": ["*"]}, {"node_classes"}),
        ({}, {"deny_node_classes": ["x"]}, {"node_classes"}),
        ({}, {"allow_models": {"loras": ["*"]}}, {"models"}),
        ({}, {"deny_models": {"loras": ["*"]}}, {"models"}),
        ({"require": [condition("graph.batch")]}, {}, {"batch", "unknown_classes"}),
        ({"deny_if": [condition("gpu.frames")]}, {}, {"frames", "unknown_classes"}),
        ({"deny_if": [condition("graph.models.loras")]}, {}, {"models"}),
        ({"deny_if": [condition("graph.front")]}, {}, set()),
        ({"deny_if": [condition("graph.estimated_seconds")]}, {}, {"estimate"}),
        ({"require_approval": {"when": [condition("graph.queue_depth")]}}, {}, {"queue_depth"}),
        (
            {"limits": [{"counter": "c", "window": 9, "max": 9, "increment_from": "graph.width"}]},
            {},
            {"width", "unknown_classes"},
        ),
        ({"deny_if": [condition("args.a"), condition("time.hour")]}, {}, set()),
    ],
)
def test_every_fact_that_a_rule_looks_at_is_wanted(
    rule: dict[str, Any], gpu: dict[str, Any], facts: set[str]
) -> None:
    found = policy({"tools": {"run_workflow": rule, "*": {}}, "gpu": gpu})
    assert wanted(found, "run_workflow", "me") == ALWAYS | facts


def test_what_the_policy_gives_away_need_not_be_measured() -> None:
    found = policy({**ALLOWED, "gpu": {"api_nodes": "allow", "ownership": "any"}})
    assert wanted(found, "run_workflow", "me") == {"output_prefixes"}


def test_calls_without_a_graph_want_nothing() -> None:
    found = policy({**ALLOWED, "all_tools": {"deny_if": [condition("graph.steps")]}})
    for tool, kind in TOOLS.items():
        assert bool(wanted(found, tool, "me")) is (kind is ToolClass.EXECUTE)
    assert wanted(found, "make_coffee", "me") == frozenset()
