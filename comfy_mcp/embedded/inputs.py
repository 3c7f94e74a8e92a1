"""What an input says of itself, and whether a value fits it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comfy_mcp.embedded.refusals import error, input_config
from comfy_mcp.embedded.values import as_object

if TYPE_CHECKING:
    from collections.abc import Callable

    from comfy_mcp.embedded.nodes.base import Folders, Input

__all__ = ["checked_value"]

CONVERT: dict[str, Callable[[Any], Any]] = {
    "INT": int,
    "FLOAT": float,
    "STRING": str,
    "BOOLEAN": bool,
}
SHORT_LIST = 20


def checked_value(
    spec: Input, inputs: dict[str, Any], folders: Folders, *, unchecked: bool
) -> dict[str, Any] | None:
    """What is wrong with the literal value of an input, None if nothing; converts it in place."""
    value: Any = inputs[spec.name]
    wrapped = as_object(value)
    if wrapped is not None and "__value__" in wrapped:
        value = inputs[spec.name] = wrapped["__value__"]
    if spec.kind in CONVERT:
        try:
            value = inputs[spec.name] = CONVERT[spec.kind](value)
        except (ValueError, TypeError, OverflowError) as exception:
            return _unconverted(spec, folders, value, exception)
    if unchecked:
        return None
    return _out_of_range(spec, folders, value) or _not_offered(spec, folders, value)


def _unconverted(
    spec: Input, folders: Folders, value: object, exception: Exception
) -> dict[str, Any]:
    return error(
        "invalid_input_type",
        f"Failed to convert an input value to a {spec.kind} value",
        f"{spec.name}, {value}, {exception}",
        input_name=spec.name,
        input_config=input_config(spec, folders),
        received_value=value,
        exception_message=str(exception),
    )


def _out_of_range(spec: Input, folders: Folders, value: Any) -> dict[str, Any] | None:
    least, most = spec.config.get("min"), spec.config.get("max")
    if least is not None and value < least:
        kind, told = "value_smaller_than_min", f"Value {value} smaller than min of {least}"
    elif most is not None and value > most:
        kind, told = "value_bigger_than_max", f"Value {value} bigger than max of {most}"
    else:
        return None
    return error(
        kind,
        told,
        spec.name,
        input_name=spec.name,
        input_config=input_config(spec, folders),
        received_value=value,
    )


def _not_offered(spec: Input, folders: Folders, value: object) -> dict[str, Any] | None:
    if spec.kind != "COMBO":
        return None
    offered = spec.choices(folders)
    if value in offered:
        return None
    short = len(offered) <= SHORT_LIST
    told = str(offered) if short else f"(list of length {len(offered)})"
    return error(
        "value_not_in_list",
        "Value not in list",
        f"{spec.name}: {value!r} not in {told}",
        input_name=spec.name,
        input_config=input_config(spec, folders) if short else None,
        received_value=value,
    )
