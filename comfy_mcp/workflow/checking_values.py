"""Whether ComfyUI takes a value that stands in a graph, and what it makes of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeGuard, cast

from comfy_mcp.workflow.checks import kind_of
from comfy_mcp.workflow.flaws import listed, nearest, shown
from comfy_mcp.workflow.inputs import takes
from comfy_mcp.workflow.schema import InputSpec
from comfy_mcp.workflow.values import thawed

__all__ = ["Fault", "value_faults"]

LINKED = frozenset(
    (
        *("MODEL", "CLIP", "VAE", "CONDITIONING", "LATENT", "IMAGE", "MASK", "CONTROL_NET"),
        *("CLIP_VISION", "CLIP_VISION_OUTPUT", "STYLE_MODEL", "UPSCALE_MODEL", "GLIGEN", "NOISE"),
        *("GUIDER", "SAMPLER", "SIGMAS", "AUDIO", "VIDEO", "HOOKS", "MESH", "VOXEL"),
    )
)
"""Types of ComfyUI's own that no value in a graph can be."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one input; as `Problem` has it."""

    what: str
    fix: str
    severity: Literal["error", "warning"] = "error"
    code: str = ""
    refuses: bool = True
    input: str = ""
    near: str | None = None


def value_faults(value: object, spec: InputSpec, *, unchecked: bool = False) -> Iterator[Fault]:
    """What ComfyUI would say of *value* for *spec*, and what it would not.

    *unchecked*: the node's class looks at the value itself, so that ComfyUI does not look whether
    it is in range or a choice.
    """
    given = _unwrapped(value)
    try:
        made = _made(given, "" if spec.listed else spec.kind)
    except (TypeError, ValueError, OverflowError):
        yield Fault(
            f"{_is(spec, given)}, which is no {spec.kind}.",
            f"It takes {takes(spec)}.",
            code="invalid_input_type",
        )
        return
    fault = None if unchecked else _range_fault(made, spec) or _choice_fault(made, spec)
    if fault is not None:
        yield fault
        return
    if spec.kind in LINKED:
        yield Fault(
            f"{_is(spec, given)}, but it takes only a link to a {spec.kind}.",
            'Write ["<node id>", <slot>].',
            refuses=False,
        )
    elif _is_changed(given, made):
        yield Fault(
            f"{_is(spec, given)}, which ComfyUI turns into {shown(repr(made))}.",
            f"Write {takes(spec)}.",
            severity="warning",
            refuses=False,
        )


def _unwrapped(value: object) -> object:
    if isinstance(value, Mapping):
        pairs = cast("Mapping[str, object]", value)
        return thawed(pairs.get("__value__", pairs))
    return value


def _made(value: Any, kind: str) -> object:
    """What ComfyUI makes of *value* before it looks at it."""
    convert = _CONVERT.get(kind)
    return value if convert is None else convert(value)


_CONVERT: dict[str, Callable[[Any], object]] = {
    "INT": int,
    "FLOAT": float,
    "STRING": str,
    "BOOLEAN": bool,
}


def _is_changed(given: object, made: object) -> bool:
    if isinstance(given, bool) != isinstance(made, bool):
        return True
    if isinstance(given, int | float) and isinstance(made, int | float):
        return given != made and not math.isnan(made)
    return type(given) is not type(made)


def _range_fault(made: Any, spec: InputSpec) -> Fault | None:
    options = spec.options
    try:
        if "min" in options and made < options["min"]:
            return _beyond(made, spec, "smaller than the least", options["min"], "smaller_than_min")
        if "max" in options and made > options["max"]:
            return _beyond(made, spec, "bigger than the most", options["max"], "bigger_than_max")
    except TypeError:
        return Fault(
            f"{_is(spec, made)}, which cannot be compared with its range.",
            f"It takes {takes(spec)}.",
            code="exception_during_validation",
        )
    return None


def _beyond(made: object, spec: InputSpec, words: str, bound: object, code: str) -> Fault:
    return Fault(
        f"{_is(spec, made)}, {words} allowed, {bound}.",
        f"It takes {takes(spec)}.",
        code=f"value_{code}",
    )


def _choice_fault(made: Any, spec: InputSpec) -> Fault | None:
    if spec.kind != "COMBO":
        return None
    choices = list(spec.choices or ())
    many = bool(spec.options.get("multiselect")) and not spec.listed
    values = made if many and _is_list(made) else [made]
    wrong = [each for each in values if each not in choices]
    if not wrong:
        return None
    texts = [str(each) for each in choices]
    close = nearest(str(wrong[0]), texts)
    hint = f"Did you mean {shown(repr(choices[texts.index(close)]))}? " if close else ""
    return Fault(
        f"{shown(spec.name)} is {shown(repr(wrong[0]))}, which is not in its list.",
        f"{hint}It takes: {listed(texts)}." if texts else "This ComfyUI has none to choose from.",
        code="value_not_in_list",
        near=close,
    )


def _is(spec: InputSpec, value: object) -> str:
    text = shown(repr(value)) if isinstance(value, str | int | float) else kind_of(value)
    return f"{shown(spec.name)} is {text}"


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)
