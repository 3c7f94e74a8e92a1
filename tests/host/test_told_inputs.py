"""Of a failed node those inputs are told that are plain and short, and none that is secret."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_mcp.host.sighting import ended
from comfy_mcp.host.told_inputs import MAX_INPUTS, told_inputs
from comfy_mcp.host.wire import HistoryStatus


def test_numbers_switches_and_short_texts_are_told() -> None:
    given = {"seed": [5], "cfg": [7.5], "tiled": [True], "name": ["a.png"], "nothing": [None]}

    assert told_inputs(given, "") == {"seed": "5", "cfg": "7.5", "tiled": "true", "name": "a.png"}


@pytest.mark.parametrize(
    "value",
    [
        "tensor([1, 2])",
        "{'samples': tensor([[0.]])}",
        "[[tensor([[0.]]), {}]]",
        "<comfy.model_patcher.ModelPatcher object at 0x7f00aa>",
        "array([1])",
        "x" * 101,
        None,
        ["a"],
        {"a": 1},
    ],
)
def test_pictures_models_and_long_texts_are_not(value: Any) -> None:
    assert told_inputs({"samples": [value], "seed": [1]}, "") == {"seed": "1"}


@pytest.mark.parametrize(
    "name",
    [
        "prompt",
        "extra_pnginfo",
        "unique_id",
        "dynprompt",
        "auth_token_comfy_org",
        "api_key_comfy_org",
        "hf_token",
        "client_secret",
        "password",
    ],
)
def test_what_comfyui_fills_in_and_what_is_secret_is_never_told(name: str) -> None:
    assert told_inputs({name: ["short"]}, f"{name} short") == {}


def test_a_secret_in_a_harmless_input_is_not_told_either() -> None:
    assert told_inputs({"url": ["https://u:pw@example.org/a?sig=1"]}, "") == {
        "url": "https://example.org/a?…"
    }


def test_no_more_than_eight_are_told_and_those_first_that_the_message_mentions() -> None:
    given = {f"value_{number}": [number] for number in range(30)} | {"width": [8], "name": ["sdxl"]}

    told = list(told_inputs(given, "the width of sdxl is wrong"))

    assert told[:3] == ["width", "name", "value_0"]
    assert len(told) == MAX_INPUTS


def test_a_digit_in_the_message_is_no_mention_of_a_value() -> None:
    assert list(told_inputs({"count": [0], "pattern": ["("]}, "bad pattern at 0")) == [
        "pattern",
        "count",
    ]


def test_of_several_elements_the_first_are_told() -> None:
    assert told_inputs({"seed": list(range(40)), "one": [1, 2]}, "") == {
        "seed": "0, 1, 2 and 37 more",
        "one": "1, 2",
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(JSON | st.dictionaries(st.text(), st.lists(st.text(max_size=200))), st.text())
def test_whatever_stands_there_is_told_within_bounds(current: object, message: str) -> None:
    told = told_inputs(current, message)

    assert len(json.dumps(told, ensure_ascii=False)) <= MAX_INPUTS * 350


def test_a_failure_carries_them_beside_its_message_without_paths() -> None:
    told = {
        "exception_type": "Exception",
        "exception_message": "Saving image outside the output folder:\n /srv/comfy/evil\n",
        "node_id": "2",
        "node_type": "SaveImage",
        "traceback": ["/srv/comfy/nodes.py"],
        "current_inputs": {
            "images": ["tensor([[[0.1]]])"],
            "filename_prefix": ["../../evil"],
            "prompt": ["{'1': {}}"],
            "extra_pnginfo": [None],
        },
    }

    failure = ended({}, HistoryStatus(messages=[("execution_error", told)])).failure

    assert failure is not None
    assert failure.message == "Saving image outside the output folder:\n…/evil"
    assert failure.inputs == {"filename_prefix": "../../evil"}


@pytest.mark.parametrize("current", [None, [], "text", 5])
def test_a_failure_without_inputs_is_still_one(current: object) -> None:
    status = HistoryStatus(messages=[("execution_error", {"current_inputs": current})])

    failure = ended({}, status).failure

    assert failure is not None
    assert (failure.type, failure.inputs) == ("unknown", {})
