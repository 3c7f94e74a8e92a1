"""Subgraphs are laid out flat, with the ids that the editor gives."""

from __future__ import annotations

import copy

from comfy_mcp.workflow.ui import classes_of
from tests.workflow.ui.became import became, inputs_of, refused
from tests.workflow.ui.cases import (
    bypassed_part,
    deep_part,
    muted_part,
    numbered_twice,
    old_names,
    part,
    through,
)
from tests.workflow.ui.paper import MUTED, Paper


def test_each_use_of_a_subgraph_has_nodes_and_values_of_its_own() -> None:
    inputs = inputs_of(part())

    assert inputs["2:100"] == {
        "image": ["1", 0],
        "upscale_method": "area",
        "width": 32,
        "height": 32,
        "crop": "disabled",
    }
    assert inputs["2:101"] == {"image": ["2:100", 0]}
    assert inputs["3:100"]["image"] == ["2:101", 0]
    assert inputs["5"]["images"] == ["3:101", 0]


def test_what_is_linked_to_a_subgraph_counts_more_than_what_its_node_holds() -> None:
    scaled = inputs_of(part())["3:100"]

    assert scaled["width"] == scaled["height"] == ["4", 0]


def test_nodes_in_subgraphs_are_told_to_the_host() -> None:
    assert classes_of(deep_part()) == {"EmptyImage", "ImageInvert", "ImageScale", "SaveImage"}


def test_a_width_shown_on_the_way_up_is_that_of_the_outermost_node() -> None:
    inputs = inputs_of(deep_part())

    assert (inputs["2:200:100"]["width"], inputs["2:200:100"]["height"]) == (72, 72)
    assert inputs["2:200:100"]["image"] == ["1", 0]
    assert inputs["3"]["images"] == ["2:200:101", 0]


def test_a_subgraph_node_that_holds_nothing_gives_what_is_inside() -> None:
    paper = deep_part()
    paper["nodes"][1]["widgets_values"] = []
    for board in paper["definitions"]["subgraphs"]:
        for node in board["nodes"]:
            if node["type"] not in {"ImageScale", "ImageInvert"}:
                node["widgets_values"] = []

    assert inputs_of(paper)["2:200:100"]["width"] == 16


def test_values_by_name_count_more_where_a_newer_editor_has_them_in_another_order() -> None:
    file = old_names()
    node = file["nodes"][0]
    del node["properties"]["proxyWidgets"]
    board = file["definitions"]["subgraphs"][0]
    links = board["links"]
    for slot, (target, name) in enumerate([(100, "width"), (100, "color")]):
        number = len(links) + 1
        links.append(
            {
                "id": number,
                "origin_id": -10,
                "origin_slot": slot,
                "target_id": target,
                "target_slot": slot,
                "type": "INT",
            }
        )
        board["nodes"][0]["inputs"].append({"name": name, "type": "INT", "link": number})
        board["inputs"].append({"name": f"the {name}", "type": "INT", "linkIds": [number]})
    node["widgets_values"] = [9, 640]
    node["widgets_values_named"] = {"the color": 9, "the width": 640}

    picture = inputs_of(file)["1:100"]

    assert (picture["width"], picture["color"]) == (640, 9)


def test_a_bypassed_subgraph_gives_its_input_on_as_a_whole() -> None:
    assert inputs_of(bypassed_part()) == {
        "1": {"width": 64, "height": 64, "batch_size": 1, "color": 0},
        "3": {"filename_prefix": "x", "images": ["1", 0]},
    }


def test_a_muted_subgraph_gives_nothing() -> None:
    assert inputs_of(bypassed_part(MUTED))["3"] == {"filename_prefix": "x"}


def test_nothing_runs_in_a_subgraph_that_is_muted_within_another() -> None:
    """The editor sends its nodes nevertheless; what they give goes nowhere."""
    assert set(became(muted_part())) == {"1", "3", "4"}


def test_a_subgraph_that_gives_an_input_on_is_seen_through() -> None:
    """The editor cannot send such a workflow."""
    assert inputs_of(through())["3"]["images"] == ["1", 0]


def test_numbers_that_are_used_twice_are_given_anew_as_the_editor_does() -> None:
    inputs = inputs_of(numbered_twice())

    assert set(inputs) == {"1", "3", "2:4", "2:5"}
    assert inputs["2:5"] == {"image": ["2:4", 0]}
    assert inputs["3"]["images"] == ["2:5", 0]


def test_widgets_that_older_files_name_are_those_of_each_use() -> None:
    inputs = inputs_of(old_names())

    assert (inputs["1:101"]["height"], inputs["1:101"]["width"]) == (30, 20)
    assert inputs["1:100"]["color"] == 5
    assert (inputs["2:101"]["height"], inputs["2:101"]["width"]) == (31, 21)
    assert inputs["2:100"]["color"] == 0


def test_names_that_older_files_put_behind_numbers_are_understood() -> None:
    file = old_names()
    first = file["nodes"][0]
    first["properties"]["proxyWidgets"] = [
        ["101", "101: height"],
        ["nobody", "x"],
        ["100", "$$preview"],
    ]

    assert inputs_of(file)["1:101"]["height"] == 30


def test_a_primitive_node_that_older_files_name_is_replaced_by_its_value() -> None:
    paper = Paper()
    inner = Paper("11111111-1111-4111-8111-111111111111", 100)
    source = inner.node("PrimitiveNode", 5, "fixed")
    picture = inner.node("EmptyImage", 16, 16, 1, 0)
    inner.link(source, 0, picture, "width", "INT")
    inner.link(source, 0, picture, "height", "INT")
    inner.leave("IMAGE", "IMAGE", picture)
    once = paper.use(inner, 30, properties={"proxyWidgets": [[str(source), "value"]]})
    twice = paper.use(inner, properties={"proxyWidgets": [[str(source), "value"]]})
    for node in (once, twice):
        paper.link(node, 0, paper.node("SaveImage", "x"), "images", "IMAGE")

    inputs = inputs_of(paper.json())

    assert (inputs["1:101"]["width"], inputs["1:101"]["height"]) == (30, 30)
    assert (inputs["2:101"]["width"], inputs["2:101"]["height"]) == (5, 5)


def test_a_value_that_the_editor_put_aside_is_found_again() -> None:
    file = part()
    node = next(each for each in file["nodes"] if each["id"] == 2)
    node["properties"]["proxyWidgetErrorQuarantine"] = [
        {
            "originalEntry": ["-1", "width"],
            "reason": "missingSourceNode",
            "hostValue": 99,
            "attemptedAtVersion": 1,
        }
    ]

    assert inputs_of(file)["2:100"]["width"] == 99


def test_converting_leaves_the_file_as_it_was() -> None:
    for file in (part(), numbered_twice(), old_names()):
        before = copy.deepcopy(file)

        became(file)

        assert file == before


def test_a_subgraph_that_contains_itself_is_refused_by_its_name() -> None:
    paper = Paper()
    inner = Paper("aaaa", 10)
    inner.node("aaaa")
    paper.use(inner)

    assert "The subgraph Sub aaaa contains itself" in str(refused(paper.json()))


def test_subgraphs_that_contain_each_other_are_refused() -> None:
    paper = Paper()
    one, two = Paper("aaaa", 10), Paper("bbbb", 20)
    one.node("bbbb")
    two.node("aaaa")
    paper.subgraphs = [one, two]
    paper.node("aaaa")

    assert "Sub aaaa -> Sub bbbb -> Sub aaaa" in str(refused(paper.json()))
