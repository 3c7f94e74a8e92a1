"""Promise: no file that a workflow reads goes unnamed, and none is named for another."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from comfy_mcp.workflow import Graph, parse_graph
from comfy_mcp.workflow.input_files import input_files, reads_of
from comfy_mcp.workflow.nodes.files import FILES, FROM_OUTPUTS
from tests.workflow.test_facts_laws import graphs

Spec = tuple[str, dict[str, Any]]


def graph(**nodes: Spec) -> Graph:
    return parse_graph(
        {key: {"class_type": kind, "inputs": inputs} for key, (kind, inputs) in nodes.items()}
    )


def names(**nodes: Spec) -> list[str]:
    """Names of the files that are surely these."""
    return [one.name for one in input_files(graph(**nodes)) if not one.loose]


def loose(**nodes: Spec) -> list[tuple[str, str]]:
    return [(one.name, one.loose) for one in input_files(graph(**nodes)) if one.loose]


PLAIN = [
    (kind, name)
    for kind, inputs in FILES.items()
    for name in inputs
    if "folder" not in name and kind not in FROM_OUTPUTS
]
FOLDERS = [(kind, name) for kind, inputs in FILES.items() for name in inputs if "folder" in name]


@pytest.mark.parametrize(("kind", "name"), PLAIN)
@pytest.mark.parametrize("file", ["a.png", "sub/\u00e4 b.png", "a.png [output]", "a", "7"])
def test_every_class_that_reads_a_file_names_it_as_it_stands_there(
    kind: str, name: str, file: str
) -> None:
    assert names(n=(kind, {name: file})) == [file]
    assert names(t=("PrimitiveString", {"value": file}), n=(kind, {name: ["t", 0]})) == [file]


@pytest.mark.parametrize(("kind", "name"), FOLDERS)
def test_a_folder_is_told_as_one_whose_files_nobody_knows(kind: str, name: str) -> None:
    assert names(n=(kind, {name: "pictures"})) == []
    assert loose(n=(kind, {name: "pictures"})) == [("pictures", "it is a folder")]


def test_a_plain_name_of_load_image_output_may_be_an_input_or_an_output() -> None:
    assert names(n=("LoadImageOutput", {"image": "a.png"})) == ["a.png", "a.png [output]"]
    assert names(n=("LoadImageOutput", {"image": "a]"})) == ["a]", "a] [output]"]
    for marked in ("a.png [output]", "a.png [input]", "a.png [temp]"):
        assert names(n=("LoadImageOutput", {"image": marked})) == [marked]


def test_a_file_is_named_once_however_many_nodes_read_it() -> None:
    two = graph(
        a=("LoadImage", {"image": "x.png"}),
        b=("LoadImageMask", {"image": "x.png"}),
        c=("LoadImage", {"image": "y.png"}),
    )

    assert [(one.name, one.node_id) for one in input_files(two)] == [("x.png", "a"), ("y.png", "c")]
    assert [one.node_id for one in reads_of(two)] == ["a", "b", "c"]


def test_every_file_is_named_however_many_there_are() -> None:
    many = {f"n{at}": ("LoadImage", {"image": f"{at}.png"}) for at in range(400)}

    assert names(**many) == [f"{at}.png" for at in range(400)]


@pytest.mark.parametrize("value", [{"__value__": ["a.png"]}, {"a": 1}])
def test_what_is_no_name_is_told_as_a_file_that_nobody_knows(value: object) -> None:
    assert names(n=("LoadImage", {"image": value}))[1:] == []
    assert loose(n=("LoadImage", {"image": value})) == [
        ("LoadImage.image", "which file it is cannot be foreseen")
    ]


def test_a_name_that_cannot_be_foreseen_is_told_as_such() -> None:
    oracle: Spec = ("Oracle", {})
    expected = "which file it is cannot be foreseen"

    assert loose(o=oracle, n=("LoadImage", {"image": ["o", 0]})) == [("LoadImage.image", expected)]
    strange = ("StringReplace", {"string": ["o", 0], "find": "a", "replace": "b"})
    found = loose(o=oracle, s=strange, n=("SomebodysLoader", {"image_path": ["s", 0]}))
    assert found == [("SomebodysLoader.image_path", expected)]


def test_a_name_longer_than_any_is_not_cut_to_another() -> None:
    long = "a/" * 3000 + "x.png"

    assert names(n=("LoadImage", {"image": long})) == []
    assert [why for _, why in loose(n=("LoadImage", {"image": long}))] == ["its name is too long"]


def test_an_empty_name_and_an_input_that_is_left_out_are_no_files() -> None:
    empty = graph(a=("LoadImage", {"image": ""}), b=("LoadImage", {}), c=("Painter", {"mask": ""}))

    assert input_files(empty) == ()


@pytest.mark.parametrize(
    "file",
    [
        *("a.png", "A.PNG", "b.jpeg ", "c.mp4", "d.wav", "e.glb", "f.latent", "g.txt"),
        *("a.png [output]", "a.png [temp] ", "a.png[input]"),
    ],
)
def test_every_text_of_a_custom_class_that_ends_like_a_file_is_one(file: str) -> None:
    assert names(n=("SomebodysLoader", {"anything": file})) == [file]
    assert names(n=("SomebodysLoader", {"list": {"__value__": [["x", file]]}})) == [file]
    assert names(n=("SomebodysLoader", {"deep": {"a": {"b": [file]}}})) == [file]
    text: Spec = ("PrimitiveString", {"value": file})
    assert names(t=text, n=("SomebodysLoader", {"anything": ["t", 0]})) == [file]


@pytest.mark.parametrize("name", ["filename_prefix", "output_path", "save_dir"])
def test_where_a_custom_class_saves_is_not_read(name: str) -> None:
    text: Spec = ("PrimitiveString", {"value": "a.png"})

    assert names(n=("SomebodysSaver", {name: "a.png"})) == []
    assert names(t=text, n=("SomebodysSaver", {name: ["t", 0]})) == []


def test_words_of_comfyuis_own_classes_are_no_files() -> None:
    assert names(n=("CLIPTextEncode", {"text": "a portrait, photo.png"})) == []
    assert names(n=("SaveImage", {"filename_prefix": "a.png"})) == []


def test_files_that_a_widget_writes_down_are_named_too() -> None:
    pictures = {"image": "3d/a.png [temp]", "mask": "3d/m.png [temp]", "recording": "r.mp4"}
    found = names(n=("Load3D", {"model_file": "3d/m.glb", "image": pictures, "width": 64}))

    assert sorted(found) == ["3d/a.png [temp]", "3d/m.glb", "3d/m.png [temp]", "r.mp4"]


@given(graphs())
@settings(max_examples=200)
def test_every_workflow_can_be_asked_and_says_the_same_twice(graph: Graph) -> None:
    found = input_files(graph)

    assert found == input_files(graph)
    assert len({(one.name, one.loose) for one in found}) == len(found)
    assert {one.node_id for one in found} <= graph.nodes.keys()
    assert {(one.name, one.loose) for one in found} == {
        (one.name, one.loose) for one in reads_of(graph)
    }
    for node in graph.nodes.values():
        for name in FILES.get(node.class_type, ()):
            value = node.inputs.get(name)
            if isinstance(value, str) and value and "folder" not in name:
                assert value in {one.name for one in found if not one.loose}
