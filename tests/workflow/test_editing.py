"""Promise: an edit is done as a whole or not at all; what is wrong is named exactly."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comfy_mcp.errors import WorkflowError
from comfy_mcp.workflow.checking import check
from comfy_mcp.workflow.editing import Edited, edited
from comfy_mcp.workflow.operations import MOST_OPERATIONS, operations_in
from comfy_mcp.workflow.parse import parse_graph
from comfy_mcp.workflow.schema import read_schemas

CLASSES: dict[str, Any] = {
    "Make": {
        "input": {
            "required": {
                "size": ["INT", {"default": 4, "min": 1, "max": 9}],
                "way": [["near", "far"]],
                "tiled": ["BOOLEAN"],
                "text": ["STRING", {}],
            },
            "optional": {"hint": ["STRING", {"default": "x"}]},
        },
        "output": ["IMAGE", "MASK", "INT"],
        "output_name": ["picture", "alpha", "INT"],
    },
    "Scale": {
        "input": {
            "required": {"image": ["IMAGE"], "size": ["INT", {"default": 2, "min": 1, "max": 99}]}
        },
        "output": ["IMAGE"],
    },
    "Blur": {"input": {"required": {"image": ["IMAGE"], "mask": ["MASK"]}}, "output": ["IMAGE"]},
    "Batch": {
        "input": {
            "required": {
                "images": [
                    "COMFY_AUTOGROW_V3",
                    {
                        "template": {
                            "input": {"required": {"image": ["IMAGE", {}]}},
                            "prefix": "image",
                            "min": 1,
                            "max": 2,
                        }
                    },
                ]
            }
        },
        "output": ["IMAGE"],
    },
    "Resize": {
        "input": {
            "required": {
                "how": [
                    "COMFY_DYNAMICCOMBO_V3",
                    {
                        "options": [
                            {"key": "v1.5", "inputs": {"required": {"n": ["INT", {"default": 1}]}}},
                            {
                                "key": "v2.0",
                                "inputs": {"required": {"f": ["FLOAT", {"default": 0}]}},
                            },
                        ]
                    },
                ]
            }
        },
        "output": ["IMAGE"],
    },
    "Load": {
        "input": {"required": {"model": [["a.safetensors", "b.safetensors"]]}},
        "output": ["MODEL"],
    },
    "LoadImage": {
        "input": {"required": {"image": [["a.png"], {"image_upload": True}]}},
        "output": ["IMAGE", "MASK"],
    },
    "Save": {"input": {"required": {"images": ["IMAGE"]}}, "output": [], "output_node": True},
}
SCHEMAS = read_schemas(CLASSES)


def edit(*operations: Any, graph: dict[str, Any] | None = None) -> Edited:
    """*operations* done."""
    base = None if graph is None else parse_graph(graph)
    return edited(base, operations_in(operations), SCHEMAS, tuple(CLASSES))


def done(*operations: Any, graph: dict[str, Any] | None = None) -> dict[str, Any]:
    """The inputs of each node after *operations*."""
    made = edit(*operations, graph=graph).graph.to_json()
    return {node_id: node["inputs"] for node_id, node in made.items()}


def refusal(*operations: Any, graph: dict[str, Any] | None = None) -> str:
    """What is said where it cannot be done."""
    with pytest.raises(WorkflowError) as told:
        edit(*operations, graph=graph)
    return str(told.value)


def add(class_type: str, **more: Any) -> dict[str, Any]:
    """A step that adds a node."""
    return {"op": "add", "class_type": class_type, **more}


def do(op: str, node: Any, **more: Any) -> dict[str, Any]:
    """A step about a node; *source* is its ``from``."""
    told = {"from" if name == "source" else name: value for name, value in more.items()}
    return {"op": op, "node": node, **told}


PLAIN: dict[str, Any] = {
    "1": {
        "class_type": "Make",
        "inputs": {"size": 4, "way": "near", "tiled": False, "text": "a"},
    },
    "2": {"class_type": "Scale", "inputs": {"image": ["1", 0], "size": 2}},
    "3": {"class_type": "Save", "inputs": {"images": ["2", 0]}},
}


def test_a_graph_is_built_from_nothing_and_what_is_left_out_gets_its_default() -> None:
    made = edit(
        add("Make", inputs={"text": "a", "way": "far"}),
        add("Scale", inputs={"image": ["1", 0], "size": 9}),
        add("Save", node="out", title="Result"),
        {"op": "connect", "node": "out", "input": "images", "from": 2},
    )

    assert made.added == ("1", "2", "out")
    assert made.graph.to_json() == {
        "1": {
            "class_type": "Make",
            "inputs": {"text": "a", "way": "far", "size": 4, "tiled": False},
        },
        "2": {"class_type": "Scale", "inputs": {"image": ["1", 0], "size": 9}},
        "out": {
            "class_type": "Save",
            "inputs": {"images": ["2", 0]},
            "_meta": {"title": "Result"},
        },
    }
    assert check(made.graph, SCHEMAS).sound


def test_what_only_somebody_can_choose_is_not_filled_in() -> None:
    assert done(add("Load"), add("LoadImage"), add("Make")) == {
        "1": {},
        "2": {},
        "3": {"size": 4, "way": "near", "tiled": False},
    }


def test_a_new_id_is_the_next_number() -> None:
    graph = {"7": PLAIN["1"], "9:3": PLAIN["1"], "x": PLAIN["1"]}

    assert edit(add("Load"), add("Load"), graph=graph).added == ("8", "9")


def test_an_id_of_a_node_that_is_there_is_refused_with_a_free_one() -> None:
    assert refusal(add("Load", node="3"), graph=PLAIN) == (
        "Operation 1 (add), node 3: there is a node of that id; the next free one is 4."
        " Nothing was changed."
    )


@pytest.mark.parametrize(
    ("output", "slot"), [(1, 1), ("alpha", 1), ("MASK", 1), ("Alpha", 1), (None, 1)]
)
def test_an_output_is_told_by_slot_by_name_or_by_what_fits(output: Any, slot: int) -> None:
    step = {"op": "connect", "node": "4", "input": "mask", "from": "1", "output": output}

    assert done(add("Blur"), step, graph=PLAIN)["4"] == {"mask": ["1", slot]}


def test_a_link_may_stand_among_the_inputs_or_be_set() -> None:
    assert done(add("Blur", inputs={"image": ["2", "IMAGE"], "mask": [1, 1]}), graph=PLAIN)[
        "4"
    ] == {"image": ["2", 0], "mask": ["1", 1]}
    linked = {"op": "set", "node": "2", "input": "size", "value": ["1", 2]}
    assert done(linked, graph=PLAIN)["2"] == {"image": ["1", 0], "size": ["1", 2]}


def test_a_growing_input_takes_the_next_that_is_free() -> None:
    step = {"op": "connect", "node": "4", "input": "images", "from": "2"}

    assert done(add("Batch"), step, step, graph=PLAIN)["4"] == {
        "images.image0": ["2", 0],
        "images.image1": ["2", 0],
    }
    assert "it grows: give images.image0, images.image1" in refusal(
        add("Batch"), step, step, step, graph=PLAIN
    )


def test_another_choice_takes_away_what_belonged_to_the_former() -> None:
    step = {"op": "set", "node": "1", "input": "how", "value": "v2.0"}

    assert done(add("Resize")) == {"1": {"how": "v1.5", "how.n": 1}}
    assert done(add("Resize"), step) == {"1": {"how": "v2.0", "how.f": 0}}
    assert done(add("Resize", inputs={"how.f": 3, "how": "v2.0"}))["1"]["how.f"] == 3


def test_a_removed_node_takes_its_links_with_it() -> None:
    made = edit({"op": "remove", "node": "1"}, graph=PLAIN)

    assert made.graph.to_json()["2"]["inputs"] == {"size": 2}
    assert made.notes == ("Node 2, input image: its link went with it.",)


def test_nothing_may_be_left() -> None:
    assert edit(add("Load"), {"op": "remove", "node": "1"}).graph.nodes == {}


def test_a_disconnected_input_gets_its_default_back() -> None:
    linked = {"op": "connect", "node": "2", "input": "size", "from": "1"}
    cut = {"op": "disconnect", "node": "2", "input": "size"}

    assert done(linked, cut, graph=PLAIN)["2"] == {"image": ["1", 0], "size": 2}
    assert "it is not linked. Linked are: image." in refusal(cut, graph=PLAIN)


def test_a_replaced_node_keeps_what_fits() -> None:
    made = edit({"op": "replace", "node": "1", "class_type": "LoadImage"}, graph=PLAIN)

    assert made.graph.to_json()["1"] == {"class_type": "LoadImage", "inputs": {}}
    assert made.graph.nodes["2"].inputs["image"] == ("1", 0)
    assert len(made.notes) == 4
    step = {"op": "replace", "node": "2", "class_type": "Make", "inputs": {"text": "b"}}
    assert done(step, graph=PLAIN) == {
        "1": PLAIN["1"]["inputs"],
        "2": {"size": 2, "way": "near", "tiled": False, "text": "b"},
        "3": {"images": ["2", 0]},
    }


def test_a_replaced_node_loses_links_that_nothing_fits() -> None:
    made = edit({"op": "replace", "node": "2", "class_type": "Load"}, graph=PLAIN)

    assert made.graph.to_json()["3"]["inputs"] == {}
    assert "Node 3, input images: no output fits any more." in made.notes


def test_a_node_that_the_host_lacks_can_be_replaced() -> None:
    graph = {**PLAIN, "2": {"class_type": "Gone", "inputs": {"image": ["1", 0], "size": 5}}}
    step = {"op": "replace", "node": "2", "class_type": "Scale"}

    assert done(step, graph=graph)["2"] == {"image": ["1", 0], "size": 5}


def test_a_title_is_given_and_taken() -> None:
    step = {"op": "title", "node": "1", "title": "First"}
    named = edit(step, graph=PLAIN).graph.to_json()

    assert named["1"]["_meta"] == {"title": "First"}
    assert "_meta" not in edit({**step, "title": ""}, graph=named).graph.to_json()["1"]


WRONG: list[tuple[dict[str, Any], str]] = [
    (add("Mke"), "(add): ComfyUI has no node class Mke. Did you mean Make?"),
    (add("Make", inputs={"sise": 3}), "node 4, input sise: there is no such input. Did you"),
    (add("Make", inputs={"size": 10}), "input size: size is 10, bigger than the most allowed, 9."),
    (add("Make", inputs={"way": "neer"}), "Did you mean 'near'?"),
    (add("Scale", inputs={"image": "x.png"}), "image is 'x.png', but it takes only a link"),
    (add("Scale", inputs={"image": [1, 2, 3]}), "a list has to be a link"),
    (add("Resize", inputs={"how": "v3"}), "'v3' is no choice. It takes one of: v1.5, v2.0."),
    (add("Resize", inputs={"how.f": 1}), "how.f: it is there only with another choice of how"),
    (do("set", "9", input="size", value=1), "there is no such node. There are: 1, 2, 3."),
    (do("set", "1", input="size", value=None), "size is null, which is no INT"),
    (do("connect", "3", input="images", source="8"), "there is no node 8 to link to"),
    (do("connect", "2", input="image", source="2"), "a circle"),
    (
        do("connect", "3", input="images", source="1", output=1),
        "output 1 of node 1 (Make) gives MASK. Link its output 0 picture.",
    ),
    (
        do("connect", "3", input="images", source="1", output=7),
        "no output 7: node 1 (Make) has 0 picture, 1 alpha",
    ),
    (
        do("connect", "2", input="size", source="2"),
        "no output of type INT: node 2 (Scale) has 0 IMAGE",
    ),
    (do("remove", "8"), "there is no such node"),
    (do("title", "1", title="x" * 300), "at most 200 characters"),
    (do("replace", "1", class_type="Nope"), "ComfyUI has no node class Nope"),
]


@pytest.mark.parametrize(("step", "words"), WRONG)
def test_what_cannot_be_done_names_the_step_the_node_and_the_input(
    step: dict[str, Any], words: str
) -> None:
    told = refusal(
        add("Load"), {**step, **({"node": "5"} if step["op"] == "add" else {})}, graph=PLAIN
    )

    assert told.startswith(f"Operation 2 ({step['op']})")
    assert words.replace("node 4", "node 5").replace("1, 2, 3.", "1, 2, 3, 4.") in told
    assert told.endswith("Nothing was changed.")


MALFORMED: list[tuple[Any, str]] = [
    (5, "Operation 1 is an integer, not an object"),
    ({}, "Operation 1: op is one of add, remove"),
    ({"op": "conect"}, 'Did you mean "connect"?'),
    (do("set", "1"), "Operation 1 (set) needs input, value."),
    ({"op": "add", "class": "Make"}, "takes no class, but class_type, node, inputs"),
    (do("remove", None), "node has to be a node's id, a string, and is null."),
    (do("remove", ""), "node has to be a node's id, a string, and is empty."),
    ({"op": "add", "class_type": 5}, "class_type has to be a string, and is an integer."),
    (
        {"op": "add", "class_type": "Make", "inputs": []},
        "inputs has to be an object of names and values",
    ),
    (do("connect", "1", input="x", source="2", output=1.5), "output has to be a slot"),
    (do("connect", "1", input="x", source="2", output=True), "output has to be a slot"),
]


@pytest.mark.parametrize(("step", "words"), MALFORMED)
def test_a_step_that_is_none_is_refused_with_its_number(step: Any, words: str) -> None:
    with pytest.raises(WorkflowError) as told:
        operations_in([step])
    assert words in str(told.value)


def test_too_many_steps_are_refused() -> None:
    with pytest.raises(WorkflowError, match=f"more than the {MOST_OPERATIONS}"):
        operations_in([do("remove", "1")] * (MOST_OPERATIONS + 1))


def test_an_edit_leaves_the_graph_that_it_was_given() -> None:
    base = parse_graph(PLAIN)
    before = json.dumps(base.to_json())

    edited(base, operations_in([do("remove", "1")]), SCHEMAS)

    assert json.dumps(base.to_json()) == before


IDS = st.sampled_from(["1", "2", "3", "4", "5"])
NAMES = st.sampled_from(["size", "image", "images", "way", "mask", "how", "how.n", "text"])
VALUES = (
    st.none()
    | st.integers(-1, 12)
    | st.sampled_from(["near", "v1.5", "x"])
    | st.lists(IDS, max_size=2)
)
KINDS = st.sampled_from([*CLASSES, "Nope"])
STEPS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.fixed_dictionaries({"op": st.just("add"), "class_type": KINDS}),
    st.fixed_dictionaries({"op": st.just("remove"), "node": IDS}),
    st.fixed_dictionaries({"op": st.just("connect"), "node": IDS, "input": NAMES, "from": IDS}),
    st.fixed_dictionaries({"op": st.just("disconnect"), "node": IDS, "input": NAMES}),
    st.fixed_dictionaries({"op": st.just("set"), "node": IDS, "input": NAMES, "value": VALUES}),
    st.fixed_dictionaries({"op": st.just("replace"), "node": IDS, "class_type": KINDS}),
)


@settings(max_examples=200)
@given(st.lists(STEPS, max_size=8))
def test_what_comes_out_lacks_inputs_at_most(steps: list[dict[str, Any]]) -> None:
    try:
        made = edit(*steps, graph=PLAIN)
    except WorkflowError as error:
        assert str(error).startswith("Operation ")  # noqa: PT017 - either of the two
        return
    found = check(made.graph, SCHEMAS)
    codes = {one.code for one in found.problems if one.severity == "error"}
    assert codes <= {"required_input_missing", "prompt_no_outputs", "custom_validation_failed"}
