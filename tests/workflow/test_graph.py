"""Promise: a graph is a value; what it sends is a fresh copy of what came in."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any, cast

import pytest

from comfy_mcp.workflow.graph import Edge, Link, as_link
from comfy_mcp.workflow.parse import parse_graph


def card() -> dict[str, dict[str, Any]]:
    return {
        "1": {
            "class_type": "EmptyImage",
            "inputs": {"width": 64, "tags": {"__value__": [1, 2, 3]}},
        },
        "2": {
            "class_type": "SaveImage",
            "inputs": {"images": ["1", 0], "filename_prefix": "card"},
            "_meta": {"title": "Save", "more": [1]},
        },
    }


def test_what_is_sent_is_what_came_in() -> None:
    assert parse_graph(card()).to_json() == card()


def test_a_change_of_the_source_or_of_a_copy_does_not_change_the_graph() -> None:
    source = card()
    graph = parse_graph(source)

    source["1"]["inputs"]["tags"]["__value__"].append(4)
    cast("dict[str, Any]", graph.to_json()["2"]["inputs"])["images"][1] = 7

    assert graph.to_json() == card()


def test_nothing_in_a_graph_can_be_assigned() -> None:
    graph = parse_graph(card())

    with pytest.raises(FrozenInstanceError):
        graph.nodes = {}  # type: ignore[misc]  # the point
    with pytest.raises(TypeError):
        graph.nodes["1"] = graph.nodes["2"]  # type: ignore[index]  # the point
    with pytest.raises(TypeError):
        graph.nodes["1"].inputs["width"] = 65  # type: ignore[index]  # the point
    with pytest.raises(TypeError):
        graph.nodes["2"].inputs["images"][1] = 1  # type: ignore[index]  # the point


def test_a_node_knows_its_title_and_class() -> None:
    graph = parse_graph(card())

    assert (graph.nodes["2"].title, graph.nodes["2"].class_type) == ("Save", "SaveImage")
    assert graph.nodes["1"].title == ""
    assert graph.nodes["1"].meta is None


def test_a_title_that_is_no_text_is_no_title() -> None:
    nodes = card()
    nodes["2"]["_meta"] = {"title": 5}

    graph = parse_graph(nodes)

    assert graph.nodes["2"].title == ""
    assert graph.to_json() == nodes


def test_links_are_listed_with_both_ends() -> None:
    assert parse_graph(card()).links() == (Edge("2", "images", Link("1", 0)),)


@pytest.mark.parametrize("value", [["4", 2], ("4", 2)])
def test_a_pair_of_id_and_slot_is_a_link(value: object) -> None:
    assert as_link(value) == Link("4", 2)


@pytest.mark.parametrize(
    "value",
    [None, "4", 4, [], ["4"], ["4", 0, 0], [4, 0], ["4", "0"], ["4", 0.0], ["4", True], {"4": 0}],
)
def test_anything_else_is_no_link(value: object) -> None:
    assert as_link(value) is None
