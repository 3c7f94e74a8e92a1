"""Promise: what is filled in is what is found in the graph, and nothing is guessed or dropped."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_mcp.errors import WorkflowError
from comfy_mcp.workflow.fill import MAX_DRAWN_SEED, Filled, fill
from comfy_mcp.workflow.graph import Graph
from comfy_mcp.workflow.manifest import Manifest, parse_manifest
from comfy_mcp.workflow.parse import parse_graph

TYPES = ("string", "integer", "number", "boolean", "choice", "seed", "image")
VALUES: dict[str, st.SearchStrategy[object]] = {
    "string": st.text(max_size=50),
    "integer": st.integers(-(2**63), 2**64 - 1),
    "number": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-100, 100),
    "boolean": st.booleans(),
    "choice": st.sampled_from(["red", "green"]),
    "seed": st.integers(0, 2**64 - 1),
    "image": st.from_regex(r"\A[a-z]{1,9}/[a-z]{1,9}\.png\Z"),
}


def seven() -> int:
    return 7


def graph() -> Graph:
    inputs = dict.fromkeys(TYPES)
    return parse_graph(
        {
            "1": {"class_type": "Source", "inputs": {**inputs, "untouched": 1}},
            "2": {"class_type": "Sink", "inputs": {"in": ["1", 0], **inputs}},
        }
    )


def manifest(**changes: dict[str, Any]) -> Manifest:
    """One parameter of each type, named after it, which fills both nodes."""
    parameters: list[dict[str, Any]] = []
    for kind in TYPES:
        fills = [{"node": node, "input": kind} for node in ("1", "2")]
        parameters.append({"name": kind, "type": kind, "description": "A value.", "fills": fills})
        if kind == "choice":
            parameters[-1]["choices"] = ["red", "green"]
        parameters[-1] |= changes.get(kind, {})
    return parse_manifest({"title": "All", "parameters": parameters})


def defaults() -> Manifest:
    return manifest(
        string={"default": ""},
        integer={"default": 0, "min": 0, "max": 9},
        number={"default": 0.5, "min": 0, "max": 1},
        boolean={"default": False},
        choice={"default": "red"},
        seed={"default": None},
        image={"default": "a.png"},
    )


def filled(params: dict[str, object]) -> Filled:
    return fill(graph(), defaults(), params, draw_seed=seven)


def refusal(params: dict[str, object], of: Manifest | None = None) -> WorkflowError:
    with pytest.raises(WorkflowError) as caught:
        fill(graph(), of or defaults(), params, draw_seed=seven)
    return caught.value


@given(st.fixed_dictionaries(VALUES))
def test_what_was_filled_in_is_read_back(params: dict[str, object]) -> None:
    found = fill(graph(), manifest(), params, draw_seed=seven)

    for node in found.graph.nodes.values():
        assert {kind: node.inputs[kind] for kind in TYPES} == params
        assert all(type(node.inputs[kind]) is type(params[kind]) for kind in TYPES)
    assert found.values == params
    assert found.drawn == ()
    assert found.graph.nodes["1"].inputs["untouched"] == 1
    assert found.graph.links() == graph().links()


@given(st.fixed_dictionaries({}, optional=VALUES))
def test_the_values_reported_are_those_in_the_graph(params: dict[str, object]) -> None:
    found = fill(
        graph(),
        manifest(**{kind: {"default": value} for kind, value in filled({}).values.items()}),
        params,
        draw_seed=seven,
    )

    assert {kind: found.graph.nodes["2"].inputs[kind] for kind in TYPES} == found.values
    assert found.values == {**filled({}).values, **params}


def test_defaults_stand_in_for_what_was_not_given() -> None:
    found = filled({"integer": 3})

    assert found.values == {
        "string": "",
        "integer": 3,
        "number": 0.5,
        "boolean": False,
        "choice": "red",
        "seed": 7,
        "image": "a.png",
    }


def test_a_seed_is_drawn_once_and_reported() -> None:
    draws = iter([11, 12])

    found = fill(graph(), defaults(), {}, draw_seed=lambda: next(draws))

    assert found.values["seed"] == 11
    assert found.drawn == ("seed",)
    assert [node.inputs["seed"] for node in found.graph.nodes.values()] == [11, 11]
    assert next(draws) == 12


def test_no_seed_is_drawn_when_one_is_given() -> None:
    def never() -> int:
        raise AssertionError("drawn")

    assert fill(graph(), defaults(), {"seed": 0}, draw_seed=never).drawn == ()


@pytest.mark.parametrize("drawn", [-1, MAX_DRAWN_SEED + 1])
def test_a_drawn_seed_that_json_readers_would_round_is_a_fault(drawn: int) -> None:
    with pytest.raises(ValueError, match="draw_seed"):
        fill(graph(), defaults(), {}, draw_seed=lambda: drawn)


def test_the_graph_given_is_not_changed() -> None:
    source = graph()

    fill(source, defaults(), {"integer": 3}, draw_seed=seven)

    assert source == graph()


def test_an_unknown_parameter_is_refused_with_the_nearest_name_and_all_names() -> None:
    error = refusal({"interger": 3})

    assert 'no parameter "interger". Did you mean "integer"?' in str(error)
    assert ", ".join(TYPES) in str(error)
    assert error.input_name == "interger"


def test_a_required_parameter_that_is_missing_is_named_with_what_it_is_for() -> None:
    error = refusal({}, manifest(**{kind: {"default": None} for kind in ("seed",)}))

    assert 'Parameter string is missing: "A value.".' in str(error)
    assert error.input_name == "string"


def test_a_wrong_value_is_refused_with_its_parameter() -> None:
    error = refusal({"integer": 10})

    assert str(error) == "Parameter integer must be between 0 and 9, not 10."
    assert error.input_name == "integer"


def test_null_is_no_value_and_the_fix_is_told() -> None:
    assert str(refusal({"integer": None})).endswith("leave it out to have the default.")
    assert "leave it out" not in str(refusal({"integer": None}, manifest()))


def test_several_flaws_are_told_at_once() -> None:
    message = str(refusal({"integer": "1", "number": 2, "colour": 1}))

    assert message.splitlines()[0] == "The parameters cannot be used, for these reasons:"
    assert len(message.splitlines()) == 4


def test_a_workflow_without_parameters_says_so() -> None:
    error = refusal({"width": 1}, parse_manifest({"title": "None"}))

    assert str(error) == 'There is no parameter "width". This workflow takes no parameters.'


def test_a_workflow_without_a_manifest_takes_no_parameters() -> None:
    assert fill(graph(), None, {}, draw_seed=seven) == Filled(graph(), {})
    with pytest.raises(WorkflowError, match=r"no parameters.*into its nodes.*width"):
        fill(graph(), None, {"width": 1}, draw_seed=seven)


def test_a_manifest_of_another_graph_is_refused() -> None:
    other = parse_graph({"1": {"class_type": "Source", "inputs": {}}})

    with pytest.raises(WorkflowError, match="no such input"):
        fill(other, defaults(), {}, draw_seed=seven)


def test_a_value_that_makes_the_workflow_too_big_is_refused() -> None:
    big = manifest(string={"max_length": 1_000_000})
    values = {**filled({}).values, "string": "ü" * 1_000_000, "integer": 1}

    with pytest.raises(WorkflowError, match="bigger than 4 MiB"):
        fill(
            parse_graph({**graph().to_json(), "3": note("x" * 1_000_000)}),
            big,
            values,
            draw_seed=seven,
        )


def note(text: str) -> dict[str, object]:
    return {"class_type": "Note", "inputs": {"text": text}}
