"""From inputs of nodes to parameters of a manifest: order, types, ranges, choices."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from comfy_mcp.workflow.accept import Kind
from comfy_mcp.workflow.fill import MAX_DRAWN_SEED
from comfy_mcp.workflow.flaws import listed, shown
from comfy_mcp.workflow.graph import Graph, Node
from comfy_mcp.workflow.manifest import Parameter, Target
from comfy_mcp.workflow.schema import InputSpec, Schemas

__all__ = ["UPLOADS", "Slot", "ordered", "parameter", "spec_of", "takes"]

_KINDS: dict[str, Kind] = {
    "INT": "integer",
    "FLOAT": "number",
    "BOOLEAN": "boolean",
    "STRING": "string",
}
UPLOADS = ("image_upload", "audio_upload", "video_upload", "file_upload")
_NUMBER = re.compile(r"[0-9]{1,18}")
_LONGEST = 200
_MOST_CHOICES = 1000


@dataclass(frozen=True, slots=True)
class Slot:
    """The input *input* of *node*, and what the host says of it."""

    node: Node
    input: str
    spec: InputSpec | None = None


def ordered(graph: Graph) -> list[Node]:
    """The nodes by their ids, as numbers where they are some: ``2``, ``10``, ``10:3``, ``a``."""
    return sorted(graph.nodes.values(), key=_place)


def _place(node: Node) -> tuple[tuple[int, int, str], ...]:
    parts = node.id.split(":")
    return tuple((0, int(p), p) if _NUMBER.fullmatch(p) else (1, 0, p) for p in parts)


def spec_of(node: Node, name: str, schemas: Schemas | None) -> InputSpec | None:
    """What the host says of the input *name*, with what *node* holds; None if nothing."""
    schema = None if schemas is None else schemas.get(node.class_type)
    if schema is None:
        return None
    return next((spec for spec in schema.active(node.inputs) if spec.name == name), None)


def takes(spec: InputSpec) -> str:
    """What *spec* takes, in a few words: ``INT 1 to 9``, ``one of: a, b``, ``a link to X``."""
    if spec.choices is not None:
        return f"one of: {listed([str(each) for each in spec.choices])}"
    if not spec.holds_value:
        return f"a link to {shown(spec.kind)}"
    low, high = spec.options.get("min"), spec.options.get("max")
    bounds = f" {low} to {high}" if low is not None and high is not None else ""
    return f"{spec.kind}{bounds}"


def parameter(
    name: str,
    slots: Sequence[Slot],
    *,
    kind: Kind | None,
    description: str,
    default: object = None,
) -> Parameter:
    """A parameter that fills *slots*; *kind* None: what the host says of them, else a text.

    A *default* that the parameter does not take is left out, so that it has to be given.
    """
    shape = _shape(slots, kind)
    fields: dict[str, Any] = {
        "name": name,
        "description": description[:1000],
        "fills": tuple(Target(node=each.node.id, input=each.input) for each in slots),
        **shape,
    }
    if shape["type"] == "seed":
        return Parameter(**fields, default=None)
    if default is not None:
        try:
            return Parameter(**fields, default=_as_kind(default, shape["type"]))
        except ValidationError:
            pass
    return Parameter(**fields)


def _as_kind(value: object, kind: Kind) -> Any:
    """*value* as ComfyUI would read it: a whole number is written without a point."""
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _shape(slots: Sequence[Slot], kind: Kind | None) -> dict[str, Any]:
    """Type, range and choices of a parameter."""
    specs = [each.spec for each in slots if each.spec is not None]
    told = _told(specs) if len(specs) == len(slots) else None
    kind = kind or told or "string"
    if kind == "seed":
        low, high = _range(specs, whole=True)
        small = high is not None and high < MAX_DRAWN_SEED
        return {"type": "integer", **_bounds(low, high)} if small else {"type": "seed"}
    if kind in {"integer", "number"}:
        return {"type": kind, **_bounds(*_range(specs, whole=kind == "integer"))}
    choices = _choices(specs) if kind in {"string", "choice"} and told == "choice" else ()
    if choices:
        return {"type": "choice", "choices": choices}
    return {"type": "string" if kind == "choice" else kind}


def _told(specs: Sequence[InputSpec]) -> Kind | None:
    kinds: set[Kind | None] = {_kind(spec) for spec in specs}
    return kinds.pop() if len(kinds) == 1 else None


def _kind(spec: InputSpec) -> Kind | None:
    if any(spec.options.get(each) for each in UPLOADS):
        return "image"
    if spec.choices:
        # A boolean is an int to Python, and no number to ComfyUI.
        if all(type(each) is int for each in spec.choices):
            return "integer"
        if all(type(each) in {int, float} for each in spec.choices):
            return "number"
    return "choice" if spec.choices is not None else _KINDS.get(spec.kind)


def _choices(specs: Sequence[InputSpec]) -> tuple[str, ...]:
    """What all of *specs* have in common; nothing if one cannot be told as a list of texts."""
    common: dict[str, None] | None = None
    for spec in specs:
        told = spec.choices or ()
        if not all(isinstance(each, str) and 0 < len(each) <= _LONGEST for each in told):
            return ()
        common = dict.fromkeys(each for each in told if common is None or each in common)
    found = tuple(common or ())
    return found if len(found) <= _MOST_CHOICES else ()


def _range(specs: Sequence[InputSpec], *, whole: bool) -> tuple[Any, Any]:
    lows = [_number(spec.options, "min", whole=whole) for spec in specs]
    highs = [_number(spec.options, "max", whole=whole) for spec in specs]
    low = max((each for each in lows if each is not None), default=None)
    high = min((each for each in highs if each is not None), default=None)
    return (None, None) if low is not None and high is not None and low > high else (low, high)


def _number(options: Mapping[str, Any], key: str, *, whole: bool) -> float | None:
    value = options.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if whole and isinstance(value, float):
        return int(value) if value.is_integer() else None
    return value if abs(value) <= MAX_SAFE else None


MAX_SAFE = 2**64 - 1


def _bounds(low: float | None, high: float | None) -> dict[str, Any]:
    pairs = {"min": low, "max": high}
    return {name: value for name, value in pairs.items() if value is not None}
