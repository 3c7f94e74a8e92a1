"""Widely used custom classes that give plain numbers and texts, by their names.

They are custom classes all the same: somebody else's code, known here only by what they say of
themselves.
"""

from __future__ import annotations

from collections.abc import Callable

from comfy_mcp.workflow.nodes.flow import Constant, Flow, Opaque
from comfy_mcp.workflow.nodes.formula import compute
from comfy_mcp.workflow.nodes.literals import as_real, as_text, as_truth, as_whole
from comfy_mcp.workflow.nodes.values import constant, each_as, formula, passing_on
from comfy_mcp.workflow.nodes.view import Rule, View

__all__ = ["RULES"]

_OPERATORS = {
    "add": "a + b",
    "subtract": "a - b",
    "multiply": "a * b",
    "divide": "a / b",
    "modulo": "a % b",
    "power": "a ** b",
}
_LETTERS = {letter: letter for letter in "abcd"}


def _operated(read: Callable[[object], int | float | None]) -> Rule:
    def rule(view: View) -> Flow:
        numbers: dict[str, int | float] = {}
        for name in ("a", "b"):
            value = view.value(name)
            if isinstance(value, Opaque):
                return Flow(value=value)
            number = read(value.value) if value is not None else 0
            if number is None:
                return Flow(value=view.opaque())
            numbers[name] = number
        text = _OPERATORS.get(view.choice("operation"), "?")
        result = read(compute(text, numbers))
        return Flow(value=view.opaque() if result is None else Constant(result))

    return rule


def _rounded(value: object) -> int | None:
    number = as_real(value)
    return None if number is None or abs(number) > 1e30 else round(number)  # noqa: PLR2004 -- a formula's bound


_NUMBERS: dict[str, tuple[str, Callable[[object], object]]] = {
    "FloatConstant": ("value", as_real),
    "INTConstant": ("value", as_whole),
    "ImpactBoolean": ("value", as_truth),
    "ImpactFloat": ("value", as_real),
    "ImpactInt": ("value", as_whole),
    "Int Literal": ("int", as_whole),
    "Float Literal": ("float", as_real),
    "JWFloat": ("value", as_real),
    "JWInteger": ("value", as_whole),
    "JWString": ("text", as_text),
    "Primitive boolean [Crystools]": ("boolean", as_truth),
    "Primitive float [Crystools]": ("float", as_real),
    "Primitive integer [Crystools]": ("int", as_whole),
    "Primitive string [Crystools]": ("string", as_text),
    "SimpleMathFloat+": ("value", as_real),
    "SimpleMathInt+": ("value", as_whole),
    "String Literal": ("string", as_text),
    "StringConstant": ("string", as_text),
    "easy boolean": ("value", as_truth),
    "easy float": ("value", as_real),
    "easy int": ("value", as_whole),
    "easy string": ("value", as_text),
}

RULES: dict[str, Rule] = {
    **{name: constant(*read) for name, read in _NUMBERS.items()},
    **dict.fromkeys(("Reroute", "ReroutePrimitive|pysssss"), passing_on),
    "MathExpression|pysssss": each_as(formula("expression", _LETTERS), as_whole, as_real),
    "SimpleMath+": each_as(formula("value", _LETTERS), _rounded, as_real),
    "easy mathFloat": _operated(as_real),
    "easy mathInt": _operated(as_whole),
}
