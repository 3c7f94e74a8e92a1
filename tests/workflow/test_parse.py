"""Promise: a workflow is taken whole, or refused with node, input and fix; never a crash."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_mcp.errors import WorkflowError
from comfy_mcp.workflow.parse import MAX_BYTES, MAX_NODES, parse_graph
from comfy_mcp.workflow.values import MAX_INT, MIN_INT

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(MIN_INT, MAX_INT)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
NODE_LIKE = st.fixed_dictionaries(
    {},
    optional={
        "class_type": ANY_JSON | st.just("SaveImage"),
        "inputs": st.dictionaries(st.text(), ANY_JSON, max_size=3) | ANY_JSON,
        "_meta": ANY_JSON,
    },
)


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, dict[str, object]]:
    """A sound workflow: its links lead to nodes that come before."""
    ids = draw(st.lists(st.integers(0, 99).map(str), min_size=1, max_size=6, unique=True))
    nodes: dict[str, dict[str, object]] = {}
    for node_id in ids:
        values: st.SearchStrategy[object] = LEAVES
        values |= st.lists(LEAVES, min_size=3, max_size=4).map(lambda x: {"__value__": x})
        if nodes:
            values |= st.tuples(st.sampled_from(sorted(nodes)), st.integers(0, 5)).map(list)
        nodes[node_id] = {
            "class_type": draw(st.sampled_from(["KSampler", "SaveImage", "Färbung 🎨"])),
            "inputs": draw(st.dictionaries(st.text(max_size=12), values, max_size=4)),
        }
        if draw(st.booleans()):
            nodes[node_id]["_meta"] = {"title": draw(st.text(max_size=12))}
    return nodes


def card(**width: object) -> dict[str, Any]:
    return {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 64, **width}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0]}},
    }


def refusal(value: object) -> WorkflowError:
    with pytest.raises(WorkflowError) as caught:
        parse_graph(value)
    return caught.value


@given(graphs())
def test_a_sound_workflow_is_sent_as_it_came(nodes: dict[str, dict[str, object]]) -> None:
    sent = parse_graph(nodes).to_json()

    assert sent == nodes
    assert list(sent) == list(nodes)
    assert parse_graph(sent) == parse_graph(nodes)


@given(ANY_JSON | st.dictionaries(st.text(max_size=3), NODE_LIKE | ANY_JSON, max_size=4))
def test_any_json_is_a_workflow_or_a_workflow_error(value: object) -> None:
    message = ""
    try:
        json.dumps(parse_graph(value).to_json(), allow_nan=False)
    except WorkflowError as exc:
        message = str(exc)

    assert all(line.isprintable() for line in message.splitlines())
    assert len(message) < 6000


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([], ("not a list", "itself")),
        ("{}", ("not a string", "not a text of it")),
        (None, ("not null",)),
        (b"", ("not a bytes",)),
        ({}, ("empty", "Add nodes")),
        ({"nodes": [], "links": []}, ("editor", "Workflow > Export (API)")),
        ({"prompt": card(), "client_id": "x"}, ('"prompt"', "Send only")),
        ({"title": "x", "graph": card()}, ('"graph"', "Send only")),
    ],
)
def test_what_is_no_workflow_is_told_with_the_fix(value: object, words: tuple[str, ...]) -> None:
    message = str(refusal(value))

    assert all(word in message for word in words), message


@pytest.mark.parametrize("node_id", ["prompt", "nodes", "graph", "a" * 64, "12:3", "日本"])
def test_a_node_may_have_any_short_id(node_id: str) -> None:
    nodes = {node_id: {"class_type": "EmptyImage", "inputs": {}}}

    assert parse_graph(nodes).to_json() == nodes


def test_keys_that_comfyui_does_not_read_are_left_out() -> None:
    nodes = card()
    nodes["1"]["is_changed"] = [float("nan")]

    assert parse_graph(nodes).to_json() == card()


def test_a_link_may_come_before_its_node_and_be_shared() -> None:
    nodes = dict(reversed(card().items()))
    nodes["3"] = {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}}

    assert list(parse_graph(nodes).nodes) == ["2", "1", "3"]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_cycle_is_named(size: int) -> None:
    nodes: dict[str, Any] = card()
    for n in range(size):
        link = [f"n{(n + 1) % size}", 0]
        nodes[f"n{n}"] = {"class_type": "ImageInvert", "inputs": {"image": link}}

    error = refusal(nodes)

    names = [f"n{n} (ImageInvert)" for n in range(size)]
    assert all(name in str(error) for name in names)
    assert str(error).count(" -> ") == size
    assert "Cut one" in str(error)
    assert error.node_id in {f"n{n}" for n in range(size)}


def test_a_long_cycle_is_cut_in_the_message() -> None:
    nodes = {
        str(n): {"class_type": "ImageInvert", "inputs": {"image": [str((n + 1) % 4000), 0]}}
        for n in range(4000)
    }

    message = str(refusal(nodes))

    assert "..." in message
    assert len(message) < 1000


def test_a_long_chain_is_no_cycle_and_no_recursion() -> None:
    nodes: dict[str, Any] = {"0": {"class_type": "EmptyImage", "inputs": {}}}
    for n in range(1, MAX_NODES):
        nodes[str(n)] = {"class_type": "ImageInvert", "inputs": {"image": [str(n - 1), 0]}}

    assert len(parse_graph(nodes).nodes) == MAX_NODES


def test_too_many_nodes_are_refused() -> None:
    nodes = {str(n): {"class_type": "EmptyImage", "inputs": {}} for n in range(MAX_NODES + 1)}

    assert "5001 nodes, more than the 5000" in str(refusal(nodes))


@pytest.mark.parametrize(
    "big",
    [
        "x" * 10_000_000,
        {"__value__": [0] * 5_000_000},
        {"__value__": [["xyz"] * 1000] * 1000},
        {str(n): n for n in range(600_000)},
    ],
    ids=["text", "list", "lists", "object"],
)
def test_a_workflow_that_is_too_big_is_refused(big: object) -> None:
    assert "bigger than 4 MiB" in str(refusal(card(width=big)))


def test_many_inputs_that_are_too_big_together_are_refused() -> None:
    nodes = card()
    for n in range(100):
        nodes[f"t{n}"] = {"class_type": "Note", "inputs": {"text": "x" * 50_000}}

    assert "bigger than 4 MiB" in str(refusal(nodes))


def test_bytes_are_counted_as_they_are_sent() -> None:
    assert "bigger than 4 MiB" in str(refusal(card(width="ü" * (MAX_BYTES // 2))))
    parse_graph(card(width="ü" * (MAX_BYTES // 2 - 200)))


def test_up_to_five_flaws_are_told_at_once() -> None:
    nodes: dict[str, Any] = {str(n): {"class_type": "A"} for n in range(9)}
    nodes["0"] = 5
    nodes["1"] = {"class_type": "A", "inputs": {"x": ["99", 0], "y": float("nan")}}

    error = refusal(nodes)

    lines = str(error).splitlines()
    assert len(lines) == 7
    assert "Node 0" in lines[1]
    assert "input x" in lines[2]
    assert "input y" in lines[3]
    assert lines[-1] == "  - and more."
    assert error.node_id == "0"
