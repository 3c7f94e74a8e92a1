"""What is said of a graph beforehand is what ComfyUI then says: refused or not, and where."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from comfy_mcp.workflow import parse_graph
from comfy_mcp.workflow.checking import DEEPEST, check
from comfy_mcp.workflow.schema import read_schemas
from tests.contract.probe import new_id

if TYPE_CHECKING:
    from tests.contract.probe import Comfy

pytestmark = pytest.mark.anyio


def image(**inputs: Any) -> dict[str, Any]:
    """A small picture."""
    plain = {"width": 16, "height": 16, "batch_size": 1, "color": 7}
    return {"class_type": "EmptyImage", "inputs": plain | inputs}


def scale(**inputs: Any) -> dict[str, Any]:
    """A picture in another size."""
    plain = {
        "image": ["1", 0], "upscale_method": "area", "width": 8, "height": 8, "crop": "disabled",
    }  # fmt: skip
    return {"class_type": "ImageScale", "inputs": plain | inputs}


def save(source: str = "2", **inputs: Any) -> dict[str, Any]:
    """What puts it out."""
    return {"class_type": "PreviewImage", "inputs": {"images": [source, 0]} | inputs}


def without(node: dict[str, Any], name: str) -> dict[str, Any]:
    """*node* without one of its inputs."""
    inputs = {key: value for key, value in node["inputs"].items() if key != name}
    return {**node, "inputs": inputs}


def nodes(**changed: Any) -> dict[str, Any]:
    """A graph that runs, with nodes replaced (`_1={...}`) or, if None, left out."""
    graph = {"1": image(), "2": scale(), "3": save()} | {
        name.lstrip("_"): node for name, node in changed.items()
    }
    return {name: node for name, node in graph.items() if node is not None}


def other(class_type: str, **inputs: Any) -> dict[str, Any]:
    """Any node."""
    return {"class_type": class_type, "inputs": inputs}


def shows(source: str) -> dict[str, Any]:
    """What puts out anything."""
    return other("PreviewAny", source=[source, 0])


TAKEN: dict[str, dict[str, Any]] = {
    "as it is": nodes(),
    "a number as text": nodes(_1=image(width=" 16 ")),
    "a fraction where it is cut": nodes(_1=image(width=16.9)),
    "a boolean as a number": nodes(_1=image(batch_size=True)),
    "an unknown input": nodes(_1=image(bogus="x")),
    "a link to an unknown input": nodes(_2=scale(bogus=["1", 0])),
    "a fault in a node that no output needs": nodes(_4=image(width="abc")),
    "a missing input of a node that no output needs": nodes(_4=without(scale(), "image")),
    "one good output of two": nodes(_4=save("5"), _5=image(width="abc")),
    "an object for a text": {"1": other("PrimitiveString", value={"a": [1]}), "2": shows("1")},
    "null for a boolean": {"1": other("PrimitiveBoolean", value=None), "2": shows("1")},
    "a wrapped list for a text": {
        "1": other("PrimitiveString", value={"__value__": [1, 2, 3]}),
        "2": shows("1"),
    },
    "any type": {"1": image(), "2": shows("1")},
    "an amount at its bound": nodes(_1=image(batch_size=1, color=0xFFFFFF)),
}
REFUSED: dict[str, dict[str, Any]] = {
    "an unknown class": nodes(_2=other("NoSuchNode", image=["1", 0])),
    "an unknown class that no output needs": nodes(_4=other("NoSuchNode")),
    "no output": nodes(_3=None),
    "a missing input": nodes(_1=without(image(), "width")),
    "a missing link": nodes(_3=other("PreviewImage")),
    "a slot that is not there": nodes(_3=other("PreviewImage", images=["2", 5])),
    "a link of another type": nodes(_2=scale(width=["1", 0])),
    "a text that is no number": nodes(_1=image(width="abc")),
    "an empty text for a number": nodes(_1=image(width="")),
    "null for a number": nodes(_1=image(width=None)),
    "an object for a number": nodes(_1=image(width={"a": 1})),
    "a list for a number": nodes(_1=image(width={"__value__": [1]})),
    "below the least": nodes(_1=image(width=0)),
    "above the most": nodes(_1=image(color=0x1000000)),
    "a text above the most": nodes(_1=image(batch_size="99999")),
    "not in the list": nodes(_2=scale(crop="middle")),
    "null in a list": nodes(_2=scale(crop=None)),
    "a number in a list": nodes(_2=scale(upscale_method=3)),
    "a text of another case": nodes(_2=scale(crop="Center")),
    "a fault two nodes away": nodes(_1=image(width=-1)),
    "a file that is not there": nodes(_1=other("LoadImage", image="no-such-file.png")),
    "a file that is no name": nodes(_1=other("LoadImage", image=5)),
    "a file over a link": nodes(_1=other("LoadImage", image=["4", 0]), _4=image()),
    "a model that is not there": {
        "1": other("VAELoader", vae_name="no-such-model.safetensors"),
        "2": other("VAEDecode", samples=["3", 0], vae=["1", 0]),
        "3": other("EmptyLatentImage", width=16, height=16, batch_size=1),
        "4": save(),
    },
    "both outputs": nodes(_1=image(width="abc"), _4=save("1")),
    "nothing that grew": {"1": other("ComfyMathExpression", expression="1"), "2": shows("1")},
    "something else that grew": {
        "1": other("ComfyMathExpression", **{"expression": "b", "values.b": ["3", 0]}),
        "2": shows("1"),
        "3": other("PrimitiveInt", value=1),
    },
    "a chain that is too long": {
        "0": image(),
        **{str(n): other("ImageInvert", image=[str(n - 1), 0]) for n in range(1, DEEPEST + 20)},
        "end": save(str(DEEPEST + 19)),
    },
}


async def said(comfyui: Comfy, graph: dict[str, Any]) -> Any:
    """What is said of *graph* before ComfyUI is asked."""
    told: dict[str, Any] = {}
    for name in {node["class_type"] for node in graph.values()}:
        told |= (await comfyui.get(f"/object_info/{name}")).body
    return check(parse_graph(json.loads(json.dumps(graph))), read_schemas(told))


ONLY_NEW: dict[str, dict[str, Any]] = {
    "a grown input": {
        "1": other("ComfyMathExpression", **{"expression": "a", "values.a": ["3", 0]}),
        "2": shows("1"),
        "3": other("PrimitiveInt", value=1),
    },
    "a choice with what belongs to it": nodes(
        _2=other(
            "ResizeImageMaskNode",
            **{
                "input": ["1", 0],
                "resize_type": "scale by multiplier",
                "resize_type.multiplier": 2,
                "scale_method": "area",
            },
        )
    ),
    "a choice without what belongs to it": nodes(
        _2=other(
            "ResizeImageMaskNode",
            input=["1", 0],
            resize_type="scale by multiplier",
            scale_method="area",
        )
    ),
    "no choice": nodes(_2=other("ResizeImageMaskNode", input=["1", 0], scale_method="area")),
    "an unknown choice": nodes(
        _2=other("ResizeImageMaskNode", input=["1", 0], resize_type="no such", scale_method="area")
    ),
    "too little of a grown input": nodes(
        _2=other("BatchImagesNode", **{"images.image1": ["1", 0]})
    ),
}
"""Of classes that not every host has."""


@pytest.mark.parametrize("what", ONLY_NEW)
async def test_dynamic_inputs_are_looked_at_as_comfyui_does(comfyui: Comfy, what: str) -> None:
    found = await said(comfyui, ONLY_NEW[what])
    answer = await comfyui.post("/prompt", {"prompt": ONLY_NEW[what], "prompt_id": new_id()})

    assert found.refused == (answer.status == 400), (found.problems, answer.body)


@pytest.mark.parametrize("what", TAKEN)
async def test_what_comfyui_takes_is_not_called_refused(comfyui: Comfy, what: str) -> None:
    found = await said(comfyui, TAKEN[what])
    answer = await comfyui.post("/prompt", {"prompt": TAKEN[what], "prompt_id": new_id()})

    assert answer.status == 200, answer.body
    assert not found.refused, found.problems
    # An output that is left out is told in both.
    assert bool(found.lost) == bool(answer.body["node_errors"])


@pytest.mark.parametrize("what", REFUSED)
async def test_what_comfyui_refuses_is_called_refused_at_the_same_node(
    comfyui: Comfy, what: str
) -> None:
    found = await said(comfyui, REFUSED[what])
    answer = await comfyui.post("/prompt", {"prompt": REFUSED[what], "prompt_id": new_id()})

    assert answer.status == 400, answer.body
    assert found.refused
    assert not found.sound
    told = answer.body["node_errors"]
    ours = {problem.node_id for problem in found.problems if problem.refuses}
    exact = {
        node_id
        for node_id, node in told.items()
        if not any(error["type"].startswith("exception_during") for error in node["errors"])
    }
    assert exact <= ours
