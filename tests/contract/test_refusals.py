"""POST /prompt says, in ComfyUI's words, what cannot run and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.probe import fresh

if TYPE_CHECKING:
    from tests.contract.probe import Comfy

pytestmark = pytest.mark.anyio

EMPTY = {
    "class_type": "EmptyImage",
    "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 1},
}
SAVE = {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "contract/x"}}
TROUBLE = "500 Internal Server Error\n\nServer got itself in trouble"


def graph(**changes: Any) -> dict[str, Any]:
    """A picture made and saved, with nodes replaced: `_1={...}`."""
    nodes = {"1": EMPTY, "2": SAVE}
    return nodes | {name.lstrip("_"): node for name, node in changes.items()}


def empty(**inputs: Any) -> dict[str, Any]:
    """An EmptyImage node with other inputs."""
    return {**EMPTY, "inputs": EMPTY["inputs"] | inputs}


def save(**inputs: Any) -> dict[str, Any]:
    """A SaveImage node with other inputs."""
    return {**SAVE, "inputs": SAVE["inputs"] | inputs}


@pytest.mark.parametrize("body", [{}, {"client_id": "x"}, []])
async def test_no_prompt_is_told(comfyui: Comfy, body: Any) -> None:
    answer = await comfyui.post("/prompt", body)

    told = "No prompt provided"
    error = {"type": "no_prompt", "message": told, "details": told, "extra_info": {}}
    assert (answer.status, answer.body) == (400, {"error": error, "node_errors": {}})


@pytest.mark.parametrize("more", [{"number": "abc"}, {"extra_data": []}, {"extra_data": "x"}])
async def test_what_has_the_wrong_type_is_trouble(comfyui: Comfy, more: dict[str, Any]) -> None:
    answer = await comfyui.submit(fresh("small"), client_id="x", **more)

    assert (answer.status, answer.body) == (500, TROUBLE)


async def test_malformed_json_is_trouble(comfyui: Comfy) -> None:
    answer = await comfyui.ask("POST", "/prompt", data=b"{")

    assert (answer.status, answer.body) == (500, TROUBLE)
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


async def test_an_unknown_class_is_refused_with_the_title_of_the_node(comfyui: Comfy) -> None:
    node = {"class_type": "ContractNope", "inputs": {}, "_meta": {"title": "Mine"}}

    answer = await comfyui.submit(graph(_1=node))

    assert answer.status == 400
    error = answer.body["error"]
    assert error["details"] == "Node ID '#1'"
    if comfyui.since("0.12.0"):
        assert error["type"] == "missing_node_type"
        assert error["message"].startswith("Node 'Mine' not found.")
        info = {"node_id": "1", "class_type": "ContractNope", "node_title": "Mine"}
        assert error["extra_info"] == info
    else:
        assert error["type"] == "invalid_prompt"
        assert error["extra_info"] == {}


async def test_a_node_without_a_class_is_refused(comfyui: Comfy) -> None:
    answer = await comfyui.submit(graph(_1={"inputs": {}}))

    kind = "missing_node_type" if comfyui.since("0.12.0") else "invalid_prompt"
    assert (answer.status, answer.body["error"]["type"]) == (400, kind)


async def test_a_workflow_of_the_editor_is_no_prompt(comfyui: Comfy) -> None:
    answer = await comfyui.submit({"nodes": [], "links": []})

    assert answer.status == (500 if comfyui.since("0.14.0") else 400)


@pytest.mark.parametrize("targets", [None, [], ["1"], ["99"]])
async def test_a_prompt_needs_an_output_among_the_targets(
    comfyui: Comfy, targets: list[str] | None
) -> None:
    nodes = {"1": EMPTY} if targets is None else graph()
    more = {} if targets is None else {"partial_execution_targets": targets}

    answer = await comfyui.submit(nodes, **more)

    error = {
        "type": "prompt_no_outputs",
        "message": "Prompt has no outputs",
        "details": "",
        "extra_info": {},
    }
    assert (answer.status, answer.body) == (400, {"error": error, "node_errors": {}})


async def test_an_error_upstream_leaves_the_details_empty(comfyui: Comfy) -> None:
    answer = await comfyui.submit(graph(_1=empty(width=0)))

    assert answer.status == 400
    assert answer.body["error"] == {
        "type": "prompt_outputs_failed_validation",
        "message": "Prompt outputs failed validation",
        "details": "",
        "extra_info": {},
    }
    config = ["INT", {"default": 512, "min": 1, "max": 16384, "step": 1}]
    info = {"input_name": "width", "input_config": config, "received_value": 0}
    wrong = {
        "type": "value_smaller_than_min",
        "message": "Value 0 smaller than min of 1",
        "details": "width",
        "extra_info": info,
    }
    entry = {"errors": [wrong], "dependent_outputs": ["2"], "class_type": "EmptyImage"}
    assert answer.body["node_errors"] == {"1": entry}


WRONG = {
    "too big": (graph(_1=empty(width=99999)), "1", "value_bigger_than_max", "width"),
    "not a number": (
        graph(_1=empty(width="abc")),
        "1",
        "invalid_input_type",
        "width, abc, invalid literal for int() with base 10: 'abc'",
    ),
    "missing": (
        graph(_2={**SAVE, "inputs": {"filename_prefix": "x"}}),
        "2",
        "required_input_missing",
        "images",
    ),
    "no link": (graph(_2=save(images=["1"])), "2", "bad_linked_input", "images"),
    "dangling": (graph(_2=save(images=["99", 0])), "2", "exception_during_validation", "'99'"),
    "bad slot": (
        graph(_2=save(images=["1", 7])),
        "2",
        "exception_during_validation",
        "tuple index out of range",
    ),
    "wrong type": (
        graph(
            _1={
                "class_type": "EmptyLatentImage",
                "inputs": {"width": 64, "height": 64, "batch_size": 1},
            }
        ),
        "2",
        "return_type_mismatch",
        "images, received_type(LATENT) mismatch input_type(IMAGE)",
    ),
    "no such file": (
        graph(_1={"class_type": "LoadImage", "inputs": {"image": "contract-nope.png"}}),
        "1",
        "custom_validation_failed",
        "image - Invalid image file: contract-nope.png",
    ),
    "dangling further up": (
        graph(_1={"class_type": "ImageInvert", "inputs": {"image": ["99", 0]}}),
        "1",
        "exception_during_inner_validation",
        "'99'",
    ),
    "not on the list": (
        graph(
            _1={"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "nope"}},
            _2={"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}},
        ),
        "1",
        "value_not_in_list",
        "ckpt_name: 'nope' not in [",
    ),
}


@pytest.mark.parametrize("case", WRONG)
async def test_what_is_wrong_with_an_input_is_told_by_node(comfyui: Comfy, case: str) -> None:
    nodes, node_id, kind, details = WRONG[case]

    answer = await comfyui.submit(nodes)

    assert answer.status == 400
    entry = answer.body["node_errors"][node_id]
    assert entry["class_type"] == nodes[node_id]["class_type"]
    assert entry["dependent_outputs"] == ["2"]
    assert [error["type"] for error in entry["errors"]] == [kind]
    assert entry["errors"][0]["details"].startswith(details)
    if kind.startswith("exception"):
        assert {"exception_type", "traceback"} <= set(entry["errors"][0]["extra_info"])


async def test_a_cycle_is_refused(comfyui: Comfy) -> None:
    one = {"class_type": "ImageInvert", "inputs": {"image": ["3", 0]}}
    three = {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}}

    answer = await comfyui.submit(graph(_1=one, _3=three))

    assert answer.status == 400
    assert answer.body["error"]["type"] == "prompt_outputs_failed_validation"
    if comfyui.since("0.20.0"):
        told = [error for each in answer.body["node_errors"].values() for error in each["errors"]]
        assert {error["type"] for error in told} == {"dependency_cycle"}
        assert set(answer.body["node_errors"]) == {"1", "3"}
    else:
        assert answer.body["node_errors"] == {}
