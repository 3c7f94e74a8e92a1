"""A condition's comparison is total, strict about types and exact about numbers."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_mcp.guard.comparison import OPERATORS, Holds
from comfy_mcp.guard.parse import read_policy
from comfy_mcp.guard.patterns import BadPattern, any_glob, regex


def holds(op: str, operand: Any) -> Holds:
    """The comparison of a condition as a policy's text makes it."""
    condition = {"path": "args.x", "op": op, "value": operand}
    text = json.dumps({"version": "1", "all_tools": {"require": [condition]}})
    file, faults = read_policy(text)
    assert faults == ()
    return file.layer.rules[0].require[0].conditions[0].holds


HALF = "\ud800"
BIG = 10**40

TABLE: list[tuple[str, Any, Any, bool | None]] = [
    ("eq", 5, 5, True),
    ("eq", 5, 5.0, True),
    ("eq", 5.0, 5, True),
    ("eq", 5, 6, False),
    ("eq", 5, "5", None),
    ("eq", "5", 5, None),
    ("eq", 1, True, None),
    ("eq", True, 1, None),
    ("eq", False, 0.0, None),
    ("eq", True, True, True),
    ("eq", 0, -0.0, True),
    ("eq", 0.1, 0.1, True),
    ("eq", 0.1, 0.1 + 1e-18, True),
    ("eq", 0.3, 0.1 + 0.2, False),
    ("eq", 2**53, 2**53 + 1, False),
    ("eq", 2**53 + 1, float(2**53), False),
    ("eq", BIG, BIG, True),
    ("eq", BIG, BIG + 1, False),
    ("eq", 1, math.nan, None),
    ("eq", 1, math.inf, None),
    ("eq", "a", None, None),
    ("eq", "a", "A", False),
    ("eq", "a", HALF, None),
    ("eq", [1, "a"], [1.0, "a"], True),
    ("eq", [1, "a"], (1, "a"), True),
    ("eq", [1], [True], False),
    ("eq", [1], [1, 1], False),
    ("eq", [1], {"0": 1}, None),
    ("eq", {"a": [None]}, {"a": [None]}, True),
    ("eq", {"a": 1}, {"a": 1, "b": 1}, False),
    ("eq", {"a": 1}, {"a": "1"}, False),
    ("neq", 5, 6, True),
    ("neq", 5, 5.0, False),
    ("neq", 5, "5", None),
    ("neq", "5", None, None),
    ("in", [1, 2, 3], 2.0, True),
    ("in", [1, 2, 3], 4, False),
    ("in", [1, 2, 3], "2", None),
    ("in", [1, 2, 3], True, None),
    ("in", [1, "a"], "b", False),
    ("in", [1, "a"], True, None),
    ("in", [[1], {"a": 1}], [1], True),
    ("in", [[1], {"a": 1}], {"a": 2}, False),
    ("in", [], "a", False),
    ("in", ["a"], HALF, None),
    ("not_in", ["a", "b"], "c", True),
    ("not_in", ["a", "b"], "a", False),
    ("not_in", ["a", "b"], 1, None),
    ("not_in", [], 1, True),
    ("lt", 0.1, 0.09, True),
    ("lt", 0.1, 0.1, False),
    ("lte", 0.1, 0.1, True),
    ("lte", 0.3, 0.1 + 0.2, False),
    ("lte", 30, 30.0, True),
    ("lte", 30, 30.000000000000004, False),
    ("lte", 2**53, 2**53 + 1, False),
    ("lte", BIG, BIG + 1, False),
    ("lt", 30, True, None),
    ("lt", 30, "5", None),
    ("lt", 30, None, None),
    ("lt", 30, math.nan, None),
    ("lt", 30, -math.inf, None),
    ("lt", 30, [1], None),
    ("lte", 30, None, None),
    ("gt", 30, 31, True),
    ("gt", 30, "31", None),
    ("gte", 30, True, None),
    ("gt", 30, 30, False),
    ("gte", 30, 30, True),
    ("gte", 30, 29.999999999999996, False),
    ("regex", "b+", "abbc", True),
    ("regex", "^b", "ab", False),
    ("regex", "a$", "a\n", False),
    ("regex", "a.b", "aéb", True),
    ("regex", "(?i)BRAND", "my brand", True),
    ("regex", "", "", True),
    ("regex", "5", 5, None),
    ("regex", "a", ["a"], None),
    ("regex", "a", "a" + HALF, None),
    ("contains", "b", "abc", True),
    ("contains", "d", "abc", False),
    ("contains", 5, "5", None),
    ("contains", "a", ["b", "a"], True),
    ("contains", "a", ("b",), False),
    ("contains", "a", [], False),
    ("contains", "a", ["a", 1], None),
    ("contains", 5, [1, 5.0], True),
    ("contains", 5, ["5"], None),
    ("contains", 1, [True], None),
    ("contains", "a", {"a": 1}, None),
    ("contains", [1], [[1], [2]], True),
    ("contains", "a", "a" + HALF, None),
    ("exists", True, 0, True),
    ("exists", True, None, False),
    ("exists", False, None, True),
    ("exists", False, "", False),
    ("glob", "sd15/*", "sd15/a/b.ckpt", True),
    ("glob", "sd15/*", "SD15/a", False),
    ("glob", "a?c", "abc", True),
    ("glob", "a?c", "ac", False),
    ("glob", "*", "a\nb", True),
    ("glob", "a", "a\n", False),
    ("glob", "[ab]", "a", False),
    ("glob", "[ab]", "[ab]", True),
    ("glob", ["x", "y*"], "yes", True),
    ("glob", [], "yes", False),
    ("glob", "K*", ["LoadImage", "KSampler"], True),
    ("glob", "K*", ["LoadImage"], False),
    ("glob", "K*", [], False),
    ("glob", "*", ["a", 1], None),
    ("glob", "*", 1, None),
    ("glob", "*", HALF, None),
    ("subset_of", ["a", "b"], ["a"], True),
    ("subset_of", ["a", "b"], ("a", "c"), False),
    ("subset_of", ["a", "b"], [], True),
    ("subset_of", ["a", "b"], "a", True),
    ("subset_of", ["a", "b"], "c", False),
    ("subset_of", ["a", "b"], ["a", 1], None),
    ("subset_of", ["a", "b"], ["c", 1], None),
    ("subset_of", [1, 2], [2.0], True),
    ("subset_of", [1, 2], 1, None),
    ("subset_of", [1], [True], None),
    ("subset_of", [], ["a"], False),
    ("subset_of", [], [], True),
    ("subset_of", ["a"], {"a": 1}, None),
]


@pytest.mark.parametrize(("op", "operand", "value", "expected"), TABLE)
def test_a_value_compares_or_does_not_or_is_of_the_wrong_type(
    op: str, operand: Any, value: Any, expected: bool | None
) -> None:
    assert holds(op, operand)(value) is expected


def test_the_table_has_every_operator_with_every_answer() -> None:
    for op in OPERATORS:
        answers = {answer for name, _, _, answer in TABLE if name == op}
        assert answers >= ({True, False} if op == "exists" else {True, False, None})


finite = st.floats(allow_nan=False, allow_infinity=False)
numbers = st.integers() | finite
scalars = st.none() | st.booleans() | numbers | st.floats() | st.text() | st.just(HALF)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=10,
)
SOME: list[tuple[str, Any]] = [
    *(("eq", one) for one in (1, 0.5, "a", True, [1, [2]], {"a": {"b": 1}})),
    *((op, [1, "a", True, [1], {"a": 1}]) for op in ("in", "not_in", "subset_of")),
    *((op, 0.1) for op in ("neq", "lt", "lte", "gt", "gte")),
    *(("regex", "a|b"), ("glob", ["a*", "?"]), ("exists", True), ("contains", "a")),
    *(("contains", one) for one in (1, [1], {"a": 1}, False)),
]
COMPILED = [holds(op, operand) for op, operand in SOME]


@given(values)
def test_a_comparison_answers_for_any_value(value: object) -> None:
    for compare in COMPILED:
        assert compare(value) in {True, False, None}


@pytest.mark.parametrize("deep", [[], {}])
def test_a_comparison_answers_for_a_value_that_is_very_deep(deep: Any) -> None:
    for _ in range(100_000):
        deep = [deep] if isinstance(deep, list) else {"a": deep}
    for compare in COMPILED:
        assert compare(deep) in {True, False, None}
        assert compare([deep, deep]) in {True, False, None}
    # Taken apart here: freeing it in one go would recurse in the interpreter.
    while deep:
        deep = deep[0] if isinstance(deep, list) else deep["a"]


@given(numbers, numbers)
def test_numbers_have_one_order(bound: float, value: float) -> None:
    found = {op: holds(op, bound)(value) for op in ("lt", "lte", "eq", "neq", "gt", "gte")}
    assert [found["lt"], found["eq"], found["gt"]].count(True) == 1
    assert found["lte"] is (found["lt"] or found["eq"])
    assert found["gte"] is (found["gt"] or found["eq"])
    assert found["neq"] is (not found["eq"])


@given(numbers)
def test_a_number_equals_what_json_writes_for_it(number: float) -> None:
    assert holds("eq", number)(json.loads(json.dumps(number)))


@given(values)
def test_what_is_not_of_the_type_is_neither_equal_nor_unequal(value: object) -> None:
    equal, unequal = holds("eq", "a")(value), holds("neq", "a")(value)
    assert (equal is None) is (unequal is None)
    assert equal is None or equal is not unequal


@given(st.text(), st.text())
def test_a_glob_fits_its_own_text(pattern: str, rest: str) -> None:
    assert any_glob([pattern])(pattern)
    assert any_glob([pattern + "*"])(pattern + rest)
    assert any_glob([pattern + "?"])(pattern + "x")


def test_a_glob_of_many_stars_is_quick() -> None:
    assert not any_glob(["*a" * 50 + "b"])("a" * 5000)


def test_a_regex_that_hangs_others_is_quick() -> None:
    assert not regex("(a*)*b")("a" * 100_000)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [("(", "missing"), ("a**", 'at "**", character 2'), ("é(?=a)", "character 2"), ("\\", "trail")],
)
def test_a_pattern_that_re2_does_not_read_is_told_with_its_place(pattern: str, words: str) -> None:
    with pytest.raises(BadPattern) as caught:
        regex(pattern)
    assert words in str(caught.value)


def test_a_bad_pattern_writes_nothing_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BadPattern):
        regex("((")
    assert capfd.readouterr() == ("", "")
