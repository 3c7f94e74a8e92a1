"""The inputs of one node that is edited: found by name, given values, filled up with defaults."""

from __future__ import annotations

import re
from typing import Any, cast

from comfy_mcp.workflow.checking_own import own_checks
from comfy_mcp.workflow.checking_values import value_faults
from comfy_mcp.workflow.flaws import listed, nearest, shown
from comfy_mcp.workflow.inputs import UPLOADS, takes
from comfy_mcp.workflow.schema import AUTOGROW, InputSpec, NodeSchema

__all__ = ["Wrong", "filled_up", "found", "link_in", "pruned", "put"]

_ROUNDS = 5
_FILE = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,11}")
"""How the name of a file ends, which nobody chooses blindly."""


class Wrong(Exception):
    """A step cannot be done: a clause and a fix, and the node and the input they are about."""

    def __init__(self, words: str, node: str = "", name: str = "") -> None:
        super().__init__(words)
        self.node = node
        self.input = name

    @property
    def where(self) -> str:
        """``, node 3, input steps``, as far as there are such."""
        node = f", node {shown(self.node)}" if self.node else ""
        return f"{node}, input {shown(self.input)}" if self.input else node


def link_in(value: object) -> tuple[str, int | str] | None:
    """*value* as node and output, if it is a link; an id may be a number, an output a name."""
    if not isinstance(value, list):
        return None
    items = cast("list[object]", value)
    if len(items) != 2 or any(isinstance(one, bool) for one in items):  # noqa: PLR2004 - a pair
        return None
    node, output = items
    if isinstance(node, str | int) and isinstance(output, str | int):
        return str(node), output
    return None


def found(
    node_id: str, schema: NodeSchema, inputs: dict[str, Any], name: str, *, free: bool = False
) -> InputSpec | None:
    """The input *name* of a node that holds *inputs*; None if its class takes any name.

    *free*: the name of a growing input stands for the first of its inputs that is not linked.

    Raises:
        Wrong: it has none of that name, or only with another choice.
    """
    specs = {spec.name: spec for spec in schema.active(inputs)}
    spec = specs.get(name)
    if spec is not None and spec.kind == AUTOGROW:
        inner = [one for one in spec.grown if one.name not in inputs]
        if free and inner:
            return inner[0]
        names = listed([one.name for one in spec.grown])
        raise Wrong(f"it grows: give {names}.", node_id, name)
    if spec is not None:
        return spec
    if own_checks(schema.class_type).takes_all:
        return None
    if any(one.name == name for one in schema.every()):
        switch = name.rpartition(".")[0]
        raise Wrong(f"it is there only with another choice of {shown(switch)}.", node_id, name)
    close = nearest(name, tuple(specs))
    hint = f"Did you mean {shown(close)}? " if close else ""
    raise Wrong(f"there is no such input. {hint}It has: {listed(tuple(specs))}.", node_id, name)


def put(node_id: str, schema: NodeSchema, inputs: dict[str, Any], name: str, value: Any) -> None:
    """Give the input *name* a value.

    Raises:
        Wrong: there is no such input, or it does not take the value.
    """
    spec = found(node_id, schema, inputs, name)
    if spec is not None:
        if isinstance(value, list):
            raise Wrong(
                'a list has to be a link, ["<node id>", <slot>], or {"__value__": [...]}.',
                node_id,
                name,
            )
        if not spec.holds_value and spec.options.get("forceInput"):
            raise Wrong(f"it takes {takes(spec)}, no value.", node_id, name)
        unchecked = own_checks(schema.class_type).passes(name)
        for fault in value_faults(value, spec, unchecked=unchecked):
            if fault.severity == "error":
                raise Wrong(f"{fault.what} {fault.fix}", node_id, name)
        if spec.branches and value not in spec.branches:
            raise Wrong(
                f"{shown(repr(value))} is no choice. It takes {takes(spec)}.", node_id, name
            )
    inputs[name] = value
    if spec is not None and spec.branches:
        pruned(schema, inputs)
        filled_up(schema, inputs)


def pruned(schema: NodeSchema, inputs: dict[str, Any]) -> None:
    """Take out what belongs to a choice that is made no more."""
    active = {spec.name for spec in schema.active(inputs)}
    for spec in schema.every():
        if spec.name not in active:
            inputs.pop(spec.name, None)


def filled_up(schema: NodeSchema, inputs: dict[str, Any]) -> None:
    """Give each required input that holds a value and has none its default, as the editor does."""
    for _ in range(_ROUNDS):
        lacking = [
            (spec.name, value)
            for spec in schema.active(inputs)
            if spec.required and spec.name not in inputs and spec.holds_value
            if (value := _default(spec)) is not None
        ]
        if not lacking:
            return
        inputs.update(lacking)


def _default(spec: InputSpec) -> Any:
    """What stands in a fresh node; None where somebody has to choose: a file, a text."""
    told = spec.options.get("default")
    if spec.choices is not None:
        if any(spec.options.get(each) for each in UPLOADS):
            return None
        if told in spec.choices:
            return told
        first = next(iter(spec.choices), None)
        is_file = isinstance(first, str) and _FILE.search(first[-13:]) is not None
        return None if is_file and len(spec.choices) > 1 else first
    if told is None and spec.kind == "BOOLEAN":
        return False
    return told
