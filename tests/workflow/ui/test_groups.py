"""Group nodes of older files are laid out as they were then."""

from __future__ import annotations

from comfy_mcp.workflow.ui import classes_of
from tests.workflow.ui.became import inputs_of, refused
from tests.workflow.ui.cases import group
from tests.workflow.ui.paper import PASSED, Paper


def test_a_group_node_becomes_its_nodes_with_the_values_that_it_holds() -> None:
    inputs = inputs_of(group())

    assert inputs["3:0"] == {
        "image": ["1", 0],
        "upscale_method": "area",
        "width": ["2", 0],
        "height": 16,
        "crop": "disabled",
    }
    assert inputs["3:1"] == {
        "image": ["3:0", 0],
        "upscale_method": "nearest-exact",
        "width": 8,
        "height": 9,
        "crop": "center",
    }
    assert inputs["4"]["images"] == ["3:1", 0]


def test_its_classes_are_told_to_the_host() -> None:
    assert classes_of(group()) == {"EmptyImage", "PrimitiveInt", "ImageScale", "SaveImage"}


def test_the_older_way_to_write_its_type_is_understood() -> None:
    file = group()
    node = next(each for each in file["nodes"] if each["type"] == "workflow>Twice")
    node["type"] = "workflow/Twice"

    assert "3:1" in inputs_of(file)


def test_a_bypassed_group_node_gives_its_input_on() -> None:
    file = group()
    node = next(each for each in file["nodes"] if each["type"] == "workflow>Twice")
    node["mode"] = PASSED

    assert inputs_of(file)["4"]["images"] == ["1", 0]


def test_a_primitive_node_in_a_group_gives_the_value_that_the_group_node_holds() -> None:
    paper = Paper()
    grouped = paper.node("workflow>One", 40, "fixed", 10, 1, 0)
    saved = paper.node("SaveImage", "x")
    converted = {"name": "width", "type": "INT", "link": None, "widget": {"name": "width"}}
    paper.extra["groupNodes"] = {
        "One": {
            "nodes": [
                {"type": "PrimitiveNode", "index": 0, "widgets_values": [3, "fixed"]},
                {"type": "EmptyImage", "index": 1, "inputs": [converted]},
            ],
            "links": [[0, 0, 1, 0, 1, "INT"]],
        }
    }
    paper.link(grouped, 0, saved, "images", "IMAGE")

    inputs = inputs_of(paper.json())

    assert inputs["1:1"] == {"width": 40, "height": 10, "batch_size": 1, "color": 0}
    assert inputs["2"]["images"] == ["1:1", 0]


def test_outputs_that_the_file_shows_or_hides_are_counted_as_it_says() -> None:
    file = group()
    described = file["extra"]["groupNodes"]["Twice"]
    described["config"] = {"0": {"output": {"0": {"visible": True}}}}
    link = next(each for each in file["links"] if each[1] == 3)
    link[2] = 1

    assert inputs_of(file)["4"]["images"] == ["3:1", 0]


def test_a_group_node_that_the_file_does_not_describe_is_refused() -> None:
    file = group()
    file["extra"] = {}

    error = refused(file)

    assert error.node_id == "3"
    assert "does not say what is in this group node" in str(error)


def test_a_group_node_within_a_group_node_is_refused() -> None:
    file = group()
    file["extra"]["groupNodes"]["Twice"]["nodes"][0]["type"] = "workflow>Twice"

    assert "contains another group node" in str(refused(file))
