"""Where a run came from, as it is kept; and references to outputs."""

from __future__ import annotations

import json

import pytest

from comfy_mcp.workflow import Manifest, parse_graph, parse_manifest
from comfy_mcp.workflow.origin import MOST_BYTES, base_digest, origin_text, read_origin
from comfy_mcp.workflow.references import annotated, is_reference, references_in, with_files

CARD = {"1": {"class_type": "EmptyImage", "inputs": {"width": 64, "color": 1}}}


def test_an_origin_comes_back_as_it_was() -> None:
    origin = {"workflow": "card", "graph": CARD, "values": {"prompt": "Größe 猫"}}

    assert read_origin(origin_text(origin)) == origin


def test_what_makes_an_origin_too_long_is_left_out_and_named() -> None:
    origin = {"workflow": "card", "graph": {"x": "y" * MOST_BYTES}, "values": {"a": 1}}

    text = origin_text(origin)

    assert len(text.encode()) <= MOST_BYTES
    kept = json.loads(text)
    assert kept["graph"] is None
    assert kept["left_out"] == ["graph"]
    assert kept["values"] == {"a": 1}


@pytest.mark.parametrize("text", ["", "{", "[1]", "null"])
def test_what_is_no_origin_is_none(text: str) -> None:
    assert read_origin(text) is None


def filling(node_input: str, **more: object) -> Manifest:
    """A manifest with one parameter."""
    fills = [{"node": "1", "input": node_input}]
    width = {"name": "w", "type": "integer", "description": "W.", "fills": fills, **more}
    return parse_manifest({"title": "T", "parameters": [width]})


def test_a_workflow_is_another_one_if_its_graph_is_or_what_its_parameters_fill() -> None:
    graph, manifest = parse_graph(CARD), filling("width")
    other = parse_graph({"1": {"class_type": "EmptyImage", "inputs": {"width": 65, "color": 1}}})

    known = base_digest(graph, manifest)

    assert known == base_digest(parse_graph(CARD), filling("width", max=3))
    assert known != base_digest(other, manifest)
    assert known != base_digest(graph, filling("color"))
    assert known != base_digest(graph, None)


def test_references_are_found_and_replaced_wherever_they_stand_alone() -> None:
    uri = "comfy://jobs/a/outputs/0"
    graph = parse_graph(
        {
            "1": {"class_type": "LoadImage", "inputs": {"image": uri}},
            "2": {"class_type": "PreviewAny", "inputs": {"source": f"like {uri}"}},
        }
    )

    assert references_in(graph, {"b": "comfy://x", "c": 1}) == {uri, "comfy://x"}
    replaced = with_files(graph, {uri: "a.png [output]"})
    assert replaced.nodes["1"].inputs["image"] == "a.png [output]"
    assert replaced.nodes["2"] == graph.nodes["2"]
    assert with_files(graph, {}) is graph


@pytest.mark.parametrize("value", ["a.png", "", "comfy://a b", 1, None, ["comfy://a"]])
def test_most_values_are_no_references(value: object) -> None:
    assert not is_reference(value)


def test_files_are_named_as_comfyuis_nodes_read_them() -> None:
    assert annotated("output", "sub/deep", "x.png") == "sub/deep/x.png [output]"
    assert annotated("temp", "", "x.png") == "x.png [temp]"
    assert annotated("input", "clipspace", "x.png") == "clipspace/x.png"
