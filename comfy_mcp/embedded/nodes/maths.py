"""The node that works out a formula: plain arithmetic on the numbers it is given."""

from __future__ import annotations

import ast
import math
import operator
import string
from typing import TYPE_CHECKING, Any

from comfy_mcp.embedded.nodes.base import BOOLEAN, FLOAT, INT, STRING, Context, Input, Node, Result
from comfy_mcp.embedded.values import as_list

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["NODES", "worked_out"]

Number = int | float

NUMBERS = "FLOAT,INT,BOOLEAN"
MOST_POWER = 4000
MOST_BITS = 100_000
LETTERS = tuple(string.ascii_lowercase)


def _power(base: Number, exponent: Number) -> Number:
    if abs(exponent) > MOST_POWER:
        raise ValueError(f"Exponent {exponent} exceeds maximum allowed ({MOST_POWER})")
    if isinstance(base, int) and base.bit_length() * abs(exponent) > MOST_BITS:
        raise ValueError("The power is too large to be worked out")
    return base**exponent


BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda one, other: one / other,
    ast.FloorDiv: lambda one, other: one // other,
    ast.Mod: operator.mod,
    ast.Pow: _power,
}
COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Not: operator.not_,
}


def _sum(*values: Any) -> Any:
    whole = as_list(values[0]) if len(values) == 1 else None
    return sum(values if whole is None else whole)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sum": _sum,
    "min": min,
    "max": max,
    "abs": abs,
    "round": round,
    "pow": _power,
    "sqrt": math.sqrt,
    "ceil": math.ceil,
    "floor": math.floor,
    "log": math.log,
    "log2": math.log2,
    "log10": math.log10,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "int": int,
    "float": float,
}


def worked_out(expression: str, names: Mapping[str, Any]) -> Any:
    """The value of *expression*, in which *names* stand for values.

    Raises:
        ValueError, TypeError, ArithmeticError, NameError, SyntaxError: it has none.
    """
    return _value(ast.parse(expression.strip(), mode="eval").body, names)


def _value(part: ast.expr, names: Mapping[str, Any]) -> Any:  # noqa: PLR0911 - one a kind of part
    match part:
        case ast.Constant():
            return part.value
        case ast.Name() if part.id in names:
            return names[part.id]
        case ast.Name():
            raise NameError(f"'{part.id}' is not defined")
        case ast.BinOp() if type(part.op) in BINARY:
            return BINARY[type(part.op)](_value(part.left, names), _value(part.right, names))
        case ast.UnaryOp() if type(part.op) in UNARY:
            return UNARY[type(part.op)](_value(part.operand, names))
        case ast.IfExp():
            return _value(part.body if _value(part.test, names) else part.orelse, names)
        case ast.Compare(ops=[how], comparators=[other]) if type(how) in COMPARISONS:
            return COMPARISONS[type(how)](_value(part.left, names), _value(other, names))
        case ast.Call(func=ast.Name(id=name), keywords=[]) if name in FUNCTIONS:
            return FUNCTIONS[name](*(_value(each, names) for each in part.args))
        case _:
            raise ValueError(f"Sorry, {type(part).__name__} is not available in this evaluator")


def _work_out(_context: Context, inputs: Mapping[str, Any]) -> Result:
    expression: str = inputs["expression"]
    if not expression.strip():
        raise ValueError("Expression cannot be empty.")
    given = {
        letter: inputs[f"values.{letter}"] for letter in LETTERS if f"values.{letter}" in inputs
    }
    result = worked_out(expression, {**given, "values": list(given.values())})
    if not isinstance(result, (int, float)):
        kind = type(result).__name__
        raise ValueError(  # noqa: TRY004 - what ComfyUI raises, and clients see its name
            f"Math Expression '{expression}' must evaluate to a numeric result,"
            f" got {kind}: {result!r}"
        )
    if not math.isfinite(result):
        raise ValueError(
            f"Math Expression '{expression}' produced a non-finite result: {float(result)}"
        )
    return Result((float(result), int(result), bool(result)))


EXPRESSION = Input("expression", STRING, {"default": "a + b", "multiline": True})
GROWN = Input(
    "values",
    "COMFY_AUTOGROW_V3",
    {
        "template": {
            "input": {"required": {"value": [NUMBERS, {}]}},
            "names": list(LETTERS),
            "min": 1,
        }
    },
)

NODES = (
    Node(
        "ComfyMathExpression",
        "Math Expression",
        "utilities",
        (
            EXPRESSION,
            *(Input(f"values.{each}", NUMBERS, required=each == LETTERS[0]) for each in LETTERS),
        ),
        (FLOAT, INT, BOOLEAN),
        _work_out,
        output_names=("FLOAT", "INT", "BOOL"),
        module="comfy_extras.nodes_math",
        modern=True,
        since="0.17.0",
        shown=(EXPRESSION, GROWN),
    ),
)
