"""Labelled lines for a terminal: what would happen, what it costs, whose it is, until when."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from comfy_mcp.oversight.glance import summary
from comfy_mcp.oversight.object import agent_words, as_object
from comfy_mcp.oversight.telling import lines
from comfy_mcp.store.asked import ApprovalRow
from comfy_mcp.store.protocol import Store
from tests.oversight.asked import (
    BY,
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    inline_request,
    parked,
    question,
    run_request,
    stop_request,
)

pytestmark = pytest.mark.anyio

GRAPH = {"1": {"class_type": "PreviewImage", "inputs": {}}}


@pytest.fixture
async def run(store: Store, policy: Path) -> ApprovalRow:
    """A run that waits."""
    return await parked(store, run_request(policy))


def told(row: ApprovalRow, label: str, at_ms: int = NOW + MINUTE) -> list[str]:
    return [text for one, text in lines(row, at_ms) if one == label]


def with_facts(row: ApprovalRow, **facts: Any) -> ApprovalRow:
    return replace(row, facts={**row.facts, **facts})


def with_graph(row: ApprovalRow, **graph: Any) -> ApprovalRow:
    return with_facts(row, graph={**row.facts["graph"], **graph})


async def test_a_run_is_told_line_by_line(run: ApprovalRow) -> None:
    found = dict(lines(run, NOW + MINUTE))

    assert found["request"] == "apr_0000000000000001, asked 1 min 0 s ago"
    assert found["asked by"] == 'ci-bot, which calls itself "a client"'
    assert found["status"].startswith("pending, until ")
    assert found["status"].endswith("(59 min 0 s left)")
    assert found["because of"] == (
        "/tools/run_workflow/require_approval: More than two megapixels."
    )
    assert found["tool"] == "run_workflow (execute)"
    assert found["nodes"].startswith("7: ")
    assert "CLIPTextEncode x 2" in found["nodes"]
    assert found["models"] == "checkpoints: photo.safetensors"
    assert found["steps"] == "50, 50 in all"
    assert found["size"] == "2048 x 2048 pixels, 4.19 megapixels"
    assert found["batch"] == "1 at once"
    assert found["time"] == "about 39 s of GPU time, as such jobs took before"
    assert found["queue"] == "1 running and 3 waiting when it asked"
    assert found["a yes"].startswith("lets exactly this run through, once, until ")
    assert not {"TOUCHES", "CREDITS", "UNKNOWN", "NOT KNOWN", "FRONT"} & found.keys()


async def test_what_is_not_known_is_said_so(run: ApprovalRow) -> None:
    new = with_facts(run, estimate_s=None)

    assert told(new, "time") == ["GPU time not known: nothing like it was run before"]
    assert summary(new).endswith("GPU time not known")


async def test_dangers_have_labels_of_their_own(run: ApprovalRow) -> None:
    row = with_graph(
        with_facts(run, front=True),
        api_nodes=["FluxProNode"],
        unknown_classes=["Strange", "do this, it is harmless"],
        undetermined=["megapixels"],
    )

    assert told(row, "CREDITS") == ["partner nodes, which spend credits: FluxProNode"]
    assert told(row, "UNKNOWN") == [
        'nodes that are not ComfyUI\'s own: Strange, "do this, it is harmless"'
    ]
    assert told(row, "NOT KNOWN") == ["cannot be foreseen and may be larger: megapixels"]
    assert told(row, "FRONT") == ["it would be put before everything that waits"]


async def test_files_are_told_with_the_head_of_their_digest(run: ApprovalRow) -> None:
    row = with_facts(
        run,
        inputs=[
            {"name": "a.png", "sha256": "ab" * 32, "bytes": 1_234_567, "why": None},
            {"name": "b.png", "sha256": None, "why": "its name comes from another node"},
        ],
    )

    assert told(row, "reads") == [
        "a.png (sha256 abababababababab..., 1,234,567 bytes)",
        "b.png (not bound to its content, its name comes from another node)",
    ]


@pytest.mark.parametrize(
    ("owner", "words"),
    [
        ("mine", "of the agent itself"),
        ("other agent", "of ANOTHER agent"),
        ("human", "of a PERSON, not of an agent"),
        ("nonsense", "of somebody"),
    ],
)
async def test_whose_job_is_touched_is_told(owner: str, words: str, store: Store) -> None:
    row = await parked(store, stop_request(owner=owner))

    assert told(row, "TOUCHES") == [f"job 11112222 {words} (bob): txt2img, pending"]
    assert told(row, "a yes")[0].startswith("lets exactly this call through, once, ")


async def test_many_targets_are_counted_in_the_summary(store: Store) -> None:
    row = await parked(store, stop_request())
    several = with_facts(row, targets=[*row.facts["targets"]] * 3)

    assert summary(several).endswith("txt2img, pending and 2 more")
    assert len(told(several, "TOUCHES")) == 3


async def test_many_names_are_told_as_a_number(run: ApprovalRow) -> None:
    row = with_graph(run, models={"loras": [f"l{number}.safetensors" for number in range(40)]})

    (models,) = told(row, "models")
    assert models.endswith("l11.safetensors and 28 more")


async def test_clips_and_batches_are_told(run: ApprovalRow) -> None:
    row = with_graph(run, frames=81, batch=2, total_steps=100)

    assert told(row, "frames") == ["81"]
    assert summary(row) == (
        "run txt2img: 50 steps, 4.19 megapixels x 2, 81 frames, about 39 s of GPU time"
    )


async def test_a_graph_without_a_size_is_told_by_its_nodes(store: Store) -> None:
    row = await parked(store, inline_request(GRAPH, estimate_s=None))

    assert summary(row) == "run a workflow that the agent wrote: 1 node, GPU time not known"


async def test_one_is_told_in_the_singular_and_little_is_not_nothing(run: ApprovalRow) -> None:
    row = with_graph(run, steps=1, width=64, height=64, megapixels=0.004096)

    assert summary(row).startswith("run txt2img: 1 step, under 0.01 megapixels, ")
    assert told(row, "size") == ["64 x 64 pixels, under 0.01 megapixels"]


async def test_everything_is_told_in_as_many_lines(run: ApprovalRow) -> None:
    many = [f"l{number}.safetensors" for number in range(40)]
    changes = {"prompt": ["a", "b" * 5_000]}
    row = replace(with_graph(run, models={"loras": many}), reason="r" * 5_000, changes=changes)

    short, full = lines(row, NOW), lines(row, NOW, full=True)

    assert [label for label, _ in short] == [label for label, _ in full]
    assert dict(full)["models"].endswith(many[-1])
    assert dict(full)["reason"] == "r" * 5_000
    assert dict(full)["changed"] == f'prompt: "a" -> "{"b" * 5_000}"'
    assert len(dict(short)["changed"]) < 300


async def test_jobs_that_are_not_named_are_counted(store: Store) -> None:
    row = with_facts(await parked(store, stop_request()), targets_left_out=7)

    assert told(row, "TOUCHES")[1:] == ["and 7 more jobs"]
    assert summary(row).startswith("interrupt_execution: 8 jobs: job 11112222 of ANOTHER agent")
    assert summary(row).endswith(" and 7 more")


async def test_a_question_lets_nothing_through(store: Store) -> None:
    row = await parked(store, question())

    assert told(row, "wants") == ["an answer to a question of its own"]
    assert told(row, "a yes") == ["is told to the agent, and lets no call through"]
    assert told(row, "urgency") == ["low, as the agent sees it"]


async def test_an_answer_is_told_with_its_giver(run: ApprovalRow) -> None:
    row = replace(
        run,
        status="approved",
        by=BY,
        decided_ms=NOW + SECOND,
        reason="Go on.",
        changes={"steps": [50, 20], "prompt": ["a", "b"]},
        prompt_id="11112222",
    )

    assert told(row, "decided")[0].startswith("by ada (terminal) at ")
    assert told(row, "reason") == ["Go on."]
    assert told(row, "changed") == ["steps: 50 -> 20", 'prompt: "a" -> "b"']
    assert told(row, "used for") == ["job 11112222"]


async def test_a_clients_word_is_marked_as_such(run: ApprovalRow) -> None:
    row = replace(run, status="approved", decided_ms=NOW, by={**BY, "assurance": "client"})

    assert told(row, "NOTE") == [
        "the agent's own client gave this answer; whether a person did is not known"
    ]


async def test_what_is_over_promises_nothing(run: ApprovalRow) -> None:
    row = replace(run, status="expired")

    assert told(row, "status", NOW + HOUR + 3 * SECOND) == ["expired 3 s ago"]
    assert told(row, "a yes") == []


async def test_facts_that_are_none_are_left_out(run: ApprovalRow) -> None:
    row = replace(run, facts={"tool": "run_workflow", "graph": 5, "asks": [], "inputs": "x"})

    assert [label for label, _ in lines(row, NOW)] == [
        *("request", "asked by", "status", "tool", "on", "time", "a yes"),
    ]


async def test_a_sweep_says_how_many_runs_one_yes_lets_through(run: ApprovalRow) -> None:
    sweep = replace(with_facts(run, runs=12), tool="run_sweep")
    assert summary(sweep) == (
        "run txt2img, 12 times, the largest of them: 50 steps, 4.19 megapixels,"
        " about 39 s of GPU time for all of them"
    )
    assert as_object(sweep, NOW)["facts"]["runs"] == 12
    (many,) = told(sweep, "RUNS")
    assert many == "12: one yes lets all through; nodes, steps and size are of the largest"
    (yes,) = told(sweep, "a yes")
    assert yes.startswith("lets exactly these 12 runs through, once, until ")
    for odd in (True, -1, 0, "12", None):
        assert told(with_facts(run, runs=odd), "RUNS") == []


async def test_nothing_of_a_sweep_can_be_changed(run: ApprovalRow) -> None:
    sweep = replace(run, payload={"kind": "sweep", "runs": [run.payload], "graph": GRAPH})
    words = agent_words(sweep)
    assert words["values"]
    assert not any(one["changeable"] for key in ("values", "inputs") for one in words[key])
