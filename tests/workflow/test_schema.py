"""Promise: whatever form a host tells its nodes in, what is told is read and nothing fails."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_mcp.workflow.schema import (
    AUTOGROW,
    DYNAMIC_COMBO,
    DYNAMIC_SLOT,
    MATCH,
    MOST_INPUTS,
    InputSpec,
    NodeSchema,
    read_inputs,
    read_schema,
    read_schemas,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


def inputs(required: dict[str, Any], **groups: Any) -> dict[str, InputSpec]:
    """Inputs of a class by name, with all that they may become."""
    found, whole = read_inputs({"required": required, **groups})
    assert whole
    return {spec.name: spec for one in found for spec in one.every()}


def schema(required: dict[str, Any], **more: Any) -> NodeSchema:
    """A class that takes *required*."""
    return read_schema("X", {"input": {"required": required}, **more})


def names(specs: Any) -> list[str]:
    """The names of inputs, in order."""
    return [spec.name for spec in specs]


GROWING: list[Any] = [
    AUTOGROW,
    {
        "template": {
            "input": {"required": {"image": ["IMAGE", {}]}},
            "prefix": "image",
            "min": 2,
            "max": 3,
        }
    },
]
CHOOSING: list[Any] = [
    DYNAMIC_COMBO,
    {
        "options": [
            {"key": "by size", "inputs": {"required": {"width": ["INT", {"default": 4}]}}},
            {"key": "by hand", "inputs": {"required": {"box": ["BOX", {}]}}},
            {"key": "not", "inputs": {}},
        ]
    },
]


def test_a_plain_input_keeps_its_type_its_options_and_whether_it_is_required() -> None:
    found = inputs({"steps": ["INT", {"min": 1}]}, optional={"mask": ["MASK"]})

    assert found["steps"] == InputSpec("steps", "INT", required=True, options={"min": 1})
    assert found["mask"] == InputSpec("mask", "MASK", required=False)


def test_a_combo_is_one_in_the_older_form_and_in_the_newer() -> None:
    found = inputs(
        {
            "old": [["a", "b"], {"default": "a"}],
            "new": ["COMBO", {"options": ["a", "b"]}],
            "far": ["COMBO", {"remote": {}}],
        }
    )

    assert [(spec.kind, spec.choices, spec.listed) for spec in found.values()] == [
        ("COMBO", ("a", "b"), True),
        ("COMBO", ("a", "b"), False),
        ("COMBO", (), False),
    ]


def test_several_types_are_told_apart() -> None:
    assert inputs({"x": ["FLOAT, INT", {}]})["x"].kinds == {"FLOAT", "INT"}


HOLDING: list[tuple[list[Any], bool]] = [
    (["INT", {}], True),
    (["STRING", {"forceInput": True}], False),
    ([["a"]], True),
    (CHOOSING, True),
    (["IMAGE", {}], False),
    ([MATCH, {}], False),
]


@pytest.mark.parametrize(("told", "holds"), HOLDING)
def test_what_may_hold_a_value_is_known(told: Any, *, holds: bool) -> None:
    assert next(iter(inputs({"x": told}).values())).holds_value is holds


def test_inputs_stand_in_the_editors_order_and_none_is_lost() -> None:
    required = {"c": ["INT"], "a": ["INT"], "b": ["INT"]}
    order = {"required": ["a", "nowhere", 5, "c"], "optional": "x"}

    assert names(schema(required, input_order=order).inputs) == ["a", "c", "b"]


def test_a_growing_input_is_known_by_the_names_that_it_takes() -> None:
    found = inputs({"images": GROWING})

    assert [(name, spec.required) for name, spec in found.items()] == [
        ("images", True),
        ("images.image0", True),
        ("images.image1", True),
        ("images.image2", False),
    ]


def test_names_come_before_a_prefix_and_an_optional_template_makes_nothing_required() -> None:
    template: dict[str, Any] = {
        "input": {"optional": {"x": ["*", {}]}},
        "names": ["a", "b", 5],
        "prefix": "p",
        "min": 2,
        "max": 9,
    }
    found = inputs({"values": [AUTOGROW, {"template": template}]})

    assert [(name, spec.required) for name, spec in found.items()][1:] == [
        ("values.a", False),
        ("values.b", False),
    ]


def test_of_a_growing_template_only_the_first_input_is_repeated() -> None:
    both: dict[str, Any] = {"required": {"x": ["INT"], "y": ["FLOAT"]}}
    template: dict[str, Any] = {"input": both, "prefix": "p", "min": 0, "max": 1}

    assert inputs({"v": [AUTOGROW, {"template": template}]})["v.p0"].kind == "INT"


def test_a_dynamic_choice_brings_its_own_inputs() -> None:
    made = schema({"resize": CHOOSING})

    assert names(made.active({"resize": "by hand"})) == ["resize", "resize.box"]
    assert names(made.active({})) == ["resize", "resize.width"]
    assert names(made.every()) == ["resize", "resize.width", "resize.box"]
    assert made.inputs[0].choices == ("by size", "by hand", "not")


@pytest.mark.parametrize(
    ("values", "asked"),
    [
        ({}, []),
        ({"resize": "no such"}, []),
        ({"resize": ["1", 0]}, []),
        ({"resize": "not"}, ["resize"]),
        ({"resize": "by size"}, ["resize", "resize.width"]),
    ],
)
def test_comfyui_asks_for_a_dynamic_choice_only_once_it_is_made(
    values: dict[str, object], asked: list[str]
) -> None:
    assert names(schema({"resize": CHOOSING}).asked(values)) == asked


def test_comfyui_never_asks_for_a_growing_input_itself() -> None:
    assert names(schema({"images": GROWING}).asked({})) == [
        "images.image0",
        "images.image1",
        "images.image2",
    ]


def test_a_dynamic_slot_brings_its_inputs_once_it_is_linked() -> None:
    slot: list[Any] = [
        DYNAMIC_SLOT,
        {"slotType": "IMAGE", "inputs": {"required": {"fit": ["INT"]}}},
    ]
    made = schema({"picture": slot})

    assert (made.inputs[0].kind, made.inputs[0].required) == ("IMAGE", False)
    assert names(made.active({})) == ["picture"]
    assert names(made.active({"picture": ["1", 0]})) == ["picture", "picture.fit"]
    assert names(made.asked({})) == []
    assert names(made.asked({"picture": ["1", 0]})) == ["picture", "picture.fit"]


def test_choices_within_choices_are_followed() -> None:
    inner: dict[str, Any] = {"options": [{"key": "x", "inputs": {"required": {"n": ["INT"]}}}]}
    outer: dict[str, Any] = {
        "options": [{"key": "o", "inputs": {"required": {"in": [DYNAMIC_COMBO, inner]}}}]
    }
    made = schema({"top": [DYNAMIC_COMBO, outer]})

    values = {"top": "o", "top.in": "x"}
    assert names(made.asked(values)) == ["top", "top.in", "top.in.n"]


def test_inputs_that_multiply_without_end_are_cut_and_it_is_said() -> None:
    spec: Any = ["INT", {}]
    for _ in range(6):
        template = {"input": {"required": {"x": spec}}, "prefix": "p", "max": 100}
        spec = [AUTOGROW, {"template": template}]
    made = schema({"grown": spec})

    assert not made.whole
    assert len(list(made.every())) <= MOST_INPUTS


def test_two_choices_of_one_key_are_the_first_and_one_without_a_key_is_never_chosen() -> None:
    def option(name: str, **key: Any) -> dict[str, Any]:
        return {**key, "inputs": {"required": {name: ["INT"]}}}

    options = [option("a", key="k"), option("b", key="k"), option("c")]
    made = schema({"x": [DYNAMIC_COMBO, {"options": options}]})

    assert names(made.asked({"x": "k"})) == ["x", "x.a"]
    assert set(names(made.every())) == {"x", "x.a", "x.b", "x.c"}


def test_outputs_have_names_types_and_choices() -> None:
    made = schema(
        {},
        output=["IMAGE", MATCH, ["a", "b"], "INT"],
        output_name=["picture", "any"],
        output_is_list=[True],
    )

    assert [(one.name, one.kind, one.is_list, one.choices) for one in made.outputs] == [
        ("picture", "IMAGE", True, None),
        ("any", "*", False, None),
        ("COMBO", "COMBO", False, ("a", "b")),
        ("INT", "INT", False, None),
    ]


def test_what_is_no_class_is_left_out() -> None:
    assert set(read_schemas({"A": {"input": {}}, "B": [], "C": None})) == {"A"}


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=5))
def test_no_answer_makes_reading_fail(told: dict[str, Any]) -> None:
    for made in read_schemas(told).values():
        list(made.every())
        list(made.asked({}))


@given(JSON, st.sampled_from([AUTOGROW, DYNAMIC_COMBO, DYNAMIC_SLOT, "COMBO"]))
def test_no_options_make_reading_fail(options: Any, kind: str) -> None:
    made = schema({"x": [kind, options]})

    list(made.active({"x": "a"}))
    list(made.asked({"x": "a"}))


@given(JSON)
def test_no_template_makes_reading_fail(template: Any) -> None:
    made = schema({"x": [AUTOGROW, {"template": template}]})

    assert len(list(made.every())) <= MOST_INPUTS
