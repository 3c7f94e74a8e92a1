"""What page and programs read of a request: complete, bounded, clean; the agent's words apart."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from comfy_mcp.oversight.approvals import as_object, decide
from comfy_mcp.oversight.object import MOST_WORDS
from comfy_mcp.quoting import MOST_TEXT
from comfy_mcp.store.asked import NewApproval
from comfy_mcp.store.protocol import Store
from tests.oversight.asked import (
    BY,
    HOST,
    LONG,
    MINUTE,
    NASTY,
    NOW,
    inline_request,
    parked,
    question,
    run_request,
    stop_request,
)

pytestmark = pytest.mark.anyio

UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def texts(value: object) -> Iterator[str]:
    """Every text in *value*, keys included."""
    match value:
        case str():
            yield value
        case dict():
            for key, one in value.items():
                yield from texts(key)
                yield from texts(one)
        case list():
            for one in value:
                yield from texts(one)
        case _:
            return


async def told(store: Store, request: NewApproval, at_ms: int = NOW + MINUTE) -> dict[str, Any]:
    """*request* as a program reads it, through JSON."""
    text = json.dumps(as_object(await parked(store, request), at_ms), allow_nan=False)
    made: dict[str, Any] = json.loads(text)
    return made


async def test_a_run_is_told_with_all_that_a_person_needs(store: Store, policy: Path) -> None:
    made = await told(store, run_request(policy))

    assert made["summary"] == "run txt2img: 50 steps, 4.19 megapixels, about 39 s of GPU time"
    assert (made["approval_id"], made["kind"], made["status"]) == (
        *("apr_0000000000000001", "call", "pending"),
    )
    assert (made["age_s"], made["expires_in_s"], made["answered_after_s"]) == (60, 3540, None)
    assert made["rules"] == [
        {"rule": "/tools/run_workflow/require_approval", "reason": "More than two megapixels."}
    ]
    facts = made["facts"]
    assert facts["graph"]["classes"]["KSampler"] == 1
    assert facts["graph"]["models"] == {"checkpoints": ["photo.safetensors"]}
    assert (facts["queue"], facts["estimate_s"]) == ({"running": 1, "pending": 3}, 38.2)
    assert facts["policy_files"] == [str(policy)]
    assert (made["grant"], made["client"], facts["place"]) == ("ci-bot", "a client", HOST)


async def test_values_say_whose_they_are_and_what_may_be_changed(store: Store) -> None:
    words = (await told(store, run_request()))["agent_words"]

    values = {one["name"]: one for one in words["values"]}
    assert values["prompt"] == {
        "name": "prompt",
        "text": "a red fox",
        "cut": 0,
        "hidden": 0,
        "changeable": True,
        "value": "a red fox",
        "origin": "agent",
    }
    assert (values["steps"]["value"], values["cfg"]["value"]) == (50, 7.0)
    assert (values["cfg"]["origin"], values["seed"]["origin"]) == ("default", "chance")
    assert (words["action"], words["inputs"], words["left_out"]) == (None, [], 0)


async def test_what_a_person_changed_is_no_longer_the_agents(store: Store, policy: Path) -> None:
    row = await parked(store, run_request(policy))
    done = await decide(
        store,
        row.approval_id,
        approve=True,
        by=BY,
        reason="Half will do.",
        changes={"steps": 25},
        now_ms=NOW + MINUTE,
        judge=None,
    )
    assert done.row is not None

    made = as_object(done.row, NOW + MINUTE)

    (steps,) = [one for one in made["agent_words"]["values"] if one["name"] == "steps"]
    assert (steps["value"], steps["origin"]) == (25, "person")
    assert made["changes"] == [{"name": "steps", "before": 50, "after": 25}]
    assert (made["by"], made["reason"], made["answered_after_s"]) == (BY, "Half will do.", 60)


async def test_an_inline_graph_is_told_by_its_literal_inputs(store: Store) -> None:
    graph = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "x.png"}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "y"}},
    }
    read = [{"name": "x.png", "sha256": "ab" * 32, "bytes": 3, "picture": True, "why": None}]

    inputs = (await told(store, inline_request(graph, inputs=read)))["agent_words"]["inputs"]

    assert [(one["name"], one["class"], one["value"]) for one in inputs] == [
        ("1.image", "LoadImage", "x.png"),
        ("2.filename_prefix", "SaveImage", "y"),
    ]
    assert [one["changeable"] for one in inputs] == [False, True]


async def test_nodes_come_in_the_order_of_their_numbers(store: Store) -> None:
    names = ("1", "10", "100", "2", "20:3", "\u0661")
    graph = {one: {"class_type": "PreviewImage", "inputs": {"n": 1}} for one in names}

    inputs = (await told(store, inline_request(graph)))["agent_words"]["inputs"]

    shown = [one["name"].partition(".")[0] for one in inputs]
    assert shown == ["1", "2", "10", "100", "20:3", "\u0661"]


async def test_texts_are_whole_for_who_asks(store: Store) -> None:
    whole = LONG.strip()
    row = await parked(store, run_request(prompt=whole))

    (prompt,) = [
        one
        for one in as_object(row, NOW, full=True)["agent_words"]["values"]
        if one["name"] == "prompt"
    ]

    assert (prompt["text"], prompt["cut"], prompt["value"]) == (whole, 0, whole)


async def test_what_a_person_changed_in_a_graph_is_told_once(store: Store) -> None:
    graph = {"1": {"class_type": "SaveImage", "inputs": {"filename_prefix": "y", "n": 1}}}
    row = await parked(store, inline_request(graph))
    done = await decide(
        store,
        row.approval_id,
        approve=True,
        by=BY,
        reason="",
        changes={"1.filename_prefix": "z"},
        now_ms=NOW,
        judge=None,
    )
    assert done.row is not None

    words = as_object(done.row, NOW)["agent_words"]

    told_of = [(one["name"], one["value"], one["origin"]) for one in words["inputs"]]
    assert told_of == [("1.filename_prefix", "z", "person"), ("1.n", 1, "agent")]
    assert words["values"] == []


async def test_a_question_is_told_with_its_action_and_context(store: Store) -> None:
    made = await told(store, question(1, "May I?", drafts=12, list=[1, {"a": 2}], word="x"))

    assert made["summary"] == 'the agent asks: "May I?"'
    assert made["agent_words"]["action"] == {"text": "May I?", "cut": 0, "hidden": 0}
    context = {one["name"]: one for one in made["agent_words"]["context"]}
    assert context["list"]["text"] == '[1, {"a": 2}]'
    assert context["list"]["json"] is True
    assert "json" not in context["word"]
    assert made["facts"]["urgency"] == "low"


async def test_whose_job_would_be_touched_is_a_fact(store: Store) -> None:
    made = await told(store, stop_request())

    assert made["facts"]["targets"][0]["grant"] == "bob"
    assert made["summary"] == (
        "interrupt_execution: job 11112222 of ANOTHER agent (bob): txt2img, pending"
    )


NASTY_REQUESTS = [
    run_request(prompt=NASTY, negative_prompt=LONG),
    question(1, NASTY + LONG, **{NASTY: NASTY, "deep": {"a": {"b": [NASTY]}}}),
    stop_request(grant=NASTY, workflow=NASTY, owner=NASTY, status=NASTY, prompt_id=NASTY),
    replace(run_request(), client=NASTY, tool=NASTY, grant=NASTY, host=NASTY),
    inline_request(
        {"1": {"class_type": "A\u202eB [bold]", "inputs": {"\u200btext": NASTY, "n": 1}}},
        inputs=[{"name": NASTY, "sha256": NASTY, "bytes": NASTY, "why": NASTY}],
        graph={"nodes": NASTY, "classes": {NASTY: NASTY}, "models": {NASTY: [NASTY] * 50}},
        estimate_s=NASTY,
        queue={"running": NASTY},
        targets=[NASTY, {"prompt_id": [NASTY]}],
        asks={NASTY: NASTY},
        title=NASTY,
        place=NASTY,
    ),
]


@pytest.mark.parametrize("request_", NASTY_REQUESTS)
async def test_no_word_of_an_agent_reaches_anybody_uncleaned(
    request_: NewApproval, store: Store
) -> None:
    made = await told(store, request_)

    for text in texts(made):
        assert [one for one in text if unicodedata.category(one) in UNSEEN] == [], text
        assert len(text) <= MOST_TEXT + 100


async def test_no_free_text_of_an_agent_is_in_the_lines_about_a_run(store: Store) -> None:
    made = await told(store, run_request(prompt="SECRET words", negative_prompt="SECRET, too"))

    assert "SECRET" not in json.dumps([made["lines"], made["facts"], made["summary"]])


async def test_what_is_left_out_is_counted(store: Store) -> None:
    many = {f"name {number}": number for number in range(MOST_WORDS + 36)}
    made = await told(store, question(1, LONG, **many))

    words = made["agent_words"]
    assert (len(words["context"]), words["left_out"]) == (MOST_WORDS, 36)
    assert words["action"]["cut"] == len(LONG) - MOST_TEXT


async def test_a_huge_request_stays_small(store: Store) -> None:
    graph = {
        str(number): {"class_type": f"Class{number}", "inputs": {"text": LONG}}
        for number in range(300)
    }

    made = await told(store, inline_request(graph))

    assert len(json.dumps(made)) < 400_000
    assert made["agent_words"]["left_out"] == 300 - MOST_WORDS
