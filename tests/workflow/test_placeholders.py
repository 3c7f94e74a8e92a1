"""Promise: a placeholder is a parameter, and none is ever left in what is sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_mcp.errors import WorkflowError
from comfy_mcp.workflow.fill import fill
from comfy_mcp.workflow.manifest import Parameter
from comfy_mcp.workflow.parse import parse_graph
from comfy_mcp.workflow.placeholders import MOST, placeholders
from comfy_mcp.workflow.schema import read_schemas

SCHEMAS = read_schemas(
    {
        "X": {
            "input": {
                "required": {
                    "n": ["INT", {"min": 1, "max": 9}],
                    "f": ["FLOAT", {"min": 0.5}],
                    "b": ["BOOLEAN", {}],
                    "c": [["a", "b"], {}],
                    "s": ["STRING", {}],
                    "i": [["x.png"], {"image_upload": True}],
                    "seed": ["INT", {"min": 0, "max": 100}],
                }
            }
        }
    }
)


def found(*, known: bool = True, **inputs: Any) -> dict[str, Parameter]:
    """The parameters of a node with *inputs*."""
    graph = parse_graph({"1": {"class_type": "X", "inputs": inputs}})
    taken = placeholders(graph, SCHEMAS if known else None)
    assert taken is not None
    assert taken[0] == graph
    return {one.name: one for one in taken[1].parameters}


@pytest.mark.parametrize(
    ("text", "name", "kind"),
    [
        ("PARAM_PROMPT", "prompt", "string"),
        ("PARAM_STR_STYLE", "style", "string"),
        ("PARAM_STRING_STYLE", "style", "string"),
        ("PARAM_TEXT_STYLE", "style", "string"),
        ("PARAM_INT_STEPS", "steps", "integer"),
        ("PARAM_FLOAT_CFG_SCALE", "cfg_scale", "number"),
        ("PARAM_BOOL_TILED", "tiled", "boolean"),
        ("PARAM_IMAGE_START", "start", "image"),
        ("PARAM_INT", "int", "string"),
        ("PARAM_SEED", "seed", "seed"),
        ("PARAM_INT_SEED", "seed", "seed"),
        ("PARAM_INT_NOISE_SEED", "noise_seed", "seed"),
    ],
)
def test_a_placeholder_says_its_name_and_maybe_its_type(text: str, name: str, kind: str) -> None:
    ((got, parameter),) = found(known=False, x=text).items()

    assert (got, parameter.type) == (name, kind)
    assert parameter.required is (kind != "seed")


@pytest.mark.parametrize(
    ("place", "kind"),
    [("n", "integer"), ("f", "number"), ("b", "boolean"), ("c", "choice"), ("i", "image")],
)
def test_without_a_type_it_is_the_hosts(place: str, kind: str) -> None:
    inputs: dict[str, Any] = {place: "PARAM_IT"}

    assert found(**inputs)["it"].type == kind


def test_a_typed_one_has_the_hosts_range_and_choices() -> None:
    taken = found(n="PARAM_INT_N", c="PARAM_STR_C")

    assert (taken["n"].min, taken["n"].max) == (1, 9)
    assert taken["c"].choices == ("a", "b")


def test_a_seed_that_the_host_bounds_has_to_be_given() -> None:
    assert found(seed="PARAM_SEED")["seed"].max == 100


def test_several_places_of_one_name_are_filled_together() -> None:
    graph = parse_graph(
        {
            "1": {"class_type": "X", "inputs": {"s": "PARAM_PROMPT", "t": "PARAM_PROMPT"}},
            "2": {"class_type": "X", "inputs": {"s": "PARAM_PROMPT", "kept": "PARAMETER"}},
        }
    )
    taken = placeholders(graph)
    assert taken is not None

    filled = fill(taken[0], taken[1], {"prompt": "a cat"}, draw_seed=lambda: 1)

    assert filled.graph.to_json() == {
        "1": {"class_type": "X", "inputs": {"s": "a cat", "t": "a cat"}},
        "2": {"class_type": "X", "inputs": {"s": "a cat", "kept": "PARAMETER"}},
    }


@pytest.mark.parametrize("text", ["PARAM_", "param_x", "a PARAM_X", "PARAM_x", "PARAM", "", 5])
def test_anything_else_is_a_value(text: Any) -> None:
    graph = parse_graph({"1": {"class_type": "X", "inputs": {"x": text}}})

    assert placeholders(graph) is None


@pytest.mark.parametrize("text", ["PARAM_1", "PARAM__", "PARAM_INT_3D", "PARAM_" + "A" * 65])
def test_a_name_that_no_parameter_can_have_is_refused_with_its_place(text: str) -> None:
    graph = parse_graph({"1": {"class_type": "X", "inputs": {"x": text}}})

    with pytest.raises(WorkflowError, match="names no parameter") as told:
        placeholders(graph)
    assert (told.value.node_id, told.value.input_name) == ("1", "x")


def test_two_types_of_one_name_are_refused() -> None:
    graph = parse_graph(
        {"1": {"class_type": "X", "inputs": {"x": "PARAM_INT_A", "y": "PARAM_FLOAT_A"}}}
    )

    with pytest.raises(WorkflowError, match="several types: integer, number"):
        placeholders(graph)


def test_more_names_than_a_manifest_may_have_are_refused() -> None:
    inputs = {f"x{n}": f"PARAM_A{n}" for n in range(MOST + 1)}

    with pytest.raises(WorkflowError, match="101 names"):
        placeholders(parse_graph({"1": {"class_type": "X", "inputs": inputs}}))


NAMES = st.from_regex(r"\APARAM_(INT_|FLOAT_|BOOL_|STR_|)[A-Z][A-Z0-9_]{0,8}\Z")
VALUES: dict[str, Any] = {
    "string": "text",
    "integer": 5,
    "number": 2.5,
    "boolean": True,
    "image": "a.png",
    "seed": 7,
}


@given(st.lists(NAMES, min_size=1, max_size=6))
def test_once_it_is_filled_no_placeholder_is_left(texts: list[str]) -> None:
    inputs = {f"x{number}": text for number, text in enumerate(texts)}
    try:
        taken = placeholders(parse_graph({"1": {"class_type": "Y", "inputs": inputs}}))
    except WorkflowError as error:
        assert "several types" in str(error) or "names no parameter" in str(error)  # noqa: PT017 - either
        return
    assert taken is not None
    params = {one.name: VALUES[one.type] for one in taken[1].parameters if one.required}

    filled = fill(taken[0], taken[1], params, draw_seed=lambda: 3)

    assert "PARAM_" not in json.dumps(filled.graph.to_json())
