"""What feeds an input is found through all that stands between."""

from __future__ import annotations

from tests.workflow.ui.became import inputs_of, refused
from tests.workflow.ui.cases import (
    bypassed_chain,
    bypassed_kinds,
    primitive,
    primitive_into_part,
    reroutes,
)
from tests.workflow.ui.paper import MUTED, PASSED, Paper


def test_a_primitive_node_gives_its_value_to_all_widgets_it_is_linked_to() -> None:
    inputs = inputs_of(primitive())

    assert inputs["2"] == {"width": 48, "height": 48, "batch_size": 1, "color": 0}
    assert set(inputs) == {"2", "3"}


def test_the_value_of_a_primitive_node_goes_through_reroutes_and_into_subgraphs() -> None:
    """The editor loses it on both ways, and sends what the widget last held."""
    inputs = inputs_of(primitive_into_part())

    assert inputs["1"]["width"] == 20
    assert (inputs["4:100"]["width"], inputs["4:100"]["height"]) == (20, 20)


def test_reroutes_are_followed_to_the_node_behind_them() -> None:
    inputs = inputs_of(reroutes())

    assert inputs["4"]["images"] == inputs["5"]["images"] == ["1", 0]


def test_a_bypassed_node_gives_on_its_first_input_of_the_type() -> None:
    inputs = inputs_of(bypassed_chain())

    assert inputs["4"] == {"image": ["1", 0]}
    assert "3" not in inputs


def test_a_muted_node_gives_nothing() -> None:
    inputs = inputs_of(bypassed_chain(MUTED))

    assert inputs["4"] == {}
    assert "3" not in inputs


def test_a_bypassed_node_matches_types_output_by_output() -> None:
    inputs = inputs_of(bypassed_kinds())

    assert inputs["3"]["clip"] == ["1", 1]
    assert inputs["7"]["images"] == ["4", 0]


def test_what_fits_no_input_of_a_bypassed_node_is_not_linked() -> None:
    assert inputs_of(bypassed_kinds())["8"] == {"filename_prefix": "y"}


def test_a_bypassed_node_that_the_host_lacks_gives_on_what_its_file_says() -> None:
    paper = Paper()
    picture = paper.node("EmptyImage", 8, 8, 1, 0)
    strange = paper.node(
        "Nobody has this",
        mode=PASSED,
        inputs=[{"name": "in", "type": "IMAGE", "link": None}],
        outputs=[{"name": "out", "type": "IMAGE", "links": []}],
    )
    saved = paper.node("SaveImage", "x")
    paper.link(picture, 0, strange, "in", "IMAGE")
    paper.link(strange, 0, saved, "images", "IMAGE")

    assert inputs_of(paper.json())["3"]["images"] == ["1", 0]


def test_a_value_set_by_name_is_got_by_name() -> None:
    paper = Paper()
    picture = paper.node("EmptyImage", 8, 8, 1, 0)
    setter = paper.node(
        "SetNode", "mine", inputs=[{"name": "IMAGE", "type": "IMAGE", "link": None}]
    )
    getter = paper.node("GetNode", "mine")
    other = paper.node("GetNode", "nobody's")
    saved, lost = paper.node("SaveImage", "x"), paper.node("SaveImage", "y")
    paper.link(picture, 0, setter, "IMAGE", "IMAGE")
    paper.link(getter, 0, saved, "images", "IMAGE")
    paper.link(other, 0, lost, "images", "IMAGE")

    inputs = inputs_of(paper.json())

    assert inputs["5"]["images"] == ["1", 0]
    assert inputs["6"] == {"filename_prefix": "y"}


def test_reroutes_in_a_circle_are_refused_by_name() -> None:
    file = reroutes()
    file["links"][0] = [1, 3, 0, 2, 0, "IMAGE"]

    error = refused(file)

    assert error.node_id == "4"
    assert error.input_name == "images"
    assert "in a circle" in str(error)
    assert "Cut one of the links" in str(error)


def test_bypassed_nodes_in_a_circle_are_refused() -> None:
    paper = Paper()
    one, two = paper.node("ImageInvert", mode=PASSED), paper.node("ImageInvert", mode=PASSED)
    saved = paper.node("SaveImage", "x")
    paper.link(one, 0, two, "image", "IMAGE")
    paper.link(two, 0, one, "image", "IMAGE")
    paper.link(two, 0, saved, "images", "IMAGE")

    assert "in a circle" in str(refused(paper.json()))
