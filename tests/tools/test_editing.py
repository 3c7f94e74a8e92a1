"""edit_workflow: a graph built and changed step by step, small enough to be read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from comfy_mcp.embedded import EmbeddedHost
from tests.tools.desk import EVERYTHING, Desk, Sit, card, sent
from tests.tools.person import asking, yes

pytestmark = pytest.mark.anyio

BUILD: list[dict[str, Any]] = [
    {"op": "add", "class_type": "EmptyImage", "inputs": {"width": 64, "height": 48}},
    {"op": "add", "class_type": "ImageScale", "inputs": {"image": ["1", 0], "width": 32}},
    {"op": "set", "node": "2", "input": "height", "value": 24},
    {"op": "add", "class_type": "SaveImage", "node": "out"},
    {"op": "connect", "node": "out", "input": "images", "from": "2", "output": "IMAGE"},
]


def steps(count: int, title: str = "") -> list[dict[str, Any]]:
    """Steps that add *count* pictures."""
    return [{"op": "add", "class_type": "EmptyImage", "title": title}] * count


async def test_an_agent_builds_a_graph_from_nothing_and_runs_it(sit: Sit) -> None:
    async with sit() as desk:
        found = await desk.ask("search_nodes", query="scale image")
        described = await desk.ask("describe_node", class_type="ImageScale")
        made = await desk.ask("edit_workflow", workflow={}, operations=BUILD)
        job = await desk.ask("run_workflow", workflow=made["graph"])

    assert "ImageScale" in json.dumps(found)
    assert "upscale_method" in json.dumps(described)
    assert made["ok"] is True
    assert made["added"] == ["1", "2", "out"]
    assert job["status"] == "completed"
    assert len(job["outputs"]) == 1


async def test_a_wrong_step_changes_nothing_and_says_where(sit: Sit) -> None:
    wrong = {"op": "set", "node": "2", "input": "widht", "value": 5}

    async with sit() as desk:
        text, body = await desk.refusal(
            "edit_workflow", workflow={}, operations=[*BUILD, wrong, *BUILD]
        )

    assert text.startswith("Operation 6 (set), node 2, input widht: there is no such input.")
    assert "Did you mean width?" in text
    assert (body["code"], body["node_id"], body["input"]) == ("workflow", "2", "widht")


async def test_what_is_still_missing_is_told(sit: Sit) -> None:
    async with sit() as desk:
        made = await desk.ask(
            "edit_workflow", workflow=card(1), operations=[{"op": "remove", "node": "1"}]
        )

    assert made["ok"] is False
    assert [(one["node_id"], one["input"]) for one in made["problems"]] == [("2", "images")]
    assert made["notes"] == ["Node 2, input images: its link went with it."]


async def test_a_class_that_is_not_there_is_told_with_the_nearest(sit: Sit) -> None:
    async with sit() as desk:
        text, _ = await desk.refusal(
            "edit_workflow", workflow={}, operations=[{"op": "add", "class_type": "SaveImges"}]
        )

    assert "ComfyUI has no node class SaveImges. Did you mean SaveImage?" in text


async def test_a_workflow_is_edited_by_name(sit: Sit) -> None:
    wider = {"op": "set", "node": "6", "input": "width", "value": 128}

    async with sit() as desk:
        made = await desk.ask("edit_workflow", workflow="color_card", operations=[wider])

    assert made["graph"]["6"]["inputs"]["width"] == 128


async def test_a_graph_that_does_not_fit_an_answer_is_kept_by_name(sit: Sit) -> None:
    many = steps(100, "A title that makes it long, and longer still, as titles are")

    async with sit() as desk:
        text, _ = await desk.refusal("edit_workflow", workflow=card(3), operations=many)
        kept = await desk.ask(
            "edit_workflow", workflow=card(3), operations=many, save_as="my-graph"
        )
        more = await desk.ask(
            "edit_workflow", workflow="my-graph", operations=steps(100), save_as="my-graph"
        )
        job = await desk.ask("run_workflow", workflow="my-graph")

    assert "Give save_as" in text
    assert kept["saved"] == "saved/my-graph"
    assert "graph" not in kept
    assert len(more["added"]) == 100
    assert job["status"] == "completed"
    assert job["workflow"] == "saved/my-graph"


async def test_only_the_workflow_that_was_edited_is_replaced(sit: Sit) -> None:
    narrow = [{"op": "set", "node": "1", "input": "width", "value": 32}]

    async with sit() as desk:
        await desk.ask("edit_workflow", workflow=card(1), operations=[], save_as="mine")
        same = await desk.ask("edit_workflow", workflow=card(1), operations=[], save_as="mine")
        for other in (card(2), "color_card"):
            words, _ = await desk.refusal(
                "edit_workflow", workflow=other, operations=[], save_as="mine"
            )
        kept = await desk.ask("edit_workflow", workflow="mine", operations=[])
        edited = await desk.ask(
            "edit_workflow", workflow="saved/mine", operations=narrow, save_as="mine"
        )
        after = await desk.ask("edit_workflow", workflow="mine", operations=[])

    assert "You saved another workflow as mine before, and it stays" in words
    assert "edit saved/mine itself" in words
    assert kept["graph"]["1"]["inputs"] == card(1)["1"]["inputs"]
    assert same["saved"] == edited["saved"] == "saved/mine"
    assert after["graph"]["1"]["inputs"]["width"] == 32


async def test_an_empty_graph_is_told_to_be_empty(sit: Sit) -> None:
    async with sit() as desk:
        made = await desk.ask("edit_workflow", workflow={}, operations=[])

    assert made["ok"] is False
    assert [one["what"] for one in made["problems"]] == [
        "The graph is empty: there is nothing to run."
    ]


async def test_parameters_of_a_saved_workflow_outlive_an_edit(sit: Sit) -> None:
    parameter = {
        "name": "shade",
        "type": "integer",
        "description": "The colour.",
        "default": 5,
        "fills": [{"node": "1", "input": "color"}],
    }

    async with sit() as desk:
        await desk.ask("save_workflow", name="mine", workflow=card(5), parameters=[parameter])
        title = {"op": "title", "node": "1", "title": "Colour"}
        await desk.ask("edit_workflow", workflow="mine", operations=[title], save_as="mine")
        job = await desk.ask("run_workflow", workflow="mine", params={"shade": 9})

    assert job["status"] == "completed"


async def test_saving_is_judged_as_save_workflow_is(sit: Sit) -> None:
    without: dict[str, Any] = {name: {} for name in EVERYTHING["tools"] if name != "save_workflow"}
    denied = {**EVERYTHING["tools"], "save_workflow": {"action": "deny"}}
    call: dict[str, Any] = {"workflow": card(1), "operations": [], "save_as": "mine"}

    async with sit({**EVERYTHING, "tools": without}) as desk:
        text, _ = await desk.refusal("edit_workflow", **call)
    async with sit({**EVERYTHING, "tools": denied}, grant="other") as desk:
        _, body = await desk.refusal("edit_workflow", **call)
        listed = await desk.ask("list_workflows", source="saved")

    assert "you have no save_workflow" in text
    assert body["code"] == "denied"
    assert listed["workflows"] == []


async def test_a_person_can_be_asked_about_saving(sit: Sit) -> None:
    call: dict[str, Any] = {"workflow": card(1), "operations": [], "save_as": "mine"}

    async with sit(asking("save_workflow")) as desk:
        _, body = await desk.refusal("edit_workflow", **call)
        await yes(desk, body["approval_id"])
        made = await desk.ask("edit_workflow", **call)

    assert body["code"] == "approval_required"
    assert made["saved"] == "saved/mine"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"workflow": {"1": 5}, "operations": []}, "it is an integer, not an object"),
        ({"workflow": "no-such", "operations": []}, "There is no workflow"),
        ({"workflow": {}, "operations": [5]}, "Operation 1 is an integer"),
        ({"workflow": {}, "operations": [{"op": "x"}]}, "op is one of add"),
        ({"workflow": {}, "operations": [], "save_as": "../x"}, "save_as"),
        ({"workflow": {}, "operations": [], "save_as": "x"}, "the graph is empty"),
        ({"workflow": {}, "operations": steps(201)}, "more than the 200"),
    ],
)
async def test_bad_arguments_are_told(arguments: dict[str, Any], words: str, sit: Sit) -> None:
    async with sit() as desk:
        result = await desk.call("edit_workflow", **arguments)

    assert result.is_error
    assert words in result.content[0].text


async def test_five_thousand_nodes_are_the_most(sit: Sit) -> None:
    inputs = {"width": 8, "height": 8, "batch_size": 1, "color": 0}
    graph = {str(n): {"class_type": "EmptyImage", "inputs": inputs} for n in range(5_000)}

    async with sit() as desk:
        text, _ = await desk.refusal("edit_workflow", workflow=graph, operations=steps(1))

    assert "5000 nodes, the most" in text


async def test_nothing_is_sent_that_could_change_anything(sit: Sit, host: EmbeddedHost) -> None:
    async with sit() as desk:
        await desk.ask("edit_workflow", workflow={}, operations=BUILD)

    assert sent(host) == []


async def test_what_a_model_reads_of_both_tools_is_short(sit: Sit) -> None:
    async with sit() as desk:
        read = {one.name: one for one in await listed(desk)}

    for name in ("edit_workflow", "validate_workflow"):
        tool = read[name]
        schema = json.dumps(tool.input_schema, separators=(",", ":"))
        assert len(name) + len(tool.description) + len(schema) < 1_100


async def listed(desk: Desk) -> Any:
    """The tools."""
    return (await desk.client.list_tools()).tools
