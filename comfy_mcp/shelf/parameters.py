"""Parameters of a manifest as JSON Schema, with what a ComfyUI says now. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard

from comfy_mcp.workflow import MAX_SEED, Graph, Manifest, Parameter

if TYPE_CHECKING:
    from comfy_mcp.workflow.schema import InputSpec, Schemas

__all__ = ["AMPLE", "Measure", "fitting", "folder_of", "json_schema"]

_TYPES = {
    "string": "string",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "choice": "string",
    "image": "string",
}


@dataclass(frozen=True, slots=True)
class Measure:
    """How much is said: *choices* of a list, characters of *words*, and of a *default* text."""

    choices: int
    words: int
    default: int


AMPLE = Measure(choices=30, words=400, default=600)
_COMMENT = 60
_ENDS = frozenset(".!?:;\u2026\u3002")
_SCANT = (AMPLE, Measure(12, 160, 200), Measure(4, 80, 60), Measure(0, 30, 20))


def fitting(
    manifest: Manifest, graph: Graph | None, schemas: Schemas | None, most: int
) -> dict[str, Any]:
    """The JSON Schema of *manifest* in as many words as fit into *most* characters of JSON.

    A hundred parameters with long names may still take more: then those at the end are left out.
    """
    for measure in _SCANT:
        told = json_schema(manifest, graph, schemas, measure)
        if _size(told) <= most:
            return told
    # What has to be given is told first.
    parameters = tuple(sorted(manifest.parameters, key=lambda one: not one.required))
    while parameters:
        parameters = parameters[:-1]
        part = manifest.model_copy(update={"parameters": parameters})
        told = json_schema(part, graph, schemas, _SCANT[-1])
        if _size(told) <= most - _COMMENT:
            rest = len(manifest.parameters) - len(parameters)
            return {**told, "$comment": f"{rest} more parameters are not shown"}
    raise AssertionError("an empty schema that does not fit")


def _size(told: dict[str, Any]) -> int:
    return len(json.dumps(told, ensure_ascii=False))


def json_schema(
    manifest: Manifest,
    graph: Graph | None,
    schemas: Schemas | None,
    measure: Measure = AMPLE,
) -> dict[str, Any]:
    """What ``params`` of a run take, as JSON Schema; without *schemas* as the manifest has it."""
    properties = {
        one.name: _property(one, list(_specs(one, graph, schemas)), measure)
        for one in manifest.parameters
    }
    required = [one.name for one in manifest.parameters if one.required]
    told: dict[str, Any] = {"type": "object", "properties": properties}
    return {**told, **({"required": required} if required else {}), "additionalProperties": False}


def folder_of(class_type: str, name: str) -> str | None:
    """The folder of models from which an input chooses, if it is known to be one."""
    # start-up stays light: these tables are large
    from comfy_mcp.workflow.nodes import is_own  # noqa: PLC0415 - as above
    from comfy_mcp.workflow.nodes.models import MODELS, folder_named  # noqa: PLC0415 - as above

    if is_own(class_type):
        return MODELS.get(class_type, {}).get(name)
    return folder_named(name)


def _property(
    parameter: Parameter, specs: list[tuple[str, InputSpec]], measure: Measure
) -> dict[str, Any]:
    words = _cut(parameter.description, measure.words)
    if parameter.type == "seed":
        whole = {"type": "integer", "minimum": 0, "maximum": MAX_SEED}
        seed = {"anyOf": [whole, {"const": "random"}], "description": words}
        return seed | _default(parameter, measure)
    told: dict[str, Any] = {"type": _TYPES[parameter.type], "description": words}
    told |= _default(parameter, measure)
    if parameter.type in {"integer", "number"}:
        return told | _range(parameter, [spec for _, spec in specs])
    if parameter.max_length is not None:
        told["maxLength"] = parameter.max_length
    if parameter.type in {"string", "choice"}:
        told |= _choices(parameter, specs, words, measure)
    if parameter.type == "image":
        told["description"] = f"{_sentence(words)}upload_input puts one there."
    return told


def _default(parameter: Parameter, measure: Measure) -> dict[str, Any]:
    value = parameter.default
    if parameter.required or value is None:
        return {}
    if isinstance(value, str) and len(value) > measure.default:
        # A part of it would be another default.
        return {"$comment": f"default: {_cut(value, measure.default)}"}
    return {"default": value}


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: max(0, most - 3)]}..."


def _sentence(words: str) -> str:
    """*words* with an end, so that another sentence can stand behind them."""
    ended = words.rstrip()
    return f"{ended}{'' if ended[-1:] in _ENDS else '.'} " if ended else ""


def _range(parameter: Parameter, specs: list[InputSpec]) -> dict[str, Any]:
    """The narrowest of what the manifest and the nodes allow."""
    lows: list[object] = [parameter.min, *(spec.options.get("min") for spec in specs)]
    highs: list[object] = [parameter.max, *(spec.options.get("max") for spec in specs)]
    low = max((each for each in lows if _is_number(each)), default=None)
    high = min((each for each in highs if _is_number(each)), default=None)
    pairs = {"minimum": low, "maximum": high}
    return {name: value for name, value in pairs.items() if value is not None}


def _choices(
    parameter: Parameter, specs: list[tuple[str, InputSpec]], words: str, measure: Measure
) -> dict[str, Any]:
    """What can be chosen: all of it if it is short, else some of it and how to find more."""
    known: list[str] | None = list(parameter.choices) or None
    for _, spec in specs:
        if spec.choices is not None:
            own = [each for each in spec.choices if isinstance(each, str)]
            known = own if known is None else [each for each in known if each in own]
    if known is None:
        return {}
    if not known:
        return {"description": f"{_sentence(words)}This ComfyUI has none."}
    if len(known) <= measure.choices:
        return {"enum": known}
    folder = next((folder for folder, _ in specs if folder), "")
    hint = f"list_models(folder={folder!r}) finds them" if folder else "describe_node lists them"
    examples = {"examples": known[: measure.choices]} if measure.choices else {}
    return {"description": f"{_sentence(words)}One of {len(known)}; {hint}.", **examples}


def _specs(
    parameter: Parameter, graph: Graph | None, schemas: Schemas | None
) -> Iterator[tuple[str, InputSpec]]:
    """What the host says of each input that it fills, and the folder of models it names, or ""."""
    if graph is None or schemas is None:
        return
    for target in parameter.fills:
        node = graph.nodes.get(target.node)
        schema = schemas.get(node.class_type) if node else None
        if node is None or schema is None:
            continue
        for spec in schema.active(node.inputs):
            if spec.name == target.input:
                yield folder_of(node.class_type, spec.name) or "", spec


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
