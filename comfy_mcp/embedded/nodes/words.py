"""Nodes for plain values and text."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from comfy_mcp.embedded.nodes.base import (
    BOOLEAN,
    FLOAT,
    INT,
    STRING,
    Context,
    Input,
    Node,
    Result,
    flag,
    link,
    number,
    text,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["NODES"]

MOST = 9223372036854775807


def _value(_context: Context, inputs: Mapping[str, Any]) -> Result:
    return Result((inputs["value"],))


def _concatenate(_context: Context, inputs: Mapping[str, Any]) -> Result:
    return Result((inputs["delimiter"].join((inputs["string_a"], inputs["string_b"])),))


def _replace(_context: Context, inputs: Mapping[str, Any]) -> Result:
    flags = re.NOFLAG
    if inputs.get("case_insensitive", True):
        flags |= re.IGNORECASE
    if inputs.get("multiline", False):
        flags |= re.MULTILINE
    if inputs.get("dotall", False):
        flags |= re.DOTALL
    pattern: str = inputs["regex_pattern"]
    new, old = str(inputs["replace"]), str(inputs["string"])
    count = int(inputs.get("count", 0))
    return Result((re.sub(pattern, new, old, count=count, flags=flags),))


def _preview(_context: Context, inputs: Mapping[str, Any]) -> Result:
    shown = _shown(inputs.get("source"))
    return Result((shown,), {"text": [shown]})


def _shown(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)) or value is None:
        return str(value)
    try:
        return json.dumps(value, indent=4, ensure_ascii=False)
    except TypeError:
        return str(value)


def _primitive(name: str, title: str, kind: str, value: Input) -> Node:
    return Node(
        name,
        title,
        "utilities/primitive",
        (value,),
        (kind,),
        _value,
        module="comfy_extras.nodes_primitive",
        modern=True,
    )


NODES = (
    _primitive("PrimitiveString", "Text", STRING, text("value")),
    _primitive(
        "PrimitiveStringMultiline", "Text (Multiline)", STRING, text("value", multiline=True)
    ),
    _primitive(
        "PrimitiveInt",
        "Int",
        INT,
        whole("value", None, -MOST, MOST, control_after_generate="fixed"),
    ),
    _primitive("PrimitiveFloat", "Float", FLOAT, number("value", None, -MOST, MOST, step=0.1)),
    _primitive("PrimitiveBoolean", "Boolean", BOOLEAN, flag("value")),
    Node(
        "StringConcatenate",
        "Concatenate Text",
        "text",
        (
            text("string_a", multiline=True),
            text("string_b", multiline=True),
            text("delimiter", ""),
        ),
        (STRING,),
        _concatenate,
        module="comfy_extras.nodes_string",
        modern=True,
    ),
    Node(
        "RegexReplace",
        "Replace Text (Regex)",
        "text",
        (
            text("string", multiline=True),
            text("regex_pattern", multiline=True),
            text("replace", multiline=True),
            flag("case_insensitive", default=True, required=False),
            flag("multiline", default=False, required=False),
            flag("dotall", default=False, required=False),
            whole("count", 0, 0, 100, required=False),
        ),
        (STRING,),
        _replace,
        description="Finds and replaces text by a regular expression.",
        module="comfy_extras.nodes_string",
        modern=True,
    ),
    Node(
        "PreviewAny",
        "Preview as Text",
        "utilities",
        (link("source", "*"),),
        (STRING,),
        _preview,
        description="Shows any value as text.",
        module="comfy_extras.nodes_preview_any",
        output_node=True,
    ),
)
