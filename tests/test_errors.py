"""Every error has a code of its own, says what to do in words, and tells programs JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from comfy_mcp import errors
from comfy_mcp.errors import (
    AnswerLost,
    ComfyMCPError,
    ConfigError,
    Denial,
    Denied,
    Fault,
    HostError,
    HostRejected,
    HostTimeout,
    HostUnreachable,
    NodeProblem,
    RateLimited,
    Refused,
    WorkflowError,
)


def family(base: type[ComfyMCPError]) -> Iterator[type[ComfyMCPError]]:
    for child in base.__subclasses__():
        yield child
        yield from family(child)


def a_denial(**kw: object) -> Denial:
    given = {"code": "rate_limited", "reason": "10 a minute", "rule": "/x", "decision_id": "dec_1"}
    return Denial(**{**given, **kw})  # type: ignore[arg-type]  # of mixed types


def test_every_public_error_is_in_the_one_tree() -> None:
    named = {getattr(errors, name) for name in errors.__all__}

    assert set(family(ComfyMCPError)) <= named


def test_codes_tell_errors_apart() -> None:
    codes = [kind.code for kind in family(ComfyMCPError) if not issubclass(kind, Refused)]

    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("kind", [HostUnreachable, HostTimeout, RateLimited])
def test_what_passes_by_itself_may_be_tried_again(kind: type[ComfyMCPError]) -> None:
    assert kind.retryable


@pytest.mark.parametrize("kind", [AnswerLost, HostRejected, Denied, HostError])
def test_what_could_run_twice_or_stays_so_is_not_to_be_tried_again(
    kind: type[ComfyMCPError],
) -> None:
    assert not kind.retryable


def test_a_config_error_lists_every_fault_with_its_place_and_fix() -> None:
    error = ConfigError("Two faults:", (Fault("/tools", "no such tool", "a fix"), Fault("", "bad")))

    assert str(error) == "Two faults:\n  /tools: no such tool Fix: a fix\n  /: bad"


def test_a_workflow_error_names_node_and_input_and_nothing_it_does_not_know() -> None:
    assert WorkflowError("x", node_id="4").details() == {"node_id": "4"}
    assert WorkflowError("x", node_id="4", input_name="seed").details() == {
        "node_id": "4",
        "input": "seed",
    }


def test_a_refusal_shows_its_rule_and_leaves_out_what_is_not_known() -> None:
    told = RateLimited(a_denial(retryable=True, retry_after_s=1.5)).details()

    assert told["retry_after_s"] == 1.5
    assert "operator_hint" not in told
    assert json.loads(json.dumps(told)) == told


def test_a_refusal_says_in_words_who_refused() -> None:
    assert str(Denied(a_denial())).startswith("[POLICY DENIED] rate_limited: 10 a minute")


def test_a_rejection_names_nodes_inputs_and_reasons_for_programs() -> None:
    problem = NodeProblem("1", "EmptyImage", "width", "value_smaller_than_min", "too small")
    told = HostRejected("no", kind="prompt_outputs_failed_validation", problems=(problem,))

    assert told.details() == {
        "type": "prompt_outputs_failed_validation",
        "nodes": [
            {
                "node_id": "1",
                "node_type": "EmptyImage",
                "input": "width",
                "type": "value_smaller_than_min",
                "reason": "too small",
            }
        ],
    }


def test_a_problem_of_a_whole_node_names_no_input() -> None:
    assert str(NodeProblem("9", "Nope", None, "missing_node_type", "gone")) == "node 9 (Nope): gone"


def test_a_lost_answer_carries_the_id_to_ask_for() -> None:
    assert AnswerLost("lost", prompt_id="p").details() == {"prompt_id": "p"}
