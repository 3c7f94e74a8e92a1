"""What ``GET /object_info/{class}`` says of a node class, as far as a guard wants to know it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from comfy_mcp.workflow import ClassInfo
from comfy_mcp.workflow.schema import InputSpec, read_inputs

__all__ = ["UNCLEAR", "Described", "Node", "Nodes", "class_info", "described"]

UNCLEAR = "?"
"""A model folder that nobody can tell: no folder's list fits, or more than one does."""

_MODEL_SUFFIXES = (
    *(".safetensors", ".sft", ".ckpt", ".pt", ".pt2", ".pth", ".bin", ".pkl", ".gguf", ".onnx"),
    *(".engine", ".h5", ".msgpack", ".torchscript"),
)
_NO_MODEL = frozenset({"", "none", "[none]", "disabled", "default", "auto", "baked vae"})
_PLAIN = (str, int, float, bool)


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
    found, whole = read_inputs(node.input)
    if not whole:
        return None
    inputs: dict[str, _Input] = {}
    for spec in (each for one in found for each in one.every()):
        told = _Input(_files(spec), spec.options)
        inputs[spec.name] = inputs[spec.name].merged(told) if spec.name in inputs else told
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


def _files(spec: InputSpec) -> frozenset[str]:
    """The choices of a combo that are texts; empty for anything else."""
    choices = spec.choices if spec.kind == "COMBO" else None
    return frozenset(each for each in choices or () if isinstance(each, str))
