"""Requests in a sentence: from their facts, short, and with nothing an agent could hide in."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_mcp.store.asked import CALL, QUESTION
from comfy_mcp.store.protocol import ApprovalRow
from comfy_mcp.tools.asked_words import MOST, cleaned, question, what

APPROVAL = "apr_1f0c9b7a55e2d340"
GRAPH = {"nodes": 7, "steps": 20, "width": 1024, "height": 768, "batch": 2, "frames": 1}


def row(facts: dict[str, Any], payload: dict[str, Any] | None = None, **given: Any) -> ApprovalRow:
    """A request with these facts."""
    known = {
        "approval_id": APPROVAL,
        "kind": CALL,
        "grant": "local",
        "host": "http://127.0.0.1:8188",
        "tool": "run_workflow",
        "match": "sha256:1",
        "effect": "sha256:2",
        "policy": "sha256:3",
        "channel": "elicitation",
        "client": "claude-code",
        "status": "pending",
        "created_ms": 0,
        "expires_ms": 3_600_000,
    }
    return ApprovalRow(**{**known, **given}, facts=facts, payload=payload or {})


def test_a_run_is_told_by_what_it_is_and_takes() -> None:
    facts = {"workflow": "txt2img", "graph": GRAPH, "estimate_s": 38.4, "front": True}

    assert what(row(facts)) == (
        "Run txt2img in front of all that wait: 7 nodes, 20 steps, 1024 x 768 pixels,"
        " 2 pictures at once, about 38 s of GPU time."
    )


def test_what_is_risky_about_a_run_stands_out() -> None:
    graph = {
        **GRAPH,
        "api_nodes": ["OpenAIDalle3"],
        "unknown_classes": ["A", "B", "C", "D", "E"],
        "undetermined": ["steps"],
    }

    told = what(row({"workflow": "inline", "graph": graph}))

    assert told.startswith("Run a workflow it wrote itself: ")
    assert "SPENDS CREDITS by OpenAIDalle3" in told
    assert "custom nodes A, B, C and 2 more" in told
    assert "cannot be foreseen: steps" in told


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ({"owner": "mine", "grant": "local"}, "of its own"),
        ({"owner": "other agent", "grant": "bob"}, "of ANOTHER agent (bob)"),
        ({"owner": "human", "grant": None}, "of a PERSON"),
        ({}, "of a PERSON"),
    ],
)
def test_whose_job_is_touched_is_told(target: dict[str, Any], words: str) -> None:
    target = {"prompt_id": "12345678-aaaa", **target}

    told = what(row({"targets": [target]}, tool="interrupt_execution"))

    assert told == f"interrupt_execution: job 12345678 {words}."


def test_of_many_jobs_the_first_are_told() -> None:
    targets = [{"prompt_id": f"{number}", "owner": "mine"} for number in range(5)]

    told = what(row({"targets": targets}, tool="clear_queue"))

    assert told.endswith("job 2 of its own and 2 more.")


def test_a_question_of_an_agent_is_told_in_quotation_marks() -> None:
    asked = row({"action": 'Say "yes"\nnow'}, kind=QUESTION, tool="request_approval")

    assert what(asked) == 'Asks: "Say yes now".'


def test_a_name_that_is_a_sentence_is_in_quotation_marks() -> None:
    graph = {**GRAPH, "unknown_classes": ["This was approved by the owner."]}

    assert '"This was approved by the owner."' in what(row({"workflow": "x", "graph": graph}))


def test_a_question_to_a_client_names_request_rule_and_values() -> None:
    asks = {"/tools/run_workflow": "Large pictures need a person."}
    values = {"prompt": "a cat", "steps": 20, "seed": None}
    facts = {"workflow": "txt2img", "graph": GRAPH, "asks": asks, "values": values}

    assert question(row(facts)) == (
        f"An AI agent asks for your approval ({APPROVAL}). Run txt2img: 7 nodes, 20 steps,"
        " 1024 x 768 pixels, 2 pictures at once."
        " Why you are asked: Large pictures need a person."
        ' Its values: prompt "a cat", steps 20.'
    )


def test_a_question_tells_the_texts_of_a_workflow_that_the_agent_wrote() -> None:
    graph = {"3": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat", "clip": ["1", 0]}}}
    facts = {"workflow": "inline", "graph": GRAPH}

    assert question(row(facts, {"graph": graph})).endswith(' Its values: 3.text "a cat".')


def test_two_requests_for_the_same_are_two_questions() -> None:
    facts = {"workflow": "txt2img", "graph": GRAPH}

    assert question(row(facts)) != question(row(facts, approval_id="apr_" + "0" * 16))


def test_a_long_text_is_cut_and_says_so() -> None:
    assert cleaned("x" * 10_000, 80) == "x" * 77 + "..."
    assert cleaned("\u200b" * 10_000 + "behind", 80) == "..."
    assert cleaned("x" * 80, 80) == "x" * 80


WORDS = st.text(max_size=300)
VALUES: Any = st.dictionaries(WORDS, st.one_of(WORDS, st.integers(), st.floats(), st.lists(WORDS)))


@given(name=WORDS, values=VALUES, reason=WORDS, classes=st.lists(WORDS, max_size=5))
def test_whatever_an_agent_writes_a_question_is_short_visible_and_names_its_request(
    name: str, values: dict[str, Any], reason: str, classes: list[str]
) -> None:
    graph = {**GRAPH, "unknown_classes": classes, "api_nodes": classes}
    facts = {"workflow": name, "graph": graph, "values": values, "asks": {"/x": reason}}

    told = question(row(facts))

    assert len(told) <= MOST
    assert told.isprintable()
    assert told.startswith(f"An AI agent asks for your approval ({APPROVAL}). Run ")
    assert not set("<>[]`*#|~\\{}") & set(told)


@given(facts=st.recursive(WORDS | st.none() | st.integers(), st.lists))
def test_facts_of_any_shape_are_told_somehow(facts: Any) -> None:
    shaped = {"graph": facts, "values": facts, "targets": facts, "asks": facts, "args": facts}

    assert len(question(row(shaped))) <= MOST
    assert what(row({"targets": [facts], "action": facts}, kind=QUESTION))
