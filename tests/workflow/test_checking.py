"""Promise: what ComfyUI would refuse is found before it is asked, named and with a fix."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comfy_mcp.workflow.checking import DEEPEST, Checked, check
from comfy_mcp.workflow.checking_links import fits
from comfy_mcp.workflow.parse import parse_graph
from comfy_mcp.workflow.schema import MATCH, InputSpec, OutputSpec, Schemas, read_schemas

CLASSES: dict[str, Any] = {
    "Make": {
        "input": {
            "required": {"size": ["INT", {"min": 1, "max": 9}], "way": [["near", "far"]]},
            "optional": {
                "strength": ["FLOAT", {"min": 0.0}],
                "hint": ["STRING"],
                "on": ["BOOLEAN"],
            },
        },
        "output": ["IMAGE", "MASK"],
        "output_name": ["picture", "mask"],
    },
    "Change": {
        "input": {"required": {"image": ["IMAGE"]}, "optional": {"mask": ["MASK"]}},
        "output": ["IMAGE"],
    },
    "Save": {"input": {"required": {"images": ["IMAGE"]}}, "output": [], "output_node": True},
    "Resize": {
        "input": {
            "required": {
                "how": [
                    "COMFY_DYNAMICCOMBO_V3",
                    {"options": [{"key": "by", "inputs": {"required": {"factor": ["INT"]}}}]},
                ]
            }
        },
        "output": ["IMAGE"],
    },
    "LoadImage": {
        "input": {"required": {"image": [["a.png", "b.png"], {"image_upload": True}]}},
        "output": ["IMAGE", "MASK"],
    },
    "Load3D": {"input": {"required": {"model_file": [["none"]]}}, "output": ["IMAGE"]},
}
SCHEMAS: Schemas = read_schemas(CLASSES)


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    """A node."""
    return {"class_type": class_type, "inputs": inputs}


def make(**changed: Any) -> dict[str, Any]:
    """A node without a fault."""
    return node("Make", **({"size": 3, "way": "near"} | changed))


def checked(graph: dict[str, Any], **options: Any) -> Checked:
    """What is said of *graph*."""
    return check(parse_graph(json.loads(json.dumps(graph))), SCHEMAS, **options)


def only(found: Checked) -> tuple[str, str, str, str]:
    """The one problem that there is: node, input, what and fix."""
    (one,) = found.problems
    return one.node_id, one.input, one.what, one.fix


def saved(source: dict[str, Any], **more: Any) -> dict[str, Any]:
    """*source*, put out."""
    return {"1": source, "2": node("Save", images=["1", 0])} | {
        name.lstrip("_"): each for name, each in more.items()
    }


def test_a_sound_graph_has_no_problems_and_says_what_it_puts_out() -> None:
    found = checked(saved(make(strength=1, hint="x", on=True)))

    assert (found.problems, found.outputs, found.refused, found.sound) == ((), ("2",), False, True)


@pytest.mark.parametrize(
    ("values", "place", "what", "fix"),
    [
        ({"size": 0}, "size", "smaller than the least allowed, 1", "It takes INT 1 to 9."),
        ({"size": 10}, "size", "bigger than the most allowed, 9", "It takes INT 1 to 9."),
        ({"size": "x"}, "size", "size is 'x', which is no INT.", "It takes INT 1 to 9."),
        ({"size": None}, "size", "size is null, which is no INT.", "It takes INT 1 to 9."),
        ({"way": "fat"}, "way", "'fat', which is not in its list", "Did you mean 'far'?"),
        ({"strength": []}, "strength", "a list", ""),
        ({"strength": "-1"}, "strength", "smaller than the least", "FLOAT"),
    ],
)
def test_a_value_that_is_refused_is_named_with_what_is_taken(
    values: dict[str, Any], place: str, what: str, fix: str
) -> None:
    wrapped: dict[str, Any] = {
        key: {"__value__": v} if isinstance(v, list) else v for key, v in values.items()
    }
    found = checked(saved(make(**wrapped)))

    assert found.refused
    node_id, name, told, mended = only(found)
    assert (node_id, name) == ("1", place)
    assert what in told
    assert fix in mended


@pytest.mark.parametrize(
    ("values", "becomes"),
    [
        ({"size": 3.7}, "3"),
        ({"size": "3"}, "3"),
        ({"size": True}, "1"),
        ({"on": "false"}, "True"),
        ({"hint": 5}, "'5'"),
        ({"strength": "1e1"}, "10.0"),
    ],
)
def test_a_value_that_is_turned_into_another_is_a_warning(
    values: dict[str, Any], becomes: str
) -> None:
    found = checked(saved(make(**values)))

    assert found.sound
    assert found.problems[0].severity == "warning"
    assert only(found)[2].endswith(f"which ComfyUI turns into {becomes}.")


def test_a_whole_number_is_as_good_as_one_with_a_point() -> None:
    assert checked(saved(make(size=3.0, strength=2))).problems == ()


def test_a_missing_input_says_what_it_takes() -> None:
    found = checked(saved(node("Make", way="near")))

    assert only(found) == (
        "1",
        "size",
        "The required input size is missing.",
        "It takes INT 1 to 9.",
    )


def test_a_missing_class_is_told_with_the_nearest_and_all_else_at_once() -> None:
    graph = saved(make(size=0), _3=node("Chanje"))
    found = checked(graph, known=("Change", "Make"))

    assert found.refused
    assert found.missing == ("Chanje",)
    assert [(one.node_id, one.fix[:20]) for one in found.problems] == [
        ("3", "Did you mean Change?"),
        ("1", "It takes INT 1 to 9."),
    ]


def test_a_class_that_nothing_is_known_of_is_no_fault() -> None:
    graph = {"1": node("Strange", x=5), "2": node("Save", images=["1", 3])}
    found = check(parse_graph(graph), SCHEMAS, opaque={"Strange"})

    assert (found.problems, found.outputs) == ((), ("2",))


def test_a_graph_that_may_have_an_output_nobody_knows_of_is_not_refused() -> None:
    found = check(parse_graph({"1": node("Strange")}), SCHEMAS, opaque={"Strange"})

    assert not found.refused


def test_a_graph_without_output_is_refused_and_its_faults_are_told() -> None:
    found = checked({"1": make(size=0)})

    assert found.refused
    assert [one.code for one in found.problems] == ["prompt_no_outputs", "value_smaller_than_min"]


def test_a_link_of_another_type_says_both_types_and_the_slot() -> None:
    _, name, what, _ = only(checked({"1": make(), "2": node("Save", images=["1", 1])}))

    assert (name, what) == ("images", "images takes IMAGE, and slot 1 of node 1 (Make) gives MASK.")


def test_a_link_to_a_slot_that_is_not_there_says_what_there_is() -> None:
    found = checked({"1": make(), "2": node("Save", images=["1", 7])})

    assert only(found)[3] == "Its outputs: 0 picture, 1 mask."


def test_a_value_where_only_a_link_fits_is_taken_and_fails_later() -> None:
    found = checked({"2": node("Save", images="x.png")})

    assert not found.refused
    assert not found.sound
    assert not found.problems[0].refuses


def test_an_unknown_input_is_ignored_and_the_nearest_is_told() -> None:
    found = checked(saved(make(strenght=1)))

    assert found.sound
    assert only(found)[2:] == (
        "There is no input strenght, so ComfyUI ignores it.",
        "Did you mean strength?",
    )


@pytest.mark.parametrize("values", [{}, {"how": "to"}])
def test_a_dynamic_choice_that_is_not_made_fails_though_comfyui_takes_it(
    values: dict[str, Any],
) -> None:
    found = checked(saved(node("Resize", **values)))

    assert (found.refused, found.sound) == (False, False)


def test_what_belongs_to_a_dynamic_choice_is_asked_for() -> None:
    found = checked(saved(node("Resize", how="by")))

    assert only(found)[1] == "how.factor"


def test_a_fault_counts_only_for_the_outputs_that_need_it() -> None:
    graph = saved(make(), _3=make(size=0), _4=node("Save", images=["3", 0]))
    found = checked(graph)

    assert (found.outputs, found.lost, found.refused, found.sound) == (("2",), ("4",), False, False)


def test_nodes_that_no_output_needs_are_named_once_and_not_looked_at() -> None:
    found = checked(saved(make(), _3=make(size=0), _4=node("Change", image=["3", 0])))

    assert found.sound
    assert "3 (Make), 4 (Change)" in only(found)[2]


@pytest.mark.parametrize(
    ("value", "files", "refused"),
    [
        ("a.png", {}, False),
        ("c.png", {}, True),
        ("sub/c.png", {"sub/c.png": True}, False),
        ("a.png", {"a.png": False}, True),
        (5, {}, True),
    ],
)
def test_a_file_has_to_be_there(value: Any, files: dict[str, bool], *, refused: bool) -> None:
    found = checked(saved(node("LoadImage", image=value)), files=files)

    assert found.refused is refused


@pytest.mark.parametrize("value", ["", "none", 0, {}])
def test_a_file_may_be_none_where_the_class_says_so(value: Any) -> None:
    assert not checked(saved(node("Load3D", model_file=value))).refused


@pytest.mark.parametrize(("length", "refused"), [(DEEPEST - 2, False), (DEEPEST - 1, True)])
def test_a_chain_has_an_end(length: int, *, refused: bool) -> None:
    chain = {str(n): node("Change", image=[str(n - 1), 0]) for n in range(1, length)}
    graph = {"0": make(), **chain, "end": node("Save", images=[str(length - 1), 0])}
    again = {**graph, "more": node("Change", image=[str(length - 1), 0])}
    again["end"] = node("Save", images=["more", 0])

    assert checked(again).refused is refused


def test_five_thousand_nodes_with_faults_are_told_in_few_words() -> None:
    graph = {str(n): node("Make", size=0, way="x") for n in range(4_998)}
    graph["end"] = node("Save", images=["0", 0])
    graph["last"] = node("Nowhere")
    found = checked(graph)

    assert len(found.problems) == 50
    assert found.more > 9_000
    assert sum(len(one.what) + len(one.fix) for one in found.problems) < 10_000


FITS = [
    ("IMAGE", "IMAGE", True),
    ("IMAGE", "MASK", False),
    ("*", "MASK", True),
    ("IMAGE", "*", True),
    ("IMAGE", MATCH, True),
    ("IMAGE,MASK", "MASK, LATENT", True),
    ("IMAGE,MASK", "LATENT", False),
    ("A", "B,*", True),
    ("COMBO", "COMBO", True),
    ("STRING", "COMBO", False),
]


@pytest.mark.parametrize(("given", "wanted", "fit"), FITS)
def test_types_fit_as_comfyui_has_it(given: str, wanted: str, *, fit: bool) -> None:
    assert fits(OutputSpec("x", given), InputSpec("y", wanted, required=True)) is fit


def test_a_list_as_a_type_fits_the_same_list_and_a_newer_combo_only() -> None:
    old = InputSpec("y", "COMBO", required=True, choices=("a",), listed=True)
    new = InputSpec("y", "COMBO", required=True, choices=("b",))
    given = OutputSpec("x", "COMBO", choices=("a",))

    assert fits(given, old)
    assert fits(given, new)
    assert not fits(OutputSpec("x", "COMBO", choices=("b",)), old)
    assert not fits(OutputSpec("x", "COMBO"), old)
    assert not fits(given, InputSpec("y", "STRING", required=True))


ANYTHING = (
    st.none() | st.booleans() | st.integers(-20, 20) | st.floats(-20, 20) | st.text(max_size=3)
)


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(["size", "way", "strength", "on", "x"]), ANYTHING))
def test_a_graph_is_refused_exactly_if_a_problem_of_its_output_refuses_it(
    values: dict[str, Any],
) -> None:
    found = checked(saved(node("Make", **values)))

    assert found.refused == any(one.refuses for one in found.problems)
