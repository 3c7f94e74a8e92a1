"""run_workflow with a graph: of either format, with parameters, with chance."""

from __future__ import annotations

from typing import Any

import pytest

from comfy_mcp.embedded import EmbeddedHost
from tests.embedded.desk import txt2img
from tests.tools.desk import EVERYTHING, Desk, Sit, card, graph, sent

pytestmark = pytest.mark.anyio


def editors_card(color: int) -> dict[str, Any]:
    """The card as the ComfyUI editor saves it, with a note beside it."""
    return {
        "version": 0.4,
        "nodes": [
            {
                "id": 1,
                "type": "EmptyImage",
                "mode": 0,
                "inputs": [],
                "outputs": [{"name": "IMAGE", "type": "IMAGE", "links": [1]}],
                "widgets_values": [64, 64, 1, color],
            },
            {
                "id": 2,
                "type": "SaveImage",
                "mode": 0,
                "inputs": [{"name": "images", "type": "IMAGE", "link": 1}],
                "outputs": [],
                "widgets_values": ["card"],
            },
            {"id": 3, "type": "Note", "mode": 0, "widgets_values": ["look"]},
        ],
        "links": [[1, 1, 0, 2, 0, "IMAGE"]],
    }


async def inputs_of(desk: Desk, prompt_id: str, node: str = "1") -> dict[str, Any]:
    """What stands in a node of the graph that ComfyUI was sent."""
    jobs = await desk.services.jobs()
    sent_graph = await jobs.host.graph(prompt_id)
    assert sent_graph is not None
    return sent_graph[node]["inputs"]


async def test_a_workflow_of_the_editor_is_converted_and_run(sit: Sit, host: EmbeddedHost) -> None:
    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=editors_card(255))

    assert job["status"] == "completed"
    assert job["workflow"] == "inline"
    assert job["outputs"][0]["kind"] == "image"
    assert sent(host) == ["POST /prompt"]


async def test_a_node_that_comfyui_lacks_is_told_with_a_near_one(
    sit: Sit, host: EmbeddedHost
) -> None:
    wrong = editors_card(1)
    wrong["nodes"][0]["type"] = "EmptyImages"

    async with sit() as desk:
        words, body = await desk.refusal("run_workflow", workflow=wrong)

    assert "EmptyImages" in words
    assert "near: EmptyImage)" in words
    assert body["code"] == "workflow"
    assert sent(host) == []


async def test_parameters_of_the_editors_format_go_by_node_and_by_meaning(sit: Sit) -> None:
    async with sit() as desk:
        params = {"1.color": 7, "width": 32}
        job = await desk.ask("run_workflow", workflow=editors_card(255), params=params)
        values = await inputs_of(desk, job["prompt_id"])

    assert (values["color"], values["width"], values["height"]) == (7, 32, 64)


async def test_what_is_not_named_stays_as_it_stands_in_the_graph(sit: Sit) -> None:
    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=card(5), params={"height": 128})
        values = await inputs_of(desk, job["prompt_id"])

    assert values == {"width": 64, "height": 128, "batch_size": 1, "color": 5}
    assert job["warnings"] == []


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"widht": 64}, 'Did you mean "width"?'),
        ({"1.colour": 64}, 'Did you mean "1.color"?'),
        ({"9.color": 64}, "NODE_ID.input"),
        ({"1.color": "red"}, "1.color must be an integer"),
        ({"2.images": "x"}, "linked to another node"),
        ({"width": 64, "1.width": 65}, "give only that one"),
        ({"1.color": "random"}, "1.color must be an integer"),
        ({"height": "64"}, "without quotes"),
    ],
)
async def test_a_wrong_parameter_of_a_graph_is_refused_with_the_right_one(
    sit: Sit, host: EmbeddedHost, params: dict[str, object], words: str
) -> None:
    async with sit() as desk:
        text, body = await desk.refusal("run_workflow", workflow=card(5), params=params)

    assert words in text
    assert body["code"] == "workflow"
    assert sent(host) == []


@pytest.mark.parametrize("name", ["seed", "5.seed"])
async def test_a_seed_by_chance_is_drawn_and_told(sit: Sit, name: str) -> None:
    async with sit() as desk:
        job = await desk.ask(
            "run_workflow", workflow=txt2img(steps=1, seed=3), params={name: "random"}
        )
        later = await desk.ask("get_job", prompt_id=job["prompt_id"])
        seed = (await inputs_of(desk, job["prompt_id"], "5"))["seed"]

    assert seed != 3
    assert job["warnings"] == [f"{name} {seed} was drawn at random"]
    assert later["warnings"] == job["warnings"]


async def test_the_seed_of_a_graph_stays_if_another_parameter_is_given(sit: Sit) -> None:
    async with sit() as desk:
        job = await desk.ask(
            "run_workflow",
            workflow=txt2img(steps=2, seed=3),
            params={"steps": 1, "prompt": "a fox"},
        )
        sampler = await inputs_of(desk, job["prompt_id"], "5")
        text = await inputs_of(desk, job["prompt_id"], "2")

    assert (sampler["seed"], sampler["steps"], text["text"]) == (3, 1, "a fox")


async def test_placeholders_of_a_graph_are_its_parameters(sit: Sit) -> None:
    held = card(0)
    held["1"]["inputs"]["color"] = "PARAM_INT_COLOR"

    async with sit() as desk:
        text, _ = await desk.refusal("run_workflow", workflow=held)
        assert "color is missing" in text
        job = await desk.ask("run_workflow", workflow=held, params={"color": 9, "1.width": 32})
        values = await inputs_of(desk, job["prompt_id"])

    assert (values["color"], values["width"]) == (9, 32)


async def test_rules_see_a_graph_with_its_parameters_in_place(sit: Sit, host: EmbeddedHost) -> None:
    rule = {"path": "args.workflow.1.inputs.width", "op": "gt", "value": 256}
    policy = {**EVERYTHING, "tools": {"run_workflow": {"deny_if": [rule]}}}

    async with sit(policy) as desk:
        await desk.ask("run_workflow", workflow=card(1))
        _, by_name = await desk.refusal("run_workflow", workflow=card(1), params={"width": 512})
        _, by_node = await desk.refusal("run_workflow", workflow=card(1), params={"1.width": 512})
        wide = editors_card(1)
        wide["nodes"][0]["widgets_values"][0] = 512
        _, converted = await desk.refusal("run_workflow", workflow=wide)

    assert by_name["code"] == by_node["code"] == converted["code"] == "deny_if"
    assert sent(host) == ["POST /prompt"]


async def test_a_workflow_by_name_takes_its_own_parameters_only(sit: Sit) -> None:
    async with sit() as desk:
        text, _ = await desk.refusal("run_workflow", workflow="color_card", params={"1.width": 64})

    assert "There is no parameter" in text


async def test_nothing_to_run_is_said(sit: Sit) -> None:
    async with sit() as desk:
        nothing, _ = await desk.refusal("run_workflow")
        both, _ = await desk.refusal("run_workflow", workflow=graph("medium"), from_prompt_id="x")

    assert "nothing was run" in nothing
    assert "not both" in both


async def test_a_misspelt_node_class_is_told_with_the_nearest(sit: Sit) -> None:
    wrong = card(1)
    wrong["1"]["class_type"] = "EmptyImag"
    far = card(1)
    far["1"]["class_type"] = "Qqqqqqqqqqqq"

    async with sit() as desk:
        words, body = await desk.refusal("run_workflow", workflow=wrong)
        none, _ = await desk.refusal("run_workflow", workflow=far)

    assert words.endswith('Did you mean "EmptyImage"?')
    assert (body["code"], body["nodes"][0]["node_type"]) == ("host_rejected", "EmptyImag")
    assert "Did you mean" not in none
