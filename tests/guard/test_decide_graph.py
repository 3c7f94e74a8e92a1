"""What a graph may have: node classes, models, places to save, sizes; each with its code."""

from __future__ import annotations

from typing import Any

import pytest

from comfy_mcp.guard.question import Effect, Run
from comfy_mcp.workflow.facts import Facts
from tests.guard.questions import ALLOWED, ask, ask_run, models, prefixes

CLASSES = {"KSampler": "3", "MyPython [x]": "4"}


@pytest.mark.parametrize(
    ("gpu", "denied_by"),
    [
        ({}, None),
        ({"allow_node_classes": ["*"]}, None),
        ({"allow_node_classes": ["KSampler", "My*"]}, None),
        ({"allow_node_classes": ["KSampler", "MyPython [x]"]}, None),
        ({"allow_node_classes": ["KSampler"]}, "allow_node_classes"),
        ({"allow_node_classes": ["ksampler", "My*"]}, "allow_node_classes"),
        ({"allow_node_classes": []}, "allow_node_classes"),
        ({"deny_node_classes": []}, None),
        ({"deny_node_classes": ["*Python*"]}, "deny_node_classes"),
        ({"deny_node_classes": ["*python*"]}, "deny_node_classes"),
        ({"deny_node_classes": ["KSAMPLER"]}, "deny_node_classes"),
        ({"deny_node_classes": ["MyPython [x]"]}, "deny_node_classes"),
        ({"deny_node_classes": ["MyPython x"]}, None),
        ({"deny_node_classes": ["\uff2b\uff33ampler"]}, "deny_node_classes"),
        ({"allow_node_classes": ["*"], "deny_node_classes": ["K*"]}, "deny_node_classes"),
    ],
)
def test_node_classes(gpu: dict[str, Any], denied_by: str | None) -> None:
    decision = ask_run(gpu, Facts(node_classes=CLASSES))
    if denied_by is None:
        assert decision.code == "allowed"
    else:
        assert (decision.code, decision.rule) == ("node_class", f"/gpu/{denied_by}")


def test_a_letter_that_becomes_two_when_it_is_folded_is_still_one() -> None:
    decision = ask_run({"deny_node_classes": ["Gro?"]}, Facts(node_classes={"Groß": "5"}))
    assert decision.code == "node_class"


def test_a_node_that_is_not_allowed_is_named_with_its_class() -> None:
    decision = ask_run({"allow_node_classes": ["K*"]}, Facts(node_classes=CLASSES))
    assert decision.reason.startswith("Node 4 ('MyPython [x]') is of no class")


def test_every_list_of_allowed_classes_has_to_have_every_class() -> None:
    rule = {"gpu": {"allow_node_classes": ["KSampler"]}, "reason": "Keep it simple."}
    document = {"tools": {"run_workflow": rule}, "gpu": {"allow_node_classes": ["*"]}}
    decision = ask(document, "run_workflow", run=Run(Facts(node_classes=CLASSES)))
    assert decision.rule == "/tools/run_workflow/gpu/allow_node_classes"
    assert decision.reason.endswith("; use another node. Keep it simple.")


@pytest.mark.parametrize(
    ("word", "effect", "code"),
    [
        (None, Effect.DENY, "api_node"),
        ("deny", Effect.DENY, "api_node"),
        ("approve", Effect.APPROVAL, "approval_required"),
        ("allow", Effect.ALLOW, "allowed"),
    ],
)
def test_partner_nodes_spend_credits(word: str | None, effect: Effect, code: str) -> None:
    gpu = {} if word is None else {"api_nodes": word}
    decision = ask_run(gpu, Facts(api_nodes={"Cloud": "5"}))
    assert (decision.effect, decision.code) == (effect, code)
    if effect is not Effect.ALLOW:
        assert decision.rule == "/gpu/api_nodes"
        assert "ode 5 (Cloud)" in decision.reason


# Models.


@pytest.mark.parametrize(
    ("gpu", "used", "allowed"),
    [
        ({}, {"checkpoints": ["../x"]}, True),
        ({"allow_models": {}}, {"checkpoints": ["../x"]}, True),
        ({"allow_models": {"checkpoints": ["a"]}}, {"checkpoints": ["a"]}, True),
        ({"allow_models": {"checkpoints": ["a"]}}, {"checkpoints": ["A"]}, False),
        ({"allow_models": {"checkpoints": ["a"]}}, {"checkpoints": ["a", "b"]}, False),
        ({"allow_models": {"checkpoints": ["a"]}}, {"loras": ["b"]}, True),
        ({"allow_models": {"*": ["a"]}}, {"loras": ["b"]}, False),
        ({"allow_models": {"*": ["a"], "loras": ["*"]}}, {"loras": ["b"]}, False),
        ({"allow_models": {"checkpoints": ["sd/*"]}}, {"checkpoints": ["sd/x"]}, True),
        ({"allow_models": {"checkpoints": ["sd/*"]}}, {"checkpoints": ["sd\\x"]}, False),
        ({"allow_models": {"checkpoints": []}}, {"checkpoints": ["a"]}, False),
        ({"allow_models": {"checkpoints": ["*"]}}, {"nowhere": ["a"]}, False),
        ({"allow_models": {"unet": ["a"]}}, {"diffusion_models": ["b"]}, False),
        ({"allow_models": {"text_encoders": ["a"]}}, {"text_encoders": ["b"]}, False),
        ({"deny_models": {"clip": ["b"]}}, {"text_encoders": ["b"]}, False),
        ({"deny_models": {"loras": ["*Private*"]}}, {"loras": ["sub/private.pt"]}, False),
        ({"deny_models": {"loras": ["secret.pt"]}}, {"loras": ["sub/SECRET.pt"]}, False),
        ({"deny_models": {"loras": ["sub/x.pt"]}}, {"loras": ["sub\\X.pt"]}, False),
        ({"deny_models": {"loras": ["sub\\x.pt"]}}, {"loras": ["sub/x.pt"]}, False),
        ({"deny_models": {"loras": ["x.pt"]}}, {"loras": ["\uff58.pt"]}, False),
        ({"deny_models": {"loras": ["x [1].pt"]}}, {"loras": ["x [1].pt"]}, False),
        ({"deny_models": {"loras": ["gro?.pt"]}}, {"loras": ["groß.pt"]}, False),
        ({"deny_models": {"loras": ["x"]}}, {"checkpoints": ["x"]}, True),
        ({"deny_models": {"*": ["x"]}}, {"checkpoints": ["x"]}, False),
        ({"deny_models": {"loras": ["x"]}}, {"nowhere": ["x"]}, False),
        ({"deny_models": {"loras": ["x"]}}, {"nowhere": ["y"]}, True),
    ],
)
def test_models(gpu: dict[str, Any], used: dict[str, list[str]], *, allowed: bool) -> None:
    decision = ask_run(gpu, Facts(models=models(**used)))
    assert decision.code == ("allowed" if allowed else "model")
    assert allowed or decision.rule.startswith("/gpu/")


@pytest.mark.parametrize(
    "name",
    [
        *("../x", "a/../x", "..\\x", "a\\..\\x", "..", ".. ./x", "a/.../x"),
        *("/x", "\\x", "\\\\host\\x", "C:x", "C:\\x", "c:/x", "a/C:/x"),
        *("a\nb", "a\x00", "a\u202eb", "\udc80", "a\u2028b"),
        *("x ", " x", "x.", "x./y", "x /y", "./x", "a/./x", "a//x", "a/", ""),
    ],
)
@pytest.mark.parametrize(
    "gpu", [{"allow_models": {"loras": ["*"]}}, {"deny_models": {"checkpoints": ["other"]}}]
)
def test_odd_names_of_models_are_denied_wherever_models_are_ruled(
    name: str, gpu: dict[str, Any]
) -> None:
    decision = ask_run(gpu, Facts(models=models(loras=[name])))
    assert decision.code == "model"
    assert decision.reason.isprintable()


@pytest.mark.parametrize("name", ["a b/c d.safetensors", "sub\\x.safetensors", "é.pt", "v1.5.pt"])
def test_plain_names_of_models_are_not_odd(name: str) -> None:
    gpu = {"allow_models": {"*": ["*"]}}
    assert ask_run(gpu, Facts(models=models(loras=[name]))).code == "allowed"


def test_a_model_that_is_not_allowed_is_told_which_are() -> None:
    gpu = {"allow_models": {"loras": ["a*", "b*"]}}
    decision = ask_run(gpu, Facts(models=models(loras=["c"])))
    assert decision.rule == "/gpu/allow_models/loras"
    assert decision.reason == (
        "Node 4 (SomeLoader) loads 'c', which is not allowed (loras: a*, b*); name another model."
    )


# Where files are saved.


@pytest.mark.parametrize(
    ("value", "odd"),
    [
        *((plain, False) for plain in ("x", "a/b", "", "a/", "%date%_x", "画像 x", "a..b", "./x")),
        *((odd, True) for odd in ("/x", "../x", "a/../x", "a\\b", "C:x", "./C:/x", "a\nb", "\x00")),
        *((odd, True) for odd in ("..", ".. /x", "a/...", "\udc80")),
    ],
)
def test_prefixes_that_may_lead_out_are_denied_by_every_policy(value: str, *, odd: bool) -> None:
    decision = ask_run({}, Facts(output_prefixes=prefixes("fine", value)))
    assert decision.code == ("output_path" if odd else "allowed")
    assert decision.reason.isprintable()


@pytest.mark.parametrize(
    ("prefix", "value", "fits"),
    [
        ("agents/{grant}/", "agents/me/x", True),
        ("agents/{grant}/", "agents/me/", True),
        ("agents/{grant}/", "agents/me", False),
        ("agents/{grant}/", "agents/mex", False),
        ("agents/{grant}", "agents/mex", True),
        ("agents/{grant}/", "agents/you/x", False),
        ("agents/{grant}/", "Agents/me/x", False),
        ("agents/{grant}/", "x", False),
        ("agents/{grant}/", "agents/me/../x", False),
    ],
)
def test_every_prefix_begins_with_the_one_in_force(prefix: str, value: str, *, fits: bool) -> None:
    facts = Facts(output_prefixes=prefixes("agents/me/y", value))
    decision = ask_run({"output_prefix": prefix}, facts)
    assert decision.code == ("allowed" if fits else "output_path")
    assert fits or decision.rule == "/gpu/output_prefix"


# Sizes.

NUMBERS = {
    "max_steps": ("steps", 50),
    "max_total_steps": ("total_steps", 50),
    "max_width": ("width", 64),
    "max_height": ("height", 64),
    "max_megapixels": ("megapixels", 0.5),
    "max_batch": ("batch", 2),
    "max_frames": ("frames", 9),
    "max_nodes": ("nodes", 3),
    "max_workflow_bytes": ("bytes", 99),
}


@pytest.mark.parametrize("key", NUMBERS)
def test_a_number_may_be_as_large_as_its_maximum_and_not_larger(key: str) -> None:
    fact, most = NUMBERS[key]
    enough: dict[str, Any] = {fact: most}
    more: dict[str, Any] = {fact: most * 2, "where": {fact: "7"}}
    assert ask_run({key: most}, Facts(**enough)).code == "allowed"
    decision = ask_run({key: most}, Facts(**more))
    assert (decision.code, decision.rule) == ("gpu_limit", f"/gpu/{key}")
    assert decision.fix == {"path": f"graph.{fact}", "got": most * 2, "max": most}
    assert decision.reason.startswith("Node 7 asks for ")


def test_a_number_that_is_none_is_too_large() -> None:
    for strange in (float("nan"), float("inf")):
        decision = ask_run({"max_megapixels": 1}, Facts(megapixels=strange))
        assert decision.code == "gpu_limit"
        assert decision.fix == {"path": "graph.megapixels", "got": None, "max": 1}


def test_a_reason_names_the_node_the_number_and_the_maximum() -> None:
    decision = ask_run({"max_steps": 30}, Facts(steps=50, where={"steps": "3"}))
    assert decision.reason == (
        "Node 3 asks for 50 steps; at most 30 steps are allowed: ask for less."
    )


def test_the_smallest_of_all_maxima_in_force_is_told() -> None:
    rules: dict[str, Any] = {
        "tools": {"run_*": {"gpu": {"max_steps": 20}}, "run_workflow": {"gpu": {"max_steps": 10}}},
        "classes": {"read": {"gpu": {"max_steps": 1}}},
        "gpu": {"max_steps": 30},
    }
    decision = ask(rules, "run_workflow", run=Run(Facts(steps=40)))
    assert decision.rule == "/tools/run_workflow/gpu/max_steps"
    assert ask(rules, "run_workflow", run=Run(Facts(steps=10))).code == "allowed"


def test_tools_without_a_run_have_no_graph_to_judge() -> None:
    document = {
        **ALLOWED,
        "gpu": {
            "max_steps": 1,
            "max_in_flight": 1,
            "max_seconds_per_job": 1,
            "gpu_seconds": [{"window": "hour", "max": 1}],
        },
    }
    decision = ask(document, "cancel_job", run=Run(Facts(steps=9), front=True), owner="mine")
    assert (decision.code, decision.limits, decision.slots, decision.job_ms) == (
        "allowed",
        (),
        (),
        None,
    )


# The queue.


@pytest.mark.parametrize(
    ("word", "code"),
    [(None, "denied"), ("deny", "denied"), ("approve", "approval_required"), ("allow", "allowed")],
)
def test_only_a_policy_that_says_so_lets_a_run_in_front(word: str | None, code: str) -> None:
    gpu = {} if word is None else {"queue_jump": word}
    decision = ask_run(gpu, front=True)
    assert decision.code == code
    assert code == "allowed" or decision.rule == "/gpu/queue_jump"
    assert ask_run(gpu, front=False).code == "allowed"


@pytest.mark.parametrize(("depth", "code"), [(0, "allowed"), (2, "allowed"), (3, "queue_full")])
def test_no_more_jobs_are_sent_to_a_host_that_has_enough(depth: int, code: str) -> None:
    decision = ask_run({"max_queue_depth": 3}, queue_depth=depth)
    assert decision.code == code
    if code == "queue_full":
        assert decision.rule == "/gpu/max_queue_depth"
        assert decision.fix == {"path": "graph.queue_depth", "got": 3, "max": 3}


# The order of codes.


def test_codes_come_in_their_order() -> None:
    """One run that breaks every rule: each code shows once the one before is mended."""
    rule: dict[str, Any] = {
        "require": [{"path": "args.a", "op": "eq", "value": 1}],
        "deny_if": [{"path": "args.b", "op": "eq", "value": 1}],
        "limits": [{"counter": "c", "window": "day", "max": 9, "increment_from": "args.c"}],
        "require_approval": True,
    }
    gpu: dict[str, Any] = {
        "allow_node_classes": ["K*"],
        "api_nodes": "deny",
        "allow_models": {"*": ["a*"]},
        "output_prefix": "agents/",
        "queue_jump": "deny",
        "max_steps": 5,
        "max_width": 5,
        "max_queue_depth": 1,
    }
    args: dict[str, Any] = {"a": 2, "b": 1, "c": -1}
    facts: dict[str, Any] = {
        "node_classes": {"X": "1"},
        "api_nodes": {"X": "1"},
        "models": models(loras=["b"]),
        "output_prefixes": prefixes("x"),
        "steps": 9,
        "undetermined": {"width": ()},
    }
    run: dict[str, Any] = {"front": True, "queue_depth": 2}
    mend = [
        ("require_failed", lambda: args.update(a=1)),
        ("deny_if", lambda: args.update(b=2)),
        ("node_class", lambda: facts.update(node_classes={"K": "1"})),
        ("api_node", lambda: facts.update(api_nodes={})),
        ("model", lambda: facts.update(models={})),
        ("output_path", lambda: facts.update(output_prefixes=())),
        ("denied", lambda: run.update(front=False)),
        ("gpu_limit", lambda: facts.update(steps=1)),
        ("undetermined", lambda: facts.update(undetermined={})),
        ("invalid_args", lambda: args.update(c=1)),
        ("queue_full", lambda: run.update(queue_depth=0)),
        ("approval_required", lambda: rule.pop("require_approval")),
        ("allowed", lambda: None),
    ]
    seen: list[str] = []
    for _, mended in mend:
        document = {"tools": {"run_workflow": rule}, "gpu": gpu}
        seen.append(ask(document, "run_workflow", args=args, run=Run(Facts(**facts), **run)).code)
        mended()
    assert seen == [code for code, _ in mend]
