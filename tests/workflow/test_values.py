"""Promise: a JSON value is weighed and judged without recursion, and kept without change."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_mcp.workflow.values import (
    MAX_DEPTH,
    MAX_INT,
    MIN_INT,
    frozen,
    has_control,
    survey,
    thawed,
)

SOUND = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(MIN_INT, MAX_INT)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


@given(SOUND)
def test_a_weight_is_never_more_than_the_bytes_of_the_json(value: object) -> None:
    weight, fault = survey(value, 10**9)

    assert fault is None
    size = len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
    assert weight <= size


@given(SOUND)
def test_thawing_gives_back_what_was_frozen(value: object) -> None:
    assert thawed(frozen(value)) == value


def test_what_is_frozen_does_not_follow_its_source() -> None:
    source = {"a": [1, {"b": 2}]}
    kept = frozen(source)
    source["a"].append(3)

    assert thawed(kept) == {"a": [1, {"b": 2}]}


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (float("nan"), "NaN"),
        ([{"a": float("-inf")}], "NaN"),
        (2**64, "2**64"),
        (-(2**63) - 1, "2**64"),
        ("\ud800", "surrogate"),
        ({"\udfff": 1}, "surrogate"),
        ({1: 1}, "string keys"),
        ({"a": {1}}, "set"),
        (b"x", "bytes"),
    ],
)
def test_what_is_no_json_is_named(value: object, word: str) -> None:
    _, fault = survey(value, 1000)

    assert fault is not None
    assert word in fault


def test_the_first_fault_is_the_one_that_stands_first() -> None:
    _, fault = survey([float("nan"), "\ud800"], 1000)

    assert fault is not None
    assert "NaN" in fault


def test_depth_is_bounded() -> None:
    assert survey(nested(MAX_DEPTH), 10**6)[1] is None
    for levels in (MAX_DEPTH + 1, 100_000):
        fault = survey(nested(levels), 10**6)[1]
        assert fault is not None
        assert "nested" in fault


def test_a_list_that_holds_itself_is_too_deep() -> None:
    ring: list[Any] = []
    ring.append(ring)

    assert "nested" in (survey(ring, 10**6)[1] or "")


def test_weighing_stops_where_the_budget_is_used_up() -> None:
    shared: list[Any] = [0] * 1000
    for _ in range(20):
        shared = [shared] * 1000

    weight, _ = survey(shared, 10_000)

    assert weight > 10_000


def test_a_text_that_stands_in_many_places_is_not_written_out_to_be_judged() -> None:
    weight, fault = survey(["x" * 1_000_000] * 1_000_000, 4_000_000)

    assert weight > 10**12
    assert fault is None


def test_big_things_weigh_more_than_the_budget_without_being_looked_into() -> None:
    assert survey("x" * 2000, 1000)[0] > 1000
    assert survey([0] * 2000, 1000)[0] > 1000
    assert survey({str(n): 0 for n in range(2000)}, 1000)[0] > 1000


@pytest.mark.parametrize("char", ["\x00", "\n", "\x7f", "\x9f"])
def test_control_characters_are_seen(char: str) -> None:
    assert has_control(f"a{char}b")


def test_letters_of_any_script_are_no_control_characters() -> None:
    assert not has_control("Größe 日本 \u202e")
