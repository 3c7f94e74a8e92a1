"""Formulas are worked out as ComfyUI does, and nothing but arithmetic is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from comfy_mcp.embedded.nodes.maths import worked_out

if TYPE_CHECKING:
    from tests.embedded.desk import Bench


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("a + b", 10),
        (" a - b ", -4),
        ("a * b", 21),
        ("b / 2", 3.5),
        ("b // 2 + b % 2", 4),
        ("-a ** 2", -9),
        ("+a", 3),
        ("not a", False),
        ("a < b", True),
        ("a >= b", False),
        ("a == 3", True),
        ("a != 3", False),
        ("a <= 3", True),
        ("b > 7", False),
        ("a if a > b else b", 7),
        ("a if a < b else b", 3),
        ("min(a, b) + max(a, b, 100)", 103),
        ("sum(values) + sum(a, b)", 20),
        ("pow(a, 2) + round(2.6) + abs(-1)", 13),
        ("ceil(sqrt(a)) + floor(log2(8.5))", 5),
        ("int(2.9) * float(2)", 4.0),
    ],
)
def test_a_formula_has_a_value(expression: str, value: Any) -> None:
    assert worked_out(expression, {"a": 3, "b": 7, "values": [3, 7]}) == value


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        ("c", NameError),
        ("1 +", SyntaxError),
        ("1 / 0", ZeroDivisionError),
        ("a.real", ValueError),
        ("values[0]", ValueError),
        ("[1]", ValueError),
        ("a < b < 9", ValueError),
        ("a and b", ValueError),
        ("a << 99", ValueError),
        ("lambda: 1", ValueError),
        ("__import__('os')", ValueError),
        ("(1).__class__", ValueError),
        ("max(a, b, key=a)", ValueError),
        ("2 ** 4001", ValueError),
        ("pow(2, -4001)", ValueError),
        ("(10 ** 4000) ** 4000", ValueError),
    ],
)
def test_what_is_no_arithmetic_has_none(expression: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        worked_out(expression, {"a": 3, "b": 7, "values": [3, 7]})


def test_the_node_gives_the_number_as_all_three_kinds(bench: Bench) -> None:
    found = bench.run("ComfyMathExpression", expression="a * b + c", **values(a=2, b=1.5, c=True))

    assert found == (4.0, 4, True)
    assert [type(each) for each in found] == [float, int, bool]


@pytest.mark.parametrize("expression", ["", "  ", "'x'", "values", "1e999"])
def test_the_node_wants_a_formula_with_a_finite_number(bench: Bench, expression: str) -> None:
    with pytest.raises(ValueError, match=r"empty|numeric|non-finite"):
        bench.run("ComfyMathExpression", expression=expression, **values(a=2))


def values(**letters: object) -> dict[str, Any]:
    return {f"values.{letter}": value for letter, value in letters.items()}
