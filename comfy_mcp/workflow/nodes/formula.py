"""Arithmetic that a node holds as text, computed without running any of it."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import cast

__all__ = ["compute"]

Number = int | float

_MAX_LENGTH = 500
_MAX_DEPTH = 40
_MAX_EXPONENT = 64
_MAX_NUMBER = 1e30
_PLAIN = re.compile(r"[\w\s.,+\-*/%()<>=!]*", re.ASCII)
# Python warns of numbers that run into words, such as "1if x".
_RUN_TOGETHER = re.compile(r"[0-9](?![eE][+-]?[0-9])[A-Za-z_]", re.ASCII)


class _UnforeseenError(Exception):
    """The text does something that is not computed here."""


def compute(text: str, names: Mapping[str, Number | tuple[Number, ...]]) -> Number | None:
    """The number that *text* comes to, or None if it is not plain arithmetic on *names*.

    Size, depth, exponents and numbers on the way are bounded.
    """
    if len(text) > _MAX_LENGTH or not _PLAIN.fullmatch(text) or _RUN_TOGETHER.search(text):
        return None
    try:
        tree = ast.parse(text.strip(), mode="eval")
        result = _value(tree.body, names, 0)
    except (_UnforeseenError, SyntaxError, ValueError, ArithmeticError, TypeError):
        return None
    except (RecursionError, MemoryError):
        # Python's own parser gives up on deep nesting in one of these ways.
        return None
    return None if isinstance(result, tuple) else result


def _value(
    node: ast.expr, names: Mapping[str, Number | tuple[Number, ...]], depth: int
) -> Number | tuple[Number, ...]:
    if depth > _MAX_DEPTH:
        raise _UnforeseenError
    if isinstance(node, ast.Name) and node.id in names:
        return names[node.id]
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return _bounded(node.value)
    if isinstance(node, ast.IfExp):
        chosen = node.body if _number(node.test, names, depth) else node.orelse
        return _value(chosen, names, depth + 1)
    if isinstance(node, ast.Call):
        return _bounded(_called(node, names, depth))
    return _bounded(_operation(node, lambda inner: _number(inner, names, depth)))


def _number(node: ast.expr, names: Mapping[str, Number | tuple[Number, ...]], depth: int) -> Number:
    value = _value(node, names, depth + 1)
    if isinstance(value, tuple):
        raise _UnforeseenError
    return value


def _operation(node: ast.expr, number: Callable[[ast.expr], Number]) -> Number:
    if isinstance(node, ast.UnaryOp) and type(node.op) in _UNARY:
        return _UNARY[type(node.op)](number(node.operand))
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        return _BINARY[type(node.op)](number(node.left), number(node.right))
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _COMPARED:
        return _COMPARED[type(node.ops[0])](number(node.left), number(node.comparators[0]))
    raise _UnforeseenError


def _called(node: ast.Call, names: Mapping[str, Number | tuple[Number, ...]], depth: int) -> Number:
    if not isinstance(node.func, ast.Name) or node.func.id not in _FUNCTIONS or node.keywords:
        raise _UnforeseenError
    given = [_value(each, names, depth + 1) for each in node.args]
    flat: list[Number] = []
    for each in given:
        flat.extend(each if isinstance(each, tuple) else (each,))
    return _FUNCTIONS[node.func.id](flat)


def _bounded(number: Number | tuple[Number, ...]) -> Number:
    if isinstance(number, tuple) or number != number or abs(number) > _MAX_NUMBER:  # noqa: PLR0124 -- NaN
        raise _UnforeseenError
    return number


def _power(base: Number, exponent: Number) -> Number:
    if abs(exponent) > _MAX_EXPONENT:
        raise _UnforeseenError
    result = cast("object", base**exponent)
    if not isinstance(result, int | float):
        raise _UnforeseenError
    return result


def _one(function: Callable[[Number], Number]) -> Callable[[list[Number]], Number]:
    def on(given: list[Number]) -> Number:
        (only,) = given
        return function(only)

    return on


def _round(given: list[Number]) -> Number:
    if len(given) == 1:
        return round(given[0])
    number, digits = given
    if abs(digits) > _MAX_EXPONENT:
        raise _UnforeseenError
    return round(number, int(digits))


def _sum(given: Iterable[Number]) -> Number:
    return sum(given)


_UNARY: dict[type[ast.unaryop], Callable[[Number], Number]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Not: operator.not_,
}
_BINARY: dict[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda left, right: left / right,
    ast.FloorDiv: lambda left, right: left // right,
    ast.Mod: operator.mod,
    ast.Pow: _power,
}
_COMPARED: dict[type[ast.cmpop], Callable[[Number, Number], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_FUNCTIONS: dict[str, Callable[[list[Number]], Number]] = {
    "min": min,
    "max": max,
    "sum": _sum,
    "abs": _one(abs),
    "int": _one(int),
    "float": _one(float),
    "ceil": _one(math.ceil),
    "floor": _one(math.floor),
    "sqrt": _one(math.sqrt),
    "round": _round,
    "pow": lambda given: _power(*given),
}
