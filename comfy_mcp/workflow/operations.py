"""Steps of an edit, read strictly from what an agent sends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from comfy_mcp.errors import WorkflowError
from comfy_mcp.workflow.checks import kind_of
from comfy_mcp.workflow.flaws import listed, nearest, shown

__all__ = ["MOST_OPERATIONS", "SCHEMA", "Operation", "operations_in"]

MOST_OPERATIONS = 200

_FIELDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "add": (("class_type",), ("node", "inputs", "title")),
    "remove": (("node",), ()),
    "connect": (("node", "input", "from"), ("output",)),
    "disconnect": (("node", "input"), ()),
    "set": (("node", "input", "value"), ()),
    "replace": (("node", "class_type"), ("inputs",)),
    "title": (("node", "title"), ()),
}
"""What each takes: fields that it needs, and others."""

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "op": {"enum": list(_FIELDS)},
        "node": {"type": "string"},
        "class_type": {"type": "string"},
        "inputs": {"type": "object"},
        "input": {"type": "string"},
        "from": {"type": "string"},
        "output": {"type": ["integer", "string"]},
        "value": {},
        "title": {"type": "string"},
    },
    "required": ["op"],
}
"""One operation as JSON Schema."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One step; *number* counts from 1. What an *op* does not take is empty.

    *output* is the slot, or the name of an output, of the node *source*; None: the one that fits.
    """

    number: int
    op: str
    node: str = ""
    class_type: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    input: str = ""
    source: str = ""
    output: int | str | None = None
    value: Any = None
    title: str = ""

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"Operation {self.number} ({self.op})"


def operations_in(told: Sequence[object]) -> tuple[Operation, ...]:
    """*told*, each checked by itself.

    Raises:
        WorkflowError: one is none; the message has its number.
    """
    if len(told) > MOST_OPERATIONS:
        raise WorkflowError(
            f"{len(told)} operations are more than the {MOST_OPERATIONS} of one call. Do it in"
            " several."
        )
    return tuple(_operation(number, one) for number, one in enumerate(told, 1))


def _operation(number: int, told: object) -> Operation:
    if not _is_object(told):
        raise WorkflowError(
            f'Operation {number} is {kind_of(told)}, not an object such as {{"op": "add", ...}}.'
        )
    op = told.get("op")
    if not isinstance(op, str) or op not in _FIELDS:
        close = nearest(op, tuple(_FIELDS)) if isinstance(op, str) else None
        hint = f' Did you mean "{close}"?' if close else ""
        raise WorkflowError(f"Operation {number}: op is one of {listed(tuple(_FIELDS))}.{hint}")
    needed, more = _FIELDS[op]
    for name in told:
        if name not in {"op", *needed, *more}:
            close = nearest(str(name), (*needed, *more))
            hint = f' Did you mean "{close}"?' if close else ""
            raise WorkflowError(
                f"Operation {number} ({op}) takes no {shown(str(name))}, but"
                f" {listed((*needed, *more))}.{hint}"
            )
    if lacking := [name for name in needed if name not in told]:
        raise WorkflowError(f"Operation {number} ({op}) needs {listed(lacking)}.")
    texts = {name: _text(number, op, name, told) for name in _TEXTS if name in told}
    return Operation(
        number=number,
        op=op,
        source=texts.pop("from", ""),
        inputs=_inputs(number, op, told.get("inputs", {})),
        output=_output(number, op, told.get("output")),
        value=told.get("value"),
        **texts,
    )


_TEXTS = ("node", "from", "class_type", "input", "title")
_IDS = frozenset({"node", "from"})


def _text(number: int, op: str, name: str, told: Mapping[str, Any]) -> str:
    value = told[name]
    if name in _IDS and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and (value or name == "title"):
        return value
    wanted = "a node's id, a string" if name in _IDS else "a string"
    got = "empty" if value == "" else kind_of(value)
    raise WorkflowError(f"Operation {number} ({op}): {name} has to be {wanted}, and is {got}.")


def _inputs(number: int, op: str, value: object) -> dict[str, Any]:
    if _is_object(value):
        return value
    raise WorkflowError(
        f"Operation {number} ({op}): inputs has to be an object of names and values, and is"
        f" {kind_of(value)}."
    )


def _output(number: int, op: str, value: object) -> int | str | None:
    if value is None or (isinstance(value, int | str) and not isinstance(value, bool)):
        return value
    raise WorkflowError(
        f"Operation {number} ({op}): output has to be a slot, counted from 0, or an output's name,"
        f" and is {kind_of(value)}."
    )


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)
