"""A node as a graph has it, with all that is required: what is put into a workflow first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from comfy_mcp.knowledge.kinds import kind_of
from comfy_mcp.knowledge.spelling import kind_in_words, name_as_it_is, number_or_none
from comfy_mcp.quoting import bounded, quote
from comfy_mcp.workflow.schema import AUTOGROW, DYNAMIC_COMBO, InputSpec, NodeSchema

__all__ = ["example"]

LONGEST = 2_000
"""Characters of a default."""


def example(schema: NodeSchema) -> dict[str, Any]:
    """``{"class_type", "inputs"}`` with defaults; ``["<TYPE>", 0]`` is a link to be made."""
    inputs: dict[str, Any] = {}
    _fill(schema.inputs, inputs)
    return {"class_type": name_as_it_is(schema.class_type), "inputs": inputs}


def _fill(specs: Iterable[InputSpec], inputs: dict[str, Any]) -> None:
    """Put what is required of *specs* into *inputs*."""
    for spec in specs:
        if spec.kind == AUTOGROW:
            needed = [each for each in spec.grown if each.required]
            _fill(needed or spec.grown[:1], inputs)
        elif spec.kind == DYNAMIC_COMBO:
            choice = _chosen(spec)
            if choice is not None:
                inputs[name_as_it_is(spec.name)] = name_as_it_is(choice)
                _fill(spec.branches[choice], inputs)
        elif spec.required:
            inputs[name_as_it_is(spec.name)] = _value(spec)


def _chosen(spec: InputSpec) -> str | None:
    default = spec.options.get("default")
    if isinstance(default, str) and default in spec.branches:
        return default
    return next((key for key in spec.branches if not key.startswith("\0")), None)


def _value(spec: InputSpec) -> Any:
    """The default, or what stands for one: the first choice, the least number, a link."""
    default = spec.options.get("default")
    if default is not None and (spec.choices is None or default in spec.choices):
        return (
            quote(default, LONGEST, exact=True).text
            if isinstance(default, str)
            else bounded(default)
        )
    if not spec.holds_value:
        return [f"<{kind_in_words(kind_of(spec))}>", 0]
    if spec.choices is not None:
        first = next(iter(spec.choices), "<none there>")
        return name_as_it_is(first) if isinstance(first, str) else bounded(first)
    least = number_or_none(spec.options.get("min"))
    return {"STRING": "", "BOOLEAN": False}.get(spec.kind, max(0, least or 0))
