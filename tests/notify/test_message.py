"""A notification has names and numbers of ours: no word of an agent, nothing that decides."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_mcp.notify.message import body
from comfy_mcp.store.asked import ApprovalRow
from tests.notify.receiver import COMMAND, asked


def told(row: ApprovalRow) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(body(row, f"{COMMAND} {row.approval_id}"))
    return found


def test_a_run_is_told_by_its_names_and_numbers() -> None:
    graph = {"nodes": 7, "steps": 30, "megapixels": 4.1943, "batch": 2, "frames": 0}
    facts = {"workflow": "txt2img", "graph": graph, "estimate_s": 12.345}
    assert told(asked(facts=facts)) == {
        "event": "approval_requested",
        "approval_id": "apr_0000000000000000",
        "grant": "ann",
        "tool": "run_workflow",
        "workflow": "txt2img",
        "title": "ann asks for approval: run_workflow",
        "summary": "txt2img, 7 nodes, 30 steps, 4.19 megapixels, 2 pictures at once,"
        " about 12.35 s of GPU time",
        "text": "ann asks for approval: run_workflow\n"
        "txt2img, 7 nodes, 30 steps, 4.19 megapixels, 2 pictures at once,"
        " about 12.35 s of GPU time\n"
        "comfy-mcp-guard approvals show apr_0000000000000000",
        "created_at": "2026-01-05T12:00:00Z",
        "expires_at": "2026-01-05T13:00:00Z",
        "command": "comfy-mcp-guard approvals show apr_0000000000000000",
    }


def test_one_is_told_as_one_and_one_picture_of_one_frame_not_at_all() -> None:
    graph = {"nodes": 1, "steps": 1, "megapixels": 1.0, "batch": 1, "frames": 1}
    found = told(asked(facts={"workflow": "inline", "graph": graph}))
    assert found["summary"] == "inline, 1 node, 1 step, 1 megapixel"


def test_a_number_that_could_not_be_determined_is_not_told_as_if_it_were() -> None:
    graph = {"nodes": 7, "steps": 1, "undetermined": ["steps", "models"]}
    found = told(asked(facts={"workflow": "inline", "graph": graph}))
    assert found["summary"] == "inline, 7 nodes, steps not known"


def test_a_stop_is_told_by_how_many_jobs_it_touches() -> None:
    targets = [{"prompt_id": "b0c2", "owner": "human"}]
    found = told(asked(tool="interrupt_execution", facts={"targets": targets}))
    assert (found["tool"], found["workflow"]) == ("interrupt_execution", None)
    assert found["summary"] == "jobs it touches: 1"


def test_a_call_without_numbers_is_told_as_such() -> None:
    assert told(asked(tool="clear_queue", facts={}))["summary"] == "It starts no job."


def test_a_question_is_told_without_its_words() -> None:
    words = {"action": "EVIL", "context": {"EVIL": "EVIL"}, "urgency": "high"}
    row = asked(kind="question", tool="request_approval", facts=words, payload=words)
    found = told(row)
    assert found["title"] == "ann asks for approval: a question"
    assert "EVIL" not in json.dumps(found)


EVIL = "EVIL\u202e\x1b[31m<b>"


def test_no_word_of_an_agent_is_told_wherever_it_stands() -> None:
    facts = {
        "tool": EVIL,
        "asks": {EVIL: EVIL},
        "workflow": EVIL,
        "title": EVIL,
        "values": {EVIL: EVIL},
        "graph": {
            "nodes": EVIL,
            "classes": {EVIL: 1},
            "models": {EVIL: [EVIL]},
            "undetermined": [EVIL],
        },
        "inputs": [{"name": EVIL}],
        "targets": [{"prompt_id": EVIL, "workflow": EVIL}],
        "args": {EVIL: EVIL},
        "client": EVIL,
        "host": EVIL,
    }
    row = asked(
        facts=facts, payload=facts, grant=EVIL, tool=EVIL, client=EVIL, host=EVIL, reason=EVIL
    )
    text = body(row, "c").decode()
    assert "EVIL" not in text
    assert "(unnamed) asks for approval: (unnamed)" in text


def test_nothing_in_it_lets_anybody_decide() -> None:
    row = asked(effect="digest-of-the-effect", match="digest-of-the-call", policy="revision")
    text = body(row, "c").decode()
    assert not any(secret in text for secret in ("digest-of", "revision", "http", "token"))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=3), below),
    max_leaves=8,
)
KEYS = ["workflow", "graph", "estimate_s", "targets", "nodes", "steps", "undetermined", "frames"]
facts = st.dictionaries(
    st.sampled_from(KEYS), json_values | st.dictionaries(st.sampled_from(KEYS), json_values)
)


@given(facts, st.sampled_from(["call", "question"]), st.text())
def test_whatever_the_facts_are_they_become_plain_words(
    facts: dict[str, Any], kind: str, name: str
) -> None:
    found = told(asked(facts=facts, kind=kind, grant=name, tool=name))
    for key, words in found.items():
        assert words is None or words.replace("\n", " ").isascii(), key
        assert words is None or words.replace("\n", " ").isprintable(), key
        assert words is None or len(words) < 600, key


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -1, 0, True, 10**30, "9", None])
def test_what_is_no_amount_is_left_out(number: Any) -> None:
    facts = {"workflow": "inline", "graph": {"steps": number}, "estimate_s": number}
    assert told(asked(facts=facts))["summary"] == "inline"
