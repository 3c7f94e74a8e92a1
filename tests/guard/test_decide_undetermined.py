"""What could not be determined is refused, asked about or passed over, as the policy says."""

from __future__ import annotations

from typing import Any

import pytest

from comfy_mcp.guard.question import Effect, Run
from comfy_mcp.workflow.facts import Facts, Unknown
from tests.guard.questions import ALLOWED, ask, ask_run, models, unknown

WORDS = [
    (None, Effect.DENY, "undetermined"),
    ("deny", Effect.DENY, "undetermined"),
    ("approve", Effect.APPROVAL, "approval_required"),
    ("allow", Effect.ALLOW, "allowed"),
]
SIZES = ["steps", "total_steps", "width", "height", "megapixels", "batch", "frames"]


def said(word: str | None, **keys: Any) -> dict[str, Any]:
    return {**keys} if word is None else {**keys, "undetermined": word}


@pytest.mark.parametrize(("word", "effect", "code"), WORDS)
@pytest.mark.parametrize("fact", SIZES)
def test_a_size_that_a_rule_needs_is_not_taken_for_granted(
    fact: str, word: str | None, effect: Effect, code: str
) -> None:
    gpu = said(word, **{f"max_{fact}": 100})
    decision = ask_run(gpu, Facts(undetermined=unknown(fact)))
    assert (decision.effect, decision.code) == (effect, code)
    if effect is not Effect.ALLOW:
        assert decision.rule == f"/gpu/max_{fact}"
        assert "steps of node 3 (KSampler) cannot be foreseen, it comes from" in decision.reason


def test_what_no_rule_needs_may_stay_unknown() -> None:
    facts = Facts(undetermined=unknown("steps", "models", "width"), unknown_classes={"X": "1"})
    assert ask_run({"max_height": 9, "allow_node_classes": ["*"]}, facts).code == "allowed"
    assert ask_run({}, facts).code == "allowed"


@pytest.mark.parametrize(("word", "_effect", "_code"), WORDS)
def test_a_known_number_that_is_too_large_is_too_large_all_the_same(
    word: str | None, _effect: Effect, _code: str
) -> None:
    facts = Facts(steps=101, undetermined=unknown("steps"))
    assert ask_run(said(word, max_steps=100), facts).code == "gpu_limit"


# Custom nodes.


@pytest.mark.parametrize(
    ("allowed", "code"),
    [(None, "undetermined"), (["*"], "allowed"), (["Odd"], "allowed"), (["Even"], "node_class")],
)
def test_only_a_list_of_allowed_classes_vouches_for_a_custom_node(
    allowed: list[str] | None, code: str
) -> None:
    gpu = {"max_steps": 9} if allowed is None else {"max_steps": 9, "allow_node_classes": allowed}
    facts = Facts(node_classes={"Odd": "7"}, unknown_classes={"Odd": "7"})
    assert ask_run(gpu, facts).code == code


def test_a_custom_node_makes_sizes_uncertain_and_nothing_else() -> None:
    facts = Facts(unknown_classes={"Odd": "7"})
    for fact in SIZES:
        decision = ask_run({f"max_{fact}": 9}, facts)
        assert decision.code == "undetermined"
        assert "node 7 (Odd) is a custom node" in decision.reason
    gpu = {"max_nodes": 9, "max_workflow_bytes": 9, "allow_models": {"*": ["*"]}}
    assert ask_run(gpu, facts).code == "allowed"


def test_a_list_vouches_for_a_node_not_for_what_is_fed_to_it() -> None:
    facts = Facts(unknown_classes={"Odd": "7"}, undetermined=unknown("steps"))
    assert ask_run({"max_steps": 9, "allow_node_classes": ["*"]}, facts).code == "undetermined"


# Names.


@pytest.mark.parametrize(
    ("fact", "gpu", "rule"),
    [
        ("api_nodes", {}, "/gpu/api_nodes"),
        ("job_files", {}, "/gpu/ownership"),
        ("output_prefixes", {}, "/gpu/output_prefix"),
        ("output_prefixes", {"output_prefix": "a/"}, "/gpu/output_prefix"),
        ("models", {"allow_models": {"loras": ["*"]}}, "/gpu/allow_models/loras"),
        ("models", {"deny_models": {"loras": ["x"]}}, "/gpu/deny_models/loras"),
    ],
)
def test_names_that_cannot_be_foreseen_are_undetermined(
    fact: str, gpu: dict[str, Any], rule: str
) -> None:
    decision = ask_run(gpu, Facts(undetermined=unknown(fact)))
    assert (decision.code, decision.rule) == ("undetermined", rule)


@pytest.mark.parametrize(
    ("fact", "gpu"),
    [("api_nodes", {"api_nodes": "allow"}), ("job_files", {"ownership": "any"}), ("models", {})],
)
def test_names_that_nobody_minds_may_stay_unknown(fact: str, gpu: dict[str, Any]) -> None:
    assert ask_run(gpu, Facts(undetermined=unknown(fact))).code == "allowed"


# Predicates.


def predicate(kind: str, *conditions: tuple[str, str, object], word: str) -> dict[str, Any]:
    made = [{"path": path, "op": op, "value": value} for path, op, value in conditions]
    rule = {kind: [{"conditions": made}]}
    return {"tools": {"run_workflow": rule}, "gpu": {"undetermined": word}}


STEPS_ARE_FEW = ("graph.steps", "lte", 10)
STEPS_ARE_MANY = ("graph.steps", "gt", 10)
AT_NIGHT = ("time.hour", "lt", 6)
AT_NOON = ("time.hour", "eq", 12)


@pytest.mark.parametrize(
    ("kind", "conditions", "steps", "codes"),
    [
        ("require", [STEPS_ARE_FEW], 5, ("undetermined", "approval_required", "allowed")),
        ("require", [STEPS_ARE_FEW], 11, ("require_failed",) * 3),
        ("deny_if", [STEPS_ARE_MANY], 5, ("undetermined", "approval_required", "allowed")),
        ("deny_if", [STEPS_ARE_MANY], 11, ("deny_if",) * 3),
        ("deny_if", [STEPS_ARE_MANY, AT_NIGHT], 5, ("allowed",) * 3),
        ("deny_if", [STEPS_ARE_MANY, AT_NOON], 5, ("undetermined", "approval_required", "allowed")),
    ],
)
def test_a_predicate_needs_its_facts_unless_another_condition_rules_it_out(
    kind: str, conditions: list[tuple[str, str, object]], steps: int, codes: tuple[str, ...]
) -> None:
    facts = Facts(steps=steps, undetermined=unknown("steps"))
    seen = [
        ask(predicate(kind, *conditions, word=word), "run_workflow", run=Run(facts)).code
        for word in ("deny", "approve", "allow")
    ]
    assert tuple(seen) == codes


def test_a_model_of_an_unknown_folder_might_be_in_any() -> None:
    facts = Facts(models=models(nowhere=["x"]))
    one = ("graph.models.loras", "contains", "x")
    assert ask(predicate("deny_if", one, word="deny"), "run_workflow", run=Run(facts)).code == (
        "undetermined"
    )
    assert ask(predicate("deny_if", one, word="allow"), "run_workflow", run=Run(facts)).code == (
        "allowed"
    )


@pytest.mark.parametrize(("word", "asked"), [("deny", True), ("approve", True), ("allow", False)])
def test_a_person_is_asked_about_what_might_hold(word: str, *, asked: bool) -> None:
    document = {
        "tools": {
            "run_workflow": {
                "require_approval": {"when": [{"path": "graph.steps", "op": "gt", "value": 10}]}
            }
        },
        "gpu": {"undetermined": word},
    }
    facts = Facts(steps=5, undetermined=unknown("steps"))
    decision = ask(document, "run_workflow", run=Run(facts))
    assert (decision.code == "approval_required") is asked


# What only the host and the journal know.


@pytest.mark.parametrize(("word", "effect", "code"), WORDS)
def test_a_queue_of_unknown_length_is_undetermined(
    word: str | None, effect: Effect, code: str
) -> None:
    decision = ask_run(said(word, max_queue_depth=3))
    assert (decision.effect, decision.code) == (effect, code)


@pytest.mark.parametrize(("word", "effect", "code"), WORDS)
@pytest.mark.parametrize("kind", ["require", "deny_if"])
@pytest.mark.parametrize("path", ["graph.estimated_seconds", "graph.queue_depth"])
def test_what_nobody_has_measured_is_undetermined_for_predicates(
    kind: str, path: str, word: str | None, effect: Effect, code: str
) -> None:
    op = "lte" if kind == "require" else "gt"
    document = predicate(kind, (path, op, 10), word=word or "deny")
    decision = ask(document, "run_workflow", run=Run(Facts()))
    assert (decision.effect, decision.code) == (effect, code)


def test_the_other_conditions_of_a_requirement_hold_whatever_was_measured() -> None:
    estimated = ("graph.estimated_seconds", "lte", 10)
    document = predicate("require", estimated, ("args.a", "eq", 1), word="allow")
    assert ask(document, "run_workflow", args={"a": 1}, run=Run(Facts())).code == "allowed"
    assert ask(document, "run_workflow", args={"a": 2}, run=Run(Facts())).code == "require_failed"


def test_whether_there_is_an_estimate_can_always_be_told() -> None:
    document = predicate("require", ("graph.estimated_seconds", "exists", True), word="deny")
    assert ask(document, "run_workflow", run=Run(Facts())).code == "require_failed"
    assert ask(document, "run_workflow", run=Run(Facts(), estimate_ms=1)).code == "allowed"


@pytest.mark.parametrize(("word", "effect", "code"), WORDS)
def test_an_amount_that_is_not_determined_is_undetermined(
    word: str | None, effect: Effect, code: str
) -> None:
    limit = {"counter": "c", "window": "day", "max": 9, "increment_from": "graph.total_steps"}
    document = {"tools": {"run_workflow": {"limits": [limit]}}, "gpu": said(word)}
    facts = Facts(total_steps=5, undetermined=unknown("total_steps"))
    decision = ask(document, "run_workflow", run=Run(facts))
    assert (decision.effect, decision.code) == (effect, code)
    if effect is Effect.ALLOW:
        assert decision.limits[0].amount == 5_000_000


def test_the_strictest_word_that_is_said_counts() -> None:
    facts = Facts(undetermined=unknown("steps"))

    def code(file: str | None, rule: str | None) -> str:
        document = {
            **ALLOWED,
            "gpu": said(file, max_steps=9),
            "classes": {"execute": {"gpu": said(rule)}},
        }
        return ask(document, "run_workflow", run=Run(facts)).code

    assert code(None, None) == "undetermined"
    assert code(None, "allow") == "allowed"
    assert code("deny", "allow") == "undetermined"
    assert code("approve", "allow") == "approval_required"


def test_words_about_strange_names_can_be_printed() -> None:
    strange = Unknown("3\n", "X" * 500 + "\u202e", "in\x00put", "it is strange")
    decision = ask_run({"max_steps": 9}, Facts(undetermined={"steps": (strange,)}))
    assert decision.reason.isprintable()
    assert len(decision.reason) < 400
