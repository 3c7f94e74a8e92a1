"""What is not strict JSON is a fault with its place, whatever the text."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_mcp.guard.reading import MAX_DEPTH, read_json


def told(text: str) -> list[tuple[str, str]]:
    return [(fault.where, fault.cause) for fault in read_json(text).faults]


def test_a_key_that_stands_twice_is_a_fault_at_its_place() -> None:
    expected = [("/a/b", 'the key "b" stands here more than once.')]
    assert told('{"a": {"b": 1, "c": 2, "b": 1}}') == expected
    assert told('{"a": {"b": 1, "c": 2, "b": 3, "b": 4}}') == expected


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e99999999999999999999"])
def test_a_number_that_json_does_not_have_is_a_fault(number: str) -> None:
    assert told(f'{{"a": [1, {number}]}}') == [("/a/1", f"{number} is no number of JSON.")]


def test_text_that_is_no_json_is_told_with_line_and_column() -> None:
    [(where, cause)] = told('{\n  "a": 1,,\n}')
    assert where == ""
    assert "line 2, column 10" in cause


def test_nesting_has_an_end() -> None:
    assert told("[" * MAX_DEPTH + "]" * MAX_DEPTH) == []
    [(_, cause)] = told("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))
    assert "nested more than" in cause
    assert "nested more than" in told("[" * 500_000)[0][1]


def test_brackets_within_strings_are_no_nesting() -> None:
    assert told(json.dumps({"a": "[" * 100 + '"' + "{" * 100 + "\\"})) == []


def test_an_endless_string_is_told_in_time() -> None:
    [(_, cause)] = told('"' + '\\"' * 400_000)
    assert "Unterminated string" in cause


def test_half_a_surrogate_pair_is_a_fault_in_keys_and_texts() -> None:
    faults = read_json('{"a": "\\ud800", "\\udfff": 1, "b": "\\ud83d\\ude00"}').faults
    assert {fault.where for fault in faults} == {"/a", "/\\udfff"}
    for fault in faults:
        str(fault).encode("utf-8")


def test_a_pointer_escapes_what_a_pointer_must() -> None:
    assert told('{"a/b~c": NaN}')[0][0] == "/a~1b~0c"


def test_a_control_character_does_not_reach_the_terminal() -> None:
    [(where, _)] = told('{"\\u001b[2J": NaN}')
    assert where == "/\\x1b[2J"


def test_pointers_begin_where_the_caller_says() -> None:
    root = read_json('{"a": NaN}', "night.json#")
    assert [fault.where for fault in root.faults] == ["night.json#/a"]


def test_a_very_long_number_is_no_crash() -> None:
    assert told('{"a": ' + "9" * 10_000 + "}") == []


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(json_values)
def test_strict_json_has_no_faults(value: object) -> None:
    assert told(json.dumps(value)) == []


@given(st.text())
def test_any_text_gives_faults_and_no_error(text: str) -> None:
    read_json(text)
