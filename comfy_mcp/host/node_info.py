"""What ``GET /object_info/{class}`` says of a node class, as far as a guard wants to know it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeGuard

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from comfy_mcp.workflow import ClassInfo

__all__ = ["UNCLEAR", "Described", "Node", "Nodes", "class_info", "described"]

UNCLEAR = "?"
"""A model folder that nobody can tell: no folder's list fits, or more than one does."""

_MODEL_SUFFIXES = (
    *(".safetensors", ".sft", ".ckpt", ".pt", ".pt2", ".pth", ".bin", ".pkl", ".gguf", ".onnx"),
    *(".engine", ".h5", ".msgpack", ".torchscript"),
)
_NO_MODEL = frozenset({"", "none", "[none]", "disabled", "default", "auto", "baked vae"})
_PLAIN = (str, int, float, bool)
_DEEPEST = 4
_MOST_INPUTS = 10_000
"""Inputs that grow multiply with each other: a class that has more of them is not described."""


class Node(BaseModel):
    """One class; *input* has groups of ``name: [type, options]``."""

    model_config = ConfigDict(extra="ignore")

    input: dict[str, Any] = Field(default_factory=dict[str, Any])
    output_node: bool | None = False
    api_node: bool | None = False
    python_module: str | None = ""


Nodes = TypeAdapter(dict[str, Node])


@dataclass(frozen=True, slots=True)
class Described:
    """A class without its model folders; *files* has what may be chosen of model files."""

    api_node: bool
    output_node: bool
    defaults: Mapping[str, object]
    files: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])


def described(node: Node) -> Described | None:
    """What can be said without knowing the model folders; None if there is no end to it."""
    found = list(islice(_inputs(node.input, "", _DEEPEST), _MOST_INPUTS))
    if len(found) == _MOST_INPUTS:
        return None
    inputs: dict[str, _Input] = {}
    for name, spec in found:
        inputs[name] = inputs[name].merged(spec) if name in inputs else spec
    module = node.python_module or ""
    return Described(
        api_node=bool(node.api_node) or module.split(".")[0] == "comfy_api_nodes",
        output_node=bool(node.output_node),
        defaults={
            name: spec.more["default"]
            for name, spec in inputs.items()
            if isinstance(spec.more.get("default"), _PLAIN)
        },
        files={
            name: spec.options
            for name, spec in inputs.items()
            if any(_is_model(each) for each in spec.options)
        },
    )


def class_info(known: Described, lists: Mapping[str, frozenset[str]]) -> ClassInfo:
    """*known* with the folder of each input that names model files; *lists* has their files."""
    return ClassInfo(
        api_node=known.api_node,
        output_node=known.output_node,
        folders={name: _folder(options, lists) for name, options in known.files.items()},
        defaults=known.defaults,
    )


def _folder(options: frozenset[str], lists: Mapping[str, frozenset[str]]) -> str:
    """The one folder whose files may be chosen; beside them there may be ways to say none."""
    models = frozenset(each for each in options if each.lower() not in _NO_MODEL)
    fits = [name for name, files in lists.items() if files and files in {options, models}]
    return fits[0] if len(fits) == 1 else UNCLEAR


def _is_model(option: str) -> bool:
    return option.lower().endswith(_MODEL_SUFFIXES)


@dataclass(frozen=True, slots=True)
class _Input:
    """What may be chosen, and what else is said of an input."""

    options: frozenset[str]
    more: Mapping[str, Any]

    def merged(self, other: _Input) -> _Input:
        """What holds whichever of the two a graph means by the same name."""
        agreed = {name: told for name, told in self.more.items() if other.more.get(name) == told}
        return _Input(self.options | other.options, agreed)


def _inputs(groups: object, before: str, deepest: int) -> Iterator[tuple[str, _Input]]:
    """Every input by the name that a graph gives it; those of dynamic inputs, too."""
    for group in ("required", "optional"):
        for name, told in _object(_object(groups).get(group)).items():
            spec = _list(told)
            if not spec:
                continue
            more = _object(spec[1]) if len(spec) > 1 else {}
            yield before + name, _Input(_options(spec[0], more), more)
            if deepest:
                yield from _dynamic(spec[0], more, f"{before}{name}.", deepest - 1)


def _dynamic(
    kind: object, more: Mapping[str, Any], before: str, deepest: int
) -> Iterator[tuple[str, _Input]]:
    """Inputs that appear as the one before them is filled, or its choice is made."""
    if kind == "COMFY_DYNAMICCOMBO_V3":
        for option in _list(more.get("options")):
            yield from _inputs(_object(option).get("inputs"), before, deepest)
    if kind == "COMFY_AUTOGROW_V3":
        template = _object(more.get("template"))
        names = _names(template)
        grown = _inputs(template.get("input"), "", deepest) if names else ()
        for _, one in grown:
            for name in names:
                yield before + name, one


def _names(template: Mapping[str, Any]) -> list[str]:
    prefix, most = template.get("prefix"), template.get("max")
    if isinstance(prefix, str) and isinstance(most, int):
        return [f"{prefix}{number}" for number in range(min(most, 100))]
    return [name for name in _list(template.get("names")) if isinstance(name, str)]


def _options(kind: object, more: Mapping[str, Any]) -> frozenset[str]:
    """The choices of a combo in its older or newer form; empty for anything else."""
    choices = _list(more.get("options")) if kind == "COMBO" else _list(kind)
    return frozenset(each for each in choices if isinstance(each, str))


def _object(value: object) -> dict[str, Any]:
    return value if _is_object(value) else {}


def _list(value: object) -> list[Any]:
    return value if _is_list(value) else []


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)
