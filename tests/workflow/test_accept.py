"""Promise: a parameter takes its own type and nothing that only looks like it, and says why not."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_mcp.workflow.accept import MAX_LENGTH, MAX_SEED, Kind, Limits, problem_with

KINDS: tuple[Kind, ...] = ("string", "integer", "number", "boolean", "choice", "seed", "image")
ANY = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers())


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *(("integer", 0), ("integer", -(2**63)), ("integer", 2**64 - 1)),
        *(("number", 0), ("number", 1.5), ("number", -1e300), ("number", 2**63)),
        *(("boolean", True), ("boolean", False)),
        *(("seed", 0), ("seed", MAX_SEED)),
        *(("string", ""), ("string", "a\nb ü"), ("string", "x" * MAX_LENGTH)),
        *(("image", "a.png"), ("image", "sub/dir/a b.png"), ("image", "日本.jpg")),
        ("image", "a[1].png"),
    ],
)
def test_a_value_of_the_type_is_taken(kind: Kind, value: object) -> None:
    assert problem_with(value, kind, Limits()) is None


@pytest.mark.parametrize(
    ("kind", "value", "problem"),
    [
        ("integer", True, "must be an integer, not a boolean"),
        ("integer", "5", "must be an integer, not a string; write 5 without quotes"),
        ("integer", "five", "must be an integer, not a string"),
        ("integer", 5.0, "must be an integer, not a number; write 5, not 5.0"),
        ("integer", 5.5, "must be an integer, not a number"),
        ("integer", math.nan, "must be an integer, not a number"),
        ("integer", 1e300, "must be an integer, not a number"),
        ("integer", None, "must be an integer, not null"),
        ("number", False, "must be a number, not a boolean"),
        ("number", "1.5", "must be a number, not a string; write 1.5 without quotes"),
        ("number", math.inf, "must be a finite number, not NaN or Infinity"),
        ("number", math.nan, "must be a finite number, not NaN or Infinity"),
        ("boolean", 1, "must be a boolean (true or false), not an integer"),
        ("boolean", "true", "must be a boolean (true or false), not a string"),
        ("seed", True, "must be an integer, not a boolean"),
        ("seed", 1.0, "must be an integer, not a number; write 1, not 1.0"),
        ("seed", -1, f"must be between 0 and {MAX_SEED}, not -1"),
        ("string", 5, "must be a string, not an integer"),
        ("string", ["a"], "must be a string, not a list"),
        ("image", {"a": 1}, "must be a string, not an object"),
        ("choice", 1, "must be a string, not an integer"),
    ],
)
def test_a_value_of_another_type_is_refused_with_both_types(
    kind: Kind, value: object, problem: str
) -> None:
    assert problem_with(value, kind, Limits()) == problem


@pytest.mark.parametrize(
    ("kind", "value", "limits", "problem"),
    [
        ("integer", 9000, Limits(64, 4096), "must be between 64 and 4096, not 9000"),
        ("integer", 0, Limits(min=1), "must be at least 1, not 0"),
        ("number", 1.5, Limits(max=1.0), "must be at most 1.0, not 1.5"),
        ("integer", 2**64, Limits(), f"must be between {-(2**63)} and {2**64 - 1}"),
        ("string", "abc", Limits(max_length=2), "must have at most 2 characters, not 3"),
        ("image", "abc", Limits(max_length=2), "must have at most 2 characters, not 3"),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_range(
    kind: Kind, value: object, limits: Limits, problem: str
) -> None:
    assert problem_with(value, kind, limits) == problem


def test_a_number_too_long_to_print_is_out_of_range_and_not_a_crash() -> None:
    assert problem_with(10**5000, "number", Limits(0, 1)) == "must be between 0 and 1"
    assert problem_with(10**5000, "seed", Limits()) == f"must be between 0 and {MAX_SEED}"


@pytest.mark.parametrize("limits", [Limits(1, 3), Limits(1.0, 3.0)])
def test_both_ends_of_a_range_belong_to_it(limits: Limits) -> None:
    assert [problem_with(n, "integer", limits) is None for n in range(5)] == [
        *(False, True, True, True, False),
    ]


def test_a_string_without_a_limit_has_one() -> None:
    assert problem_with("x" * (MAX_LENGTH + 1), "string", Limits()) is not None


def test_text_that_cannot_be_sent_is_refused() -> None:
    assert "Unicode" in (problem_with("a\ud800", "string", Limits()) or "")


def test_a_choice_is_one_of_the_list_and_a_near_miss_is_named() -> None:
    limits = Limits(choices=("euler", "heun"))

    assert problem_with("heun", "choice", limits) is None
    assert problem_with("eulr", "choice", limits) == (
        'must be one of: euler, heun; not "eulr"; did you mean "euler"?'
    )


def test_a_long_list_of_choices_is_cut() -> None:
    problem = problem_with("x", "choice", Limits(choices=tuple(f"name{n}" for n in range(50))))

    assert problem is not None
    assert "name19 and 30 more" in problem


@pytest.mark.parametrize(
    "name",
    [
        *("", "  ", "/etc/passwd", "../a.png", "a/../b.png", "a..png", "./a.png", "a//b.png"),
        *("a/", "a\\b.png", "C:a.png", "C:/a.png", "a\x00.png", "a\n.png", "a\x7f.png"),
        *("a.png [output]", "a.png [temp]", "a.png[output]", "a.png [input]", "a.png [output] "),
    ],
)
def test_a_picture_is_a_file_of_the_input_folder_and_nothing_else(name: str) -> None:
    assert problem_with(name, "image", Limits()) is not None


@given(st.sampled_from(KINDS), ANY)
def test_a_value_that_is_taken_has_the_type(kind: Kind, value: object) -> None:
    types: dict[str, type | tuple[type, ...]] = {
        "integer": int,
        "seed": int,
        "number": (int, float),
        "boolean": bool,
    }

    if problem_with(value, kind, Limits(choices=("a",))) is None:
        assert isinstance(value, types.get(kind, str))
        assert isinstance(value, bool) == (kind == "boolean")
