"""Promise: a manifest that is taken is consistent in itself and fits its graph."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from comfy_mcp.errors import WorkflowError
from comfy_mcp.workflow.manifest import (
    Manifest,
    Parameter,
    Target,
    check_targets,
    parse_manifest,
)
from comfy_mcp.workflow.parse import parse_graph

GRAPH = parse_graph(
    {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0]}},
    }
)


def parameter(**changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "name": "width",
        "type": "integer",
        "description": "Width in pixels.",
        "fills": [{"node": "1", "input": "width"}],
    }
    fields |= changes
    return {key: value for key, value in fields.items() if value is not ...}


def manifest(*parameters: dict[str, Any], **more: Any) -> Manifest:
    return parse_manifest({"title": "Card", "parameters": list(parameters), **more})


def test_a_manifest_is_read_with_all_its_fields() -> None:
    found = manifest(parameter(default=64, min=1, max=128), description="A card.")

    assert found == Manifest(
        title="Card",
        description="A card.",
        parameters=(
            Parameter(
                name="width",
                type="integer",
                description="Width in pixels.",
                default=64,
                min=1,
                max=128,
                fills=(Target(node="1", input="width"),),
            ),
        ),
    )
    assert found.names == ("width",)


def test_a_title_alone_is_a_manifest() -> None:
    assert parse_manifest({"title": "Card"}).parameters == ()


@pytest.mark.parametrize(
    ("changes", "required"),
    [
        ({}, True),
        ({"default": 64}, False),
        ({"type": "seed", "default": None}, False),
        ({"type": "seed"}, True),
        ({"type": "boolean", "default": False}, False),
        ({"type": "number", "default": 1, "min": 0.5}, False),
        ({"type": "choice", "choices": ["a", "b"], "default": "b"}, False),
        ({"type": "image", "default": "a.png", "max_length": 5}, False),
    ],
)
def test_a_parameter_without_a_default_is_required(
    changes: dict[str, Any], *, required: bool
) -> None:
    assert manifest(parameter(**changes)).parameters[0].required is required


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "Width"}, "parameters.0.name"),
        ({"name": "width\n"}, "parameters.0.name"),
        ({"name": "a" * 65}, "parameters.0.name"),
        ({"type": "float"}, "parameters.0.type"),
        ({"description": ""}, "parameters.0.description"),
        ({"description": ...}, "parameters.0.description: Field required"),
        ({"fills": []}, "parameters.0.fills"),
        ({"fills": [{"node": 1, "input": "width"}]}, "parameters.0.fills.0.node"),
        ({"fills": [{"node": "1", "input": "width", "x": 1}]}, "parameters.0.fills.0.x"),
        ({"step": 8}, "parameters.0.step"),
        ({"default": [1]}, "parameters.0.default"),
        ({"default": 0, "min": 1}, "parameters.0: default must be at least 1, not 0"),
        ({"default": "64"}, "default must be an integer, not a string"),
        ({"default": True}, "default must be an integer, not a boolean"),
        ({"default": 64.0}, "default must be an integer, not a number"),
        ({"default": None}, "leave it out to make the parameter required"),
        ({"min": 5, "max": 4}, "min is greater than max"),
        ({"min": 0.5}, "min and max of an integer have to be integers"),
        ({"max": 8.0}, "min and max of an integer have to be integers"),
        ({"type": "string", "min": 1}, "min and max are for integer and number"),
        ({"type": "seed", "max": 1}, "min and max are for integer and number"),
        ({"max_length": 5}, "max_length is for string and image"),
        ({"type": "string", "max_length": 0}, "parameters.0.max_length"),
        ({"choices": ["a"]}, "a choice needs choices"),
        ({"type": "choice"}, "a choice needs choices"),
        ({"type": "choice", "choices": ["a", "a"]}, "the same entry twice"),
        ({"type": "choice", "choices": ["a"], "default": "b"}, "default must be one of: a"),
        ({"type": "image", "default": "../a.png"}, "default must stay"),
    ],
)
def test_a_parameter_at_odds_with_itself_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(WorkflowError) as caught:
        manifest(parameter(**changes))

    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({}, "title: Field required"),
        ({"title": ""}, "title"),
        ({"title": "x", "version": 1}, "version"),
        ({"title": "x", "parameters": {}}, "parameters"),
        ([], "manifest"),
        ({"title": float("nan")}, "no JSON value"),
        (
            {"title": "x", "parameters": [parameter(), parameter()]},
            "two parameters are named width",
        ),
        (
            {"title": "x", "parameters": [parameter(), parameter(name="other")]},
            "the input 1.width is filled twice",
        ),
    ],
)
def test_a_manifest_at_odds_with_itself_is_refused(value: object, words: str) -> None:
    with pytest.raises(WorkflowError) as caught:
        parse_manifest(value)

    assert words in str(caught.value)


def test_several_flaws_are_told_at_once() -> None:
    with pytest.raises(WorkflowError) as caught:
        manifest(parameter(name="X", min="1"))

    assert "parameters.0.name" in str(caught.value)
    assert "parameters.0.min" in str(caught.value)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ({"node": "9", "input": "width"}, "no such node. Name one of: 1, 2"),
        ({"node": "1", "input": "depth"}, "no such input. Name one of: width, height"),
        ({"node": "2", "input": "images"}, "linked to another node"),
    ],
)
def test_a_target_has_to_be_a_value_of_the_graph(target: dict[str, str], words: str) -> None:
    found = manifest(parameter(fills=[target]))

    with pytest.raises(WorkflowError) as caught:
        check_targets(found, GRAPH)

    assert words in str(caught.value)
    assert caught.value.details() == {"node_id": target["node"], "input": target["input"]}


def test_a_manifest_that_fits_passes() -> None:
    check_targets(manifest(parameter()), GRAPH)


def test_what_a_caller_is_told_has_no_targets_and_says_what_is_required() -> None:
    found = manifest(
        parameter(default=64, min=1),
        parameter(name="seed", type="seed", default=None, fills=[{"node": "1", "input": "seed"}]),
        parameter(name="size", fills=[{"node": "1", "input": "height"}]),
    )

    assert [each.public() for each in found.parameters] == [
        {
            "name": "width",
            "type": "integer",
            "description": "Width in pixels.",
            "default": 64,
            "min": 1,
            "required": False,
        },
        {
            "name": "seed",
            "type": "seed",
            "description": "Width in pixels.",
            "default": None,
            "required": False,
        },
        {
            "name": "size",
            "type": "integer",
            "description": "Width in pixels.",
            "required": True,
        },
    ]


def test_a_manifest_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        manifest().title = "Other"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"type": "float"},
            'choice, seed, image; not "float"; did you mean "number"?',
        ),
        ({"type": "integr"}, 'not "integr"; did you mean "integer"?'),
        (
            {"desription": "x"},
            "parameters.0.desription: there is no such key; did you mean description?",
        ),
        ({"name": "Width"}, "parameters.0.name: must be small letters"),
        ({"default": [1]}, "parameters.0.default: must be a text, a number, or true or false."),
        ({"fills": [{"node": 1, "input": "width"}]}, "parameters.0.fills.0.node: must be a text."),
        (
            {"fills": [{"node": "1", "inputs": "w"}]},
            "inputs: there is no such key; did you mean input?",
        ),
        (
            {"type": "choice", "choices": ["multiply"], "default": "multipl"},
            'did you mean "multiply"?',
        ),
    ],
)
def test_what_is_wrong_is_told_in_our_words(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(WorkflowError) as caught:
        manifest(parameter(**changes))

    said = str(caught.value)
    assert words in said
    assert "Input should be" not in said
    assert "?." not in said
