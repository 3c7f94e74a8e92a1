"""Which value of a file belongs to which widget."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflow.ui.became import inputs_of, notes_of
from tests.workflow.ui.cases import batch, choices, resized
from tests.workflow.ui.paper import Paper


def one(kind: str, *values: Any, **more: Any) -> dict[str, Any]:
    """The inputs of a single node with those values."""
    paper = Paper()
    paper.node(kind, *values, **more)
    return inputs_of(paper.json())["1"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            ("to size", 100, "disabled", "nearest-exact"),
            {"resize_type": "to size", "resize_type.width": 100, "resize_type.crop": "disabled"},
        ),
        (
            ("by factor", 1.5, "nearest-exact"),
            {"resize_type": "by factor", "resize_type.factor": 1.5},
        ),
        (("like", "nearest-exact"), {"resize_type": "like", "resize_type.match": ["1", 0]}),
        (("gone", "nearest-exact"), {"resize_type": "gone"}),
    ],
)
def test_a_choice_brings_widgets_and_inputs_of_its_own(
    values: tuple[Any, ...], expected: dict[str, Any]
) -> None:
    inputs = inputs_of(resized(*values))["2"]

    assert inputs == {"input": ["1", 0], "scale_method": "nearest-exact", **expected}


def test_inputs_grow_with_the_links_to_them() -> None:
    assert inputs_of(batch())["4"] == {
        "images.image0": ["1", 0],
        "images.image1": ["2", 0],
        "images.image2": ["3", 0],
    }


def test_choices_that_a_person_wrote_are_sent_with_the_number_of_the_chosen() -> None:
    inputs = inputs_of(choices())

    assert inputs["1"] == {"choice": "b", "index": 1, "option1": "a", "option2": "b", "option3": ""}


def test_what_only_a_link_can_feed_has_no_value_in_the_file() -> None:
    assert inputs_of(choices())["2"] == {"text": ["1", 0], "filename_prefix": "x", "format": "md"}


def test_a_value_of_what_has_become_such_an_input_since_is_left_out() -> None:
    assert one("SaveText", "old text", "x", "md") == {"filename_prefix": "x", "format": "md"}


def test_buttons_and_numbers_that_the_editor_puts_between_are_skipped() -> None:
    region = {"x": 1, "y": 2, "width": 3, "height": 4}

    assert one("ImageCropV2", region, 1, 2, 3, 4, 77) == {"crop_region": region, "after": 77}
    assert one("Load3D", "none", "", "", "", "", 640, 480)["width"] == 640


def test_values_that_only_a_browser_can_make_are_told() -> None:
    paper = Paper()
    paper.node("Load3D", "none", "", "", "", "", 640, 480)

    assert notes_of(paper.json()) == (
        "Only the editor can make the value of image of node 1: the node may fail."
    )


def test_values_by_name_are_taken_where_there_are_no_others() -> None:
    by_name = {"height": 8, "width": 16, "videopreview": {"hidden": True}}

    assert one("EmptyImage", widgets_values=by_name)["width"] == 16
    assert one("EmptyImage", widgets_values=None, widgets_values_named=by_name)["height"] == 8


def test_values_by_name_count_where_a_widget_came_or_went() -> None:
    """The editor takes those by position and sends what does not fit."""
    named = {"width": 16, "brightness": 3, "height": 8, "batch_size": 2, "color": 5}

    inputs = one("EmptyImage", 16, 3, 8, 2, 5, widgets_values_named=named)

    assert inputs == {"width": 16, "height": 8, "batch_size": 2, "color": 5}


def test_values_by_position_count_where_somebody_changed_those_alone() -> None:
    named = {"height": 1, "width": 2, "batch_size": 3, "color": 4}

    assert one("EmptyImage", 16, 8, 2, 5, widgets_values_named=named)["width"] == 16


def test_a_list_is_wrapped_so_that_it_is_no_link() -> None:
    assert one("DrawPoints", "[]", ["#fff", "#000"]) == {
        "points": "[]",
        "colors": {"__value__": ["#fff", "#000"]},
    }
    assert one("ImageCompare") == {"compare_view": {"__value__": ["", ""]}}


def test_no_choice_at_all_is_the_first_as_in_the_editor() -> None:
    assert one("ImageBlend", 0.5, None)["blend_mode"] == "normal"
