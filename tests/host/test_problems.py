"""A refused node is told by what came and what was wanted, in the shapes of every ComfyUI."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_mcp.host.problems import MAX_REASON, choices_in, problems_of, unlisted
from comfy_mcp.host.wire import NodeErrors

FIXTURES = Path(__file__).parents[1] / "fixtures" / "comfyui"

REASONS = {
    "too_small": "Value 0 smaller than min of 1; it may be 1 to 16384",
    "bad_int": "It wants INT, but got 'abc'",
    "missing_input": "Required input is missing",
    "not_in_list_partial": "Value not in list: 'nope'. It may be: nearest-exact, bilinear, area,"
    " bicubic, lanczos",
    "dangling_link": "A link names node '99', which is not there",
    "bad_slot": "A link names an output slot that its node does not have",
    "bad_link": 'This list is no link: ["1"]',
    "type_mismatch": "It wants IMAGE, but output 0 of node 1 is LATENT",
    "loadimage_missing": "Invalid image file: nope.png",
}


def told(kind: str, details: str = "", message: str = "Message", **info: Any) -> str:
    """The reason of one fault."""
    fault = {"type": kind, "message": message, "details": details, "extra_info": info}
    errors = NodeErrors.model_validate({"errors": [fault], "class_type": "Loader"})
    (problem,) = problems_of({"1": errors})
    return problem.reason


def not_in(choices: list[Any] | None, value: Any = "sdxl", name: str = "ckpt_name") -> str:
    config = None if choices is None else [choices, {}]
    return told(
        "value_not_in_list", input_name=name, input_config=config, received_value=value, details="d"
    )


@pytest.mark.parametrize("version", ["old", "new"])
@pytest.mark.parametrize("name", REASONS)
def test_recorded_refusals_are_told_by_what_came_and_what_was_wanted(
    version: str, name: str
) -> None:
    recorded = json.loads((FIXTURES / f"{version}.json").read_text())["errors"][name][2]
    errors = {
        node: NodeErrors.model_validate(each) for node, each in recorded["node_errors"].items()
    }

    assert [problem.reason for problem in problems_of(errors)] == [REASONS[name]]


def test_a_circle_is_told_by_its_nodes() -> None:
    assert told("dependency_cycle", "1 (A) -> 2 (B) -> 1 (A)") == (
        "Dependency cycle: 1 (A) -> 2 (B) -> 1 (A)"
    )


def test_of_a_long_list_the_nearest_values_are_told_and_not_the_list() -> None:
    models = [f"model_{number}.safetensors" for number in range(300)]
    models += ["SDXL/sdxl_base_1.0.safetensors", "sdxl-turbo.safetensors", "sd15.ckpt"]

    reason = not_in(models, "sdxl_base.safetensors")

    assert reason.startswith(
        "Value not in list: 'sdxl_base.safetensors'. Of 303 values, the nearest:"
        " SDXL/sdxl_base_1.0.safetensors"
    )
    assert "model_1" not in reason


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("eulr_ancestral", "euler_ancestral"),
        ("Euler", "euler"),
        ("models/flux1-dev.safetensors", "flux1-dev-fp8.safetensors"),
        ("juggernaut", "SDXL/juggernautXL_v9.safetensors"),
    ],
)
def test_the_value_that_was_meant_is_found(sent: str, meant: str) -> None:
    others = [f"something else {number}" for number in range(20)]
    known = ["euler", "euler_ancestral", "flux1-dev-fp8.safetensors"]

    assert meant in not_in([*others, *known, "SDXL/juggernautXL_v9.safetensors"], sent)


def test_where_nothing_is_near_some_values_are_told() -> None:
    assert not_in([f"a{number}" for number in range(30)], "zzzz") == (
        "Value not in list: 'zzzz'. Of 30 values, such as a0, a1, a2"
    )


def test_a_list_that_was_left_out_is_told_by_its_length() -> None:
    assert told(
        "value_not_in_list", "x: 'v' not in (list of length 44)", input_name="x", received_value="v"
    ) == ("Value not in list: 'v'; the list has 44")


def test_a_list_without_values_is_told_as_such() -> None:
    assert not_in([]) == "Value not in list: 'sdxl'; it has none"


def test_a_type_that_is_a_list_of_choices_is_a_combo() -> None:
    assert told(
        "return_type_mismatch",
        input_name="sampler_name",
        input_config=[["euler", "ddim"], {}],
        received_type="STRING",
        linked_node=["7", 1],
    ) == ("It wants COMBO, but output 1 of node 7 is STRING")


def test_a_fault_that_we_do_not_know_is_told_in_comfyuis_words() -> None:
    assert told("invalid_dynamic_input", "text", "Invalid dynamic input") == (
        "Invalid dynamic input (text)"
    )
    assert told("exception_during_validation", "no /srv/a/b.py", "Exception when validating") == (
        "Exception when validating (no …/b.py)"
    )


KINDS = [
    *("value_not_in_list", "value_smaller_than_min", "value_bigger_than_max", "invalid_input_type"),
    *("bad_linked_input", "custom_validation_failed", "something_new"),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["api_key", "hf_token", "password"])
def test_the_value_of_a_secret_input_is_never_told(kind: str, name: str) -> None:
    reason = told(
        kind,
        f"{name}, hunter2, hunter2",
        input_name=name,
        input_config=["STRING", {}],
        received_value="hunter2",
    )

    assert "hunter2" not in reason
    assert reason


def test_a_secret_in_another_input_is_not_told_either() -> None:
    assert "hf_0123456789" not in not_in(["a", "b"], "hf_0123456789abc", "text")


def test_lists_that_were_left_out_are_named_once_and_no_more_than_three() -> None:
    def node(class_type: str, config: Any) -> NodeErrors:
        info = {"input_name": "ckpt_name", "input_config": config}
        fault = {"type": "value_not_in_list", "extra_info": info}
        return NodeErrors.model_validate({"errors": [fault, fault], "class_type": class_type})

    errors = {str(n): node(f"Class{n % 5}", None) for n in range(10)} | {"x": node("X", [[], {}])}

    assert unlisted(errors) == tuple((f"Class{n}", "ckpt_name") for n in range(3))


@pytest.mark.parametrize(
    ("spec", "choices"),
    [
        ([["a", 5], {}], ("a", "5")),
        (["COMBO", {"options": ["a"]}], ("a",)),
        (["COMBO", {}], None),
        (["INT", {"min": 1}], None),
        ([], None),
        (None, None),
    ],
)
def test_choices_are_read_in_their_older_and_their_newer_form(
    spec: object, choices: tuple[str, ...] | None
) -> None:
    assert choices_in(spec) == choices


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=2_000),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
FAULTS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            [*KINDS, "return_type_mismatch", "dependency_cycle", "exception_during_validation"]
        ),
        "message": st.text(min_size=1),
        "details": st.text(),
        "extra_info": st.fixed_dictionaries(
            {"input_name": JSON, "input_config": JSON, "received_value": JSON}
        )
        | st.dictionaries(
            st.sampled_from(["linked_node", "received_type", "exception_type"]), JSON
        ),
    }
)


@given(st.lists(FAULTS, max_size=30))
def test_whatever_comfyui_or_a_fork_says_is_told_within_bounds(faults: list[Any]) -> None:
    errors = {"1": NodeErrors.model_validate({"errors": faults, "class_type": "x" * 300})}

    for problem in problems_of(errors):
        assert len(problem.reason) <= MAX_REASON
        assert len(str(problem)) <= MAX_REASON + 350
        assert str(problem).isprintable()
