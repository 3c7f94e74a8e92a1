"""Node classes as an agent reads them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_mcp.knowledge.answers import NodeInfo
from comfy_mcp.knowledge.nodes import LONGEST, describe, fitted, row
from comfy_mcp.workflow.schema import read_schema
from tests.knowledge.samples import NODES, node, schema

RESIZE = node(
    {
        "input": ["COMFY_MATCHTYPE_V3", {"template": {"allowed_types": "IMAGE,MASK"}}],
        "resize_type": [
            "COMFY_DYNAMICCOMBO_V3",
            {
                "options": [
                    {"key": "size", "inputs": {"required": {"width": ["INT", {"default": 512}]}}},
                    {"key": "width", "inputs": {"required": {"width": ["INT", {"default": 512}]}}},
                    {"key": "factor", "inputs": {"required": {"by": ["FLOAT", {"default": 2.0}]}}},
                ]
            },
        ],
    },
    ("IMAGE",),
)

BATCH = node(
    {
        "images": [
            "COMFY_AUTOGROW_V3",
            {
                "template": {
                    "input": {"required": {"image": ["IMAGE", {}]}},
                    "prefix": "image",
                    "min": 2,
                    "max": 50,
                }
            },
        ]
    },
    ("IMAGE",),
)


def told(info: dict[str, Any], **options: Any) -> dict[str, Any]:
    """A class in detail as JSON, what is not known left out."""
    found = describe(schema("Some", info), **options)
    return found.model_dump(mode="json", exclude_none=True)


def inputs_of(info: dict[str, Any], **options: Any) -> dict[str, dict[str, Any]]:
    """Its inputs by name."""
    return {each.pop("name"): each for each in told(info, **options)["inputs"]}


def test_a_node_is_a_short_line() -> None:
    found = row(schema("KSampler")).model_dump(exclude_none=True)

    assert found == {
        "class_type": "KSampler",
        "category": "sampling",
        "takes": "MODEL, CONDITIONING, LATENT",
        "gives": "LATENT",
    }


def test_a_row_names_the_widgets_that_alone_take_the_type_that_was_asked_for() -> None:
    assert row(schema("SaveImage"), kind="string").takes == (
        "IMAGE, STRING (widget filename_prefix)"
    )
    assert row(schema("KSampler"), kind="LATENT").takes == row(schema("KSampler")).takes
    assert row(schema("KSampler"), kind="AUDIO").takes == row(schema("KSampler")).takes


def test_of_many_widgets_a_row_names_three() -> None:
    many = node({f"number_{each}": ["INT", {}] for each in range(9)})

    assert row(schema("Many", many), kind="INT").takes == (
        "INT (widget number_0, number_1, number_2, +6)"
    )


def test_what_costs_is_not_allowed_or_is_old_is_flagged() -> None:
    assert row(schema("CloudSharpen"), allowed=False).flags == [
        "denied by policy",
        "partner node: costs credits",
    ]
    assert row(schema("ImageSharpenOld")).flags == ["deprecated"]
    assert row(schema("SaveImage")).flags == ["output node"]


def test_inputs_have_types_ranges_and_defaults() -> None:
    found = inputs_of(NODES["KSampler"])

    assert found["steps"] == {"type": "INT", "default": 20, "min": 1, "max": 100, "step": 1}
    assert found["model"] == {"type": "MODEL"}


def test_optional_inputs_and_those_that_take_a_link_only_say_so() -> None:
    info = node({"size": ["INT", {"forceInput": True}]}, optional={"mask": ["MASK", {}]})

    found = inputs_of(info)

    assert found["size"] == {"type": "INT", "link_only": True}
    assert found["mask"] == {"type": "MASK", "optional": True}


def test_outputs_have_slots() -> None:
    assert told(NODES["LoadImage"])["outputs"] == [
        {"slot": 0, "type": "IMAGE"},
        {"slot": 1, "type": "MASK"},
    ]


def test_an_example_can_be_put_into_a_graph() -> None:
    assert told(NODES["KSampler"])["example"] == {
        "class_type": "Some",
        "inputs": {
            "model": ["<MODEL>", 0],
            "steps": 20,
            "positive": ["<CONDITIONING>", 0],
            "latent_image": ["<LATENT>", 0],
        },
    }


def test_what_a_choice_brings_is_told_by_the_name_in_a_graph() -> None:
    found = inputs_of(RESIZE)

    assert found["input"]["type"] == "IMAGE,MASK"
    assert found["resize_type"] == {"type": "COMBO", "choices": ["size", "width", "factor"]}
    assert found["resize_type.width"] == {
        "type": "INT",
        "default": 512,
        "when": {"resize_type": ["size", "width"]},
    }
    assert found["resize_type.by"]["when"] == {"resize_type": ["factor"]}
    assert told(RESIZE)["example"]["inputs"] == {
        "input": ["<IMAGE,MASK>", 0],
        "resize_type": "size",
        "resize_type.width": 512,
    }


def test_a_growing_input_says_how_far_it_grows() -> None:
    found = inputs_of(BATCH)

    assert list(found) == ["images.image0"]
    assert found["images.image0"]["grows"] == (
        "as many as needed, up to images.image49; 2 required"
    )
    assert told(BATCH)["example"]["inputs"] == {
        "images.image0": ["<IMAGE>", 0],
        "images.image1": ["<IMAGE>", 0],
    }


def test_long_lists_are_cut_counted_and_can_be_searched() -> None:
    models = [f"folder/model-{number}.sft" for number in range(500)]
    info = node({"ckpt": [models, {}], "how": [["fast", "slow"], {}]})

    plain, asked = inputs_of(info), inputs_of(info, query="MODEL-49")

    assert plain["ckpt"]["choices"] == models[:20]
    assert plain["ckpt"]["choices_total"] == 500
    assert plain["how"] == {"type": "COMBO", "choices": ["fast", "slow"]}
    assert asked["ckpt"]["choices"] == [each for each in models if "model-49" in each]
    assert asked["ckpt"]["choices_total"] == 500


def test_of_uploaded_files_few_are_shown() -> None:
    files = [f"{number}.png" for number in range(30)]

    found = inputs_of(node({"image": [files, {"image_upload": True}]}))

    assert found["image"]["choices"] == files[:5]
    assert found["image"]["choices_total"] == 30
    assert found["image"]["takes_upload"] is True


def test_tooltips_are_told_to_who_asks() -> None:
    info = node({"x": ["INT", {"tooltip": "How\nmany."}]}, search_aliases=["count"])

    assert "tooltip" not in inputs_of(info)["x"]
    assert inputs_of(info, full=True)["x"]["tooltip"] == "How many."
    assert told(info, full=True)["aliases"] == ["count"]


def test_what_nobody_sees_and_what_is_no_number_is_left_out() -> None:
    info = node(
        {"x": ["FLOAT", {"default": float("nan"), "min": float("-inf"), "max": 1, "step": True}]},
        display_name="A\u202eB\x1b[31m",
        description="one\ntwo\u200b",
    )

    found = told(info)

    assert found["title"] == "AB[31m"
    assert found["description"] == "one two"
    assert found["inputs"][0]["max"] == 1
    assert "min" not in found["inputs"][0]
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_however_large_classes_are_the_answer_is_bounded(count: int) -> None:
    choices = [f"{number}-{'x' * 150}" for number in range(1_000)]
    inputs = {
        f"input_{number}": [choices, {"default": choices[0], "tooltip": "words " * 100}]
        for number in range(300)
    }
    info = node(inputs, ("IMAGE",) * 50, description="long " * 1_000)

    found = fitted([schema(f"N{number}", info) for number in range(count)], full=True)

    assert len(found) == count
    assert sum(len(each.model_dump_json(exclude_none=True)) for each in found) < 20_000
    assert found[0].more_inputs
    assert found[0].more_inputs + len(found[0].inputs) == 300
    assert LONGEST < 20_000


def test_a_class_of_usual_size_is_told_whole() -> None:
    (found,) = fitted([schema("KSampler")])

    assert found == describe(schema("KSampler"))
    assert found.more_inputs is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "required",
                    "optional",
                    "options",
                    "template",
                    "default",
                    "min",
                    "key",
                    "inputs",
                    "x",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(
    st.fixed_dictionaries(
        {"input": JSON, "output": JSON, "output_name": JSON, "display_name": JSON, "category": JSON}
    )
)
def test_whatever_a_host_tells_is_described(info: dict[str, Any]) -> None:
    found = describe(read_schema("Some", info), full=True, query="a")

    assert isinstance(found, NodeInfo)
    json.dumps(found.model_dump(mode="json", exclude_none=True)).encode()
    row(read_schema("Some", info))
