"""Requirements and denials: what is missing or of another type never helps a caller."""

from __future__ import annotations

from typing import Any

import pytest

from comfy_mcp.guard.question import Decision, Effect, Run
from comfy_mcp.workflow.facts import Facts, JobFile
from tests.guard.questions import ask, models, prefixes


def condition(path: str, op: str, value: object) -> dict[str, Any]:
    return {"path": path, "op": op, "value": value}


def required(args: object, path: str, op: str, value: object) -> bool:
    rule = {"require": [condition(path, op, value)]}
    return ask({"tools": {"get_job": rule}}, "get_job", args=args).code == "allowed"


def denied(args: object, path: str, op: str, value: object) -> bool:
    rule = {"deny_if": [condition(path, op, value)]}
    return ask({"tools": {"get_job": rule}}, "get_job", args=args).code == "deny_if"


def approved(args: object, path: str, op: str, value: object) -> bool:
    """Whether a person is asked."""
    rule = {"require_approval": {"when": [condition(path, op, value)]}}
    return ask({"tools": {"get_job": rule}}, "get_job", args=args).effect is Effect.APPROVAL


NAN = float("nan")

CASES: list[tuple[str, object, str, str, object, tuple[bool, bool, bool]]] = [
    # what, arguments, path, op, value; satisfies require, matches deny_if, asks a person
    ("holds", {"a": 5}, "args.a", "lte", 5, (True, True, True)),
    ("does not hold", {"a": 6}, "args.a", "lte", 5, (False, False, False)),
    ("a text is no number", {"a": "5"}, "args.a", "lte", 5, (False, True, True)),
    ("true is no number", {"a": True}, "args.a", "lte", 5, (False, True, True)),
    ("NaN is no number", {"a": NAN}, "args.a", "lte", 5, (False, True, True)),
    ("missing", {}, "args.a", "lte", 5, (False, False, True)),
    ("no arguments at all", None, "args.a", "lte", 5, (False, False, True)),
    ("null is missing", {"a": None}, "args.a", "lte", 5, (False, False, True)),
    (
        "null is missing for every comparison",
        {"a": None},
        "args.a",
        "neq",
        "x",
        (False, False, True),
    ),
    ("below", {"a": {"b": 1}}, "args.a.b", "eq", 1, (True, True, True)),
    ("below nothing", {}, "args.a.b", "eq", 1, (False, False, True)),
    ("below null", {"a": None}, "args.a.b", "eq", 1, (False, False, True)),
    ("below a text", {"a": "x"}, "args.a.b", "eq", 1, (False, True, True)),
    ("far below a text", {"a": "x"}, "args.a.b.c", "eq", 1, (False, True, True)),
    ("below a list", {"a": [1]}, "args.a.b", "eq", 1, (False, True, True)),
    ("an item", {"a": [7, 8]}, "args.a[1]", "eq", 8, (True, True, True)),
    ("an item past the end", {"a": [7]}, "args.a[1]", "eq", 8, (False, False, True)),
    ("an item of a text", {"a": "78"}, "args.a[1]", "eq", "8", (False, True, True)),
    ("an item of an object", {"a": {"1": 8}}, "args.a[1]", "eq", 8, (False, True, True)),
    ("every item", {"a": [1, 1]}, "args.a[*]", "eq", 1, (True, True, True)),
    ("some items", {"a": [1, 2]}, "args.a[*]", "eq", 1, (False, True, True)),
    ("no such item", {"a": [2, 3]}, "args.a[*]", "eq", 1, (False, False, False)),
    ("no items", {"a": []}, "args.a[*]", "eq", 1, (False, False, True)),
    ("one item of another type", {"a": [1, "x"]}, "args.a[*]", "eq", 1, (False, True, True)),
    ("items of no list", {"a": "x"}, "args.a[*]", "eq", "x", (False, True, True)),
    ("below items", {"a": [{"b": 1}, {}]}, "args.a[*].b", "eq", 1, (False, True, True)),
    ("below items, missing", {"a": [{}, {}]}, "args.a[*].b", "eq", 1, (False, False, True)),
    ("there", {"a": 0}, "args.a", "exists", True, (True, True, True)),
    ("not there", {}, "args.a", "exists", True, (False, False, False)),
    ("null is not there", {"a": None}, "args.a", "exists", True, (False, False, False)),
    ("absent", {}, "args.a", "exists", False, (True, True, True)),
    ("not absent", {"a": 0}, "args.a", "exists", False, (False, False, False)),
    ("absent below a text", {"a": "x"}, "args.a.b", "exists", False, (True, True, True)),
    ("some there", {"a": [1, None]}, "args.a[*]", "exists", True, (False, True, True)),
    ("some absent", {"a": [1, None]}, "args.a[*]", "exists", False, (False, True, True)),
    ("none there", {"a": []}, "args.a[*]", "exists", True, (False, False, False)),
    ("none absent", {"a": [1]}, "args.a[*]", "exists", False, (False, False, False)),
    ("all absent", {"a": []}, "args.a[*]", "exists", False, (True, True, True)),
    ("a pattern", {"a": "a cat"}, "args.a", "regex", "c.t", (True, True, True)),
    ("half a character", {"a": "\ud800"}, "args.a", "regex", "c", (False, True, True)),
]


@pytest.mark.parametrize(
    ("args", "path", "op", "value", "said"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_a_condition_is_judged_against_the_caller(
    args: object, path: str, op: str, value: object, said: tuple[bool, bool, bool]
) -> None:
    assert (
        required(args, path, op, value),
        denied(args, path, op, value),
        approved(args, path, op, value),
    ) == said


def rule(**keys: object) -> dict[str, Any]:
    return {"tools": {"get_job": keys}}


A_IS_1 = condition("args.a", "eq", 1)
B_IS_1 = condition("args.b", "eq", 1)
BOTH = {"conditions": [A_IS_1, B_IS_1], "name": "both", "reason": "Not both."}


@pytest.mark.parametrize(
    ("document", "args", "code", "where"),
    [
        (rule(require=[BOTH]), {"a": 1, "b": 1}, "allowed", "/tools/get_job"),
        (rule(require=[BOTH]), {"a": 1, "b": 2}, "require_failed", "/tools/get_job/require/0"),
        (rule(deny_if=[BOTH]), {"a": 1, "b": 1}, "deny_if", "/tools/get_job/deny_if/0"),
        (rule(deny_if=[BOTH]), {"a": 1, "b": 2}, "allowed", "/tools/get_job"),
        (rule(deny_if=[BOTH]), {"a": 1, "b": "x"}, "deny_if", "/tools/get_job/deny_if/0"),
        (rule(deny_if=[BOTH]), {"a": 1}, "allowed", "/tools/get_job"),
        (rule(require=[A_IS_1, B_IS_1]), {"a": 1}, "require_failed", "/tools/get_job/require/1"),
        (rule(require=[{"conditions": []}]), {}, "allowed", "/tools/get_job"),
        (rule(deny_if=[{"conditions": []}]), {}, "deny_if", "/tools/get_job/deny_if/0"),
        (rule(require=[A_IS_1], deny_if=[B_IS_1]), {"b": 1}, "require_failed", None),
        (rule(require=[A_IS_1], require_approval=True), {}, "require_failed", None),
        (rule(deny_if=[A_IS_1], require_approval=True), {"a": 1}, "deny_if", None),
        ({**rule(), "classes": {"read": {"require": [A_IS_1]}}}, {}, "require_failed", None),
        ({**rule(), "all_tools": {"deny_if": [A_IS_1]}}, {"a": 1}, "deny_if", None),
    ],
)
def test_all_predicates_of_all_rules_count(
    document: dict[str, Any], args: dict[str, Any], code: str, where: str | None
) -> None:
    decision = ask(document, "get_job", args=args)
    assert decision.code == code
    assert where in {decision.rule, None}


def test_an_unconditional_denial_is_judged_before_anything_is_known() -> None:
    document = rule(deny_if=[{"conditions": []}])
    assert ask(document, "get_job", args=None, final=False).code == "deny_if"


@pytest.mark.parametrize(
    ("when", "args", "asked"),
    [
        ([A_IS_1, B_IS_1], {"a": 1, "b": 1}, True),
        ([A_IS_1, B_IS_1], {"a": 1, "b": 2}, False),
        ([A_IS_1, B_IS_1], {"a": 1}, True),
        ([A_IS_1, B_IS_1], {"a": 1, "b": [1]}, True),
        ([], {}, True),
    ],
)
def test_a_person_is_asked_unless_a_condition_is_known_not_to_hold(
    when: list[dict[str, Any]], args: dict[str, Any], *, asked: bool
) -> None:
    decision = ask(rule(require_approval={"when": when, "reason": "Look."}), "get_job", args=args)
    assert (decision.code == "approval_required") is asked
    if asked:
        assert (decision.rule, decision.reason) == ("/tools/get_job/require_approval", "Look.")


# What paths lead to.

FACTS = Facts(
    nodes=7,
    bytes=900,
    steps=20,
    total_steps=40,
    width=1024,
    height=512,
    megapixels=0.524288,
    batch=2,
    frames=1,
    node_classes={"KSampler": "3", "SaveImage": "9"},
    unknown_classes={"Odd": "5"},
    api_nodes={"Cloud": "6"},
    models=models(checkpoints=["a.safetensors"], diffusion_models=["b.safetensors"]),
    output_prefixes=prefixes("agents/me"),
    job_files=(JobFile("output", "sub", "x.png", "2", "LoadImage", "image"),),
)
RUN = Run(FACTS, queue_depth=3, estimate_ms=1500, front=True)


@pytest.mark.parametrize(
    ("path", "op", "value"),
    [
        ("graph.nodes", "eq", 7),
        ("gpu.nodes", "eq", 7),
        ("graph.bytes", "eq", 900),
        ("graph.steps", "eq", 20),
        ("graph.total_steps", "eq", 40),
        ("graph.width", "eq", 1024),
        ("graph.height", "eq", 512),
        ("graph.megapixels", "eq", 0.524288),
        ("graph.batch", "eq", 2),
        ("graph.frames", "eq", 1),
        ("graph.node_classes", "eq", ["KSampler", "SaveImage"]),
        ("graph.node_classes[*]", "in", ["KSampler", "SaveImage"]),
        ("graph.node_classes[0]", "eq", "KSampler"),
        ("graph.unknown_classes", "eq", ["Odd"]),
        ("graph.api_nodes", "eq", ["Cloud"]),
        ("graph.models.checkpoints", "eq", ["a.safetensors"]),
        ("graph.models.checkpoints[*]", "glob", "*.safetensors"),
        ("graph.models.unet", "eq", ["b.safetensors"]),
        ("graph.models.loras", "subset_of", ["x.safetensors"]),
        ("graph.models.loras", "exists", False),
        ("graph.models.checkpoints", "exists", True),
        ("graph.api_nodes", "exists", True),
        ("graph.output_prefixes", "eq", ["agents/me"]),
        ("graph.job_files", "eq", ["sub/x.png [output]"]),
        ("graph.queue_depth", "eq", 3),
        ("graph.estimated_seconds", "eq", 1.5),
        ("graph.front", "eq", True),
        ("time.weekday", "eq", "mon"),
        ("time.date", "eq", "2026-01-05"),
        ("time.hour", "eq", 12),
        ("time.minute", "eq", 0),
        ("time.utc_hour", "eq", 12),
        ("grant.id", "eq", "me"),
        ("args.a", "eq", 1),
    ],
)
def test_a_path_leads_to_what_it_names(path: str, op: str, value: object) -> None:
    document = {
        "tools": {"run_workflow": {"require": [condition(path, op, value)]}},
        "gpu": {"undetermined": "allow", "api_nodes": "allow", "queue_jump": "allow"},
    }
    assert ask(document, "run_workflow", args={"a": 1}, run=RUN).code == "allowed"


def test_an_empty_list_of_the_graph_is_not_there() -> None:
    document = {
        "tools": {"run_workflow": {"deny_if": [condition("graph.unknown_classes", "exists", True)]}}
    }
    assert ask(document, "run_workflow", run=Run(Facts())).code == "allowed"
    assert ask(document, "run_workflow", run=Run(Facts(unknown_classes={"X": "1"}))).code == (
        "deny_if"
    )


def test_calls_without_a_graph_have_no_facts() -> None:
    one = condition("graph.steps", "lte", 5)
    run = Run(Facts(steps=1))
    assert ask(rule(require=[one]), "get_job", run=run).code == "require_failed"
    assert ask(rule(deny_if=[one]), "get_job", run=run).code == "allowed"


def test_the_owner_of_the_job_can_be_asked_for() -> None:
    mine = rule(require=[condition("job.owner", "eq", "mine")])
    assert ask(mine, "get_job", owner="mine").code == "allowed"
    assert ask(mine, "get_job", owner="human").code == "require_failed"
    assert ask(mine, "get_job", owner=None).code == "require_failed"
    assert ask(mine, "get_job", owner="human", final=False).code == "allowed"


# What is told.


def told(document: dict[str, Any], **args: object) -> Decision:
    return ask(document, "get_job", args=args)


@pytest.mark.parametrize(
    ("one", "args", "said"),
    [
        (condition("args.a", "lte", 5), {"a": 9}, "args.a must be at most 5; it is 9."),
        (condition("args.a", "lte", 5), {}, "args.a must be at most 5; it is missing."),
        (condition("args.a[0]", "lte", 5), {"a": 1}, "; it is of another type."),
        (condition("args.a[*]", "lte", 5), {"a": [1, 9]}, "; it is 2 values."),
        (condition("args.a", "in", ["x", "y"]), {"a": "z"}, 'be one of ["x", "y"]; it is "z".'),
        (condition("args.a", "exists", True), {}, "args.a must be given; it is missing."),
        (condition("args.a", "exists", False), {"a": [1]}, "must be left out; it is a list."),
        (condition("args.a", "eq", {"x": [1.5]}), {"a": {}}, '{"x": [1.5]}; it is an object.'),
        (condition("args.a", "eq", "x"), {"a": "y" * 9999}, 'yyy..."'[:3]),
    ],
)
def test_a_failed_requirement_says_what_would_do(
    one: dict[str, Any], args: dict[str, Any], said: str
) -> None:
    decision = told(rule(require=[one]), **args)
    assert decision.code == "require_failed"
    assert said in decision.reason
    assert len(decision.reason) < 600


def test_a_number_that_is_too_large_comes_with_the_largest() -> None:
    fix = {"path": "args.a", "got": 9, "max": 5}
    assert told(rule(require=[condition("args.a", "lte", 5)]), a=9).fix == fix
    assert told(rule(deny_if=[condition("args.a", "gt", 5)]), a=9).fix == fix
    assert told(rule(require=[condition("args.a", "lte", 0.5)]), a=0.75).fix == {
        "path": "args.a",
        "got": 0.75,
        "max": 0.5,
    }
    for strange in (float("inf"), NAN, 10**400, "9", True, None):
        assert told(rule(require=[condition("args.a", "lte", 5)]), a=strange).fix is None


def test_a_denial_does_not_tell_the_pattern_that_it_looks_for() -> None:
    decision = told(rule(deny_if=[condition("args.a", "regex", "(?i)acme")]), a="Acme")
    assert "args.a" in decision.reason
    assert "acme" not in decision.reason.lower()


def test_the_policys_own_words_come_first() -> None:
    own = {"conditions": [A_IS_1], "reason": "Only one."}
    assert told(rule(deny_if=[own]), a=1).reason == "Only one."
    assert told(rule(deny_if=[A_IS_1], reason="The rule's."), a=1).reason == "The rule's."
    named = {"conditions": [A_IS_1], "name": "first"}
    assert told(rule(deny_if=[named]), a=1).reason.startswith("first: ")
