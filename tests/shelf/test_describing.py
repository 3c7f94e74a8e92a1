"""Promise: what is said of a workflow is true of this ComfyUI, and short."""

from __future__ import annotations

import json
from typing import Any

import pytest

from comfy_mcp.errors import WorkflowError
from comfy_mcp.library import shipped_folder
from comfy_mcp.shelf import Described, described
from tests.shelf.conftest import Room, card, editor

pytestmark = pytest.mark.anyio


async def about(room: Room, name: str) -> Described:
    found = await described(room.shelf, name, room.host, "ann")
    assert len(found.model_dump_json(exclude_none=True)) < 20_000
    return found


def shipped(name: str) -> dict[str, Any]:
    return json.loads((shipped_folder() / f"{name}.json").read_text())


async def test_a_workflow_that_can_run_says_what_it_takes_and_gives(room: Room) -> None:
    room.own("card", card())

    found = await about(room, "card")

    assert found.runnable is True
    assert (found.nodes, [one.class_type for one in found.outputs]) == (2, ["SaveImage"])
    assert found.parameters is not None
    width = found.parameters["properties"]["width"]
    assert (width["type"], width["default"], width["maximum"]) == ("integer", 64, 16384)


async def test_a_model_that_is_not_there_is_named_with_folder_and_parameter(room: Room) -> None:
    room.own("paint", shipped("txt2img"))

    found = await about(room, "paint")

    [lacking] = found.missing_choices
    assert found.runnable is False
    assert (lacking.folder, lacking.parameter) == ("checkpoints", "checkpoint")
    assert lacking.value == "v1-5-pruned-emaonly.safetensors"
    assert found.parameters is not None
    offered = found.parameters["properties"]["checkpoint"]["enum"]
    assert "embedded-demo.safetensors" in offered
    assert lacking.value not in offered


async def test_a_near_name_is_offered_for_a_model(room: Room) -> None:
    graph = shipped("txt2img")["graph"]
    loader = next(node for node in graph.values() if "ckpt_name" in node["inputs"])
    loader["inputs"]["ckpt_name"] = "embedded-dem0.safetensors"
    room.own("paint", {"title": "Paint", "parameters": [], "graph": graph})

    [lacking] = (await about(room, "paint")).missing_choices

    assert (lacking.near, lacking.parameter) == ("embedded-demo.safetensors", None)


async def test_what_has_to_be_given_anyway_is_not_missing(room: Room) -> None:
    room.own("enlarge", shipped("img2img"))

    found = await about(room, "enlarge")

    assert [one.parameter for one in found.missing_choices] == ["checkpoint"]
    assert found.parameters is not None
    assert found.parameters["required"] == ["image", "prompt"]


async def test_nodes_that_are_not_there_are_named_with_near_ones(room: Room) -> None:
    graph = card()
    graph["1"]["class_type"] = "EmptyImag"
    room.own("card", graph)

    found = await about(room, "card")

    assert found.runnable is False
    assert [(one.class_type, one.near) for one in found.missing_nodes] == [
        ("EmptyImag", "EmptyImage")
    ]


async def test_a_file_of_the_editor_with_missing_nodes_still_says_which(room: Room) -> None:
    graph = editor()
    graph["nodes"][0]["type"] = "EmptyImag"
    room.own("card", graph)

    found = await about(room, "card")

    assert (found.runnable, found.nodes, found.parameters) == (False, 2, None)
    assert [one.near for one in found.missing_nodes] == ["EmptyImage"]


async def test_a_file_of_the_editor_is_described_as_what_it_becomes(room: Room) -> None:
    room.own("card", editor())

    found = await about(room, "card")

    assert found.runnable is True
    assert found.parameters is not None
    assert {"width", "height"} <= set(found.parameters["properties"])


async def test_without_the_host_what_the_file_says_is_told(room: Room) -> None:
    room.own("paint", shipped("txt2img"))
    room.own("drawn", editor())

    async with room.comfyui.away():
        paint, drawn = await about(room, "paint"), await about(room, "drawn")

    assert paint.runnable is drawn.runnable is None
    assert paint.parameters is not None
    assert "prompt" in paint.parameters["properties"]
    assert drawn.parameters is None
    assert "does not answer" in paint.notes[0]


async def test_what_is_missing_a_thousand_times_is_told_shortly(room: Room) -> None:
    saver = card()["2"]
    strange = {str(n): {"class_type": f"Strange{'e' * 200}{n}", "inputs": {}} for n in range(1000)}
    room.own("strange", {**strange, "s": saver | {"inputs": {"images": ["0", 0]}}})

    found = await about(room, "strange")

    assert len(found.missing_nodes) == 20
    assert "980 more missing_nodes are not shown." in found.notes


async def test_a_file_in_a_subfolder_of_the_inputs_is_not_taken_for_missing(room: Room) -> None:
    for number, name in enumerate(["sub/a.png", "a.png [output]", "none.png"]):
        inputs = {"images": ["1", 0], "filename_prefix": "x"}
        graph = {
            "1": {"class_type": "LoadImage", "inputs": {"image": name}},
            "2": {"class_type": "SaveImage", "inputs": inputs},
        }
        room.own(f"look-{number}", {"title": "Look", "parameters": [], "graph": graph})

    lacking = [len((await about(room, f"look-{number}")).missing_choices) for number in range(3)]

    assert lacking == [0, 0, 1]


async def test_a_broken_file_is_said_to_be(room: Room) -> None:
    room.own("broken", [])

    with pytest.raises(WorkflowError, match=r"Library file broken\.json"):
        await about(room, "broken")


async def test_a_saved_value_that_is_gone_is_missing_though_it_could_be_given(room: Room) -> None:
    graph = shipped("txt2img")["graph"]
    room.own("paint", graph)

    found = await about(room, "paint")

    assert [(one.folder, one.parameter) for one in found.missing_choices] == [
        ("checkpoints", "checkpoint")
    ]


async def test_a_placeholder_is_not_taken_for_a_missing_model(room: Room) -> None:
    graph = shipped("txt2img")["graph"]
    loader = next(node for node in graph.values() if "ckpt_name" in node["inputs"])
    loader["inputs"]["ckpt_name"] = "PARAM_MODEL"
    room.own("paint", graph)

    found = await about(room, "paint")

    assert found.missing_choices == []
    assert found.parameters is not None
    assert found.parameters["required"] == ["model"]


async def test_a_seed_that_is_drawn_here_is_not_said_to_stay(room: Room) -> None:
    sampler = {
        "id": 3,
        "type": "KSampler",
        "mode": 0,
        "inputs": [],
        "outputs": [],
        "widgets_values": [7, "randomize", 20, 8, "euler", "normal", 1],
    }
    drawn = editor()
    drawn["nodes"].append(sampler)
    room.own("inferred", drawn)
    room.own("fixed", {"title": "Fixed", "parameters": [], "graph": drawn})

    inferred, fixed = await about(room, "inferred"), await about(room, "fixed")

    assert inferred.parameters is not None
    assert "seed" in inferred.parameters["properties"]
    assert not [note for note in inferred.notes if "drawn" in note]
    assert [note for note in fixed.notes if "drawn" in note]
