"""Classes of ComfyUI that look at their inputs themselves (``VALIDATE_INPUTS``).

What such a class takes for its own check, ComfyUI looks at no more: neither range nor choices.
``/object_info`` does not tell of it, so that ComfyUI's own classes are listed here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from comfy_mcp.workflow.checking_values import Fault
from comfy_mcp.workflow.flaws import nearest, shown
from comfy_mcp.workflow.graph import Graph, Node, as_link
from comfy_mcp.workflow.schema import InputSpec, Schemas

__all__ = ["Own", "own_checks", "unsure_files"]


@dataclass(frozen=True, slots=True)
class Own:
    """What a class looks at itself.

    *names* are its inputs, *every* says that it is all of them. *file* is the one that names a file
    that has to be there, *empty* the values of it that mean none. *ratio* is one such as "16:9",
    between 1:4 and 4:1. *linked* is one that has to be a link; then the types of all other links
    are the class's own matter. *takes_all*: it takes inputs of any name.
    """

    names: frozenset[str] = frozenset()
    every: bool = False
    file: str = ""
    empty: frozenset[str] = frozenset()
    ratio: str = ""
    linked: str = ""
    takes_all: bool = False

    def passes(self, name: str) -> bool:
        """Whether ComfyUI does not look at range and choices of *name*."""
        return self.every or name in self.names

    def any_link(self, name: str) -> bool:
        """Whether ComfyUI does not look at the type of a link to *name*."""
        return bool(self.linked) and name != self.linked

    def faults(
        self, node: Node, asked: Mapping[str, InputSpec], files: Mapping[str, bool]
    ) -> Iterator[Fault]:
        """What the class itself would say; *files* are known to be there, or not."""
        if self.file in asked and self.file in node.inputs:
            fault = self._file_fault(node.inputs[self.file], asked[self.file], files)
            if fault is not None:
                yield fault
        if self.ratio in asked and not _is_ratio(node.inputs.get(self.ratio)):
            yield Fault(
                f"{shown(self.ratio)} is no ratio between 1:4 and 4:1.",
                'Write two whole numbers, such as "16:9"; a link is not taken here.',
                code="exception_during_validation",
                input=self.ratio,
            )
        if self.linked in node.inputs and as_link(node.inputs[self.linked]) is None:
            yield Fault(
                f"{shown(self.linked)} takes a link only.",
                'Write ["<node id>", <slot>].',
                code="exception_during_validation",
                input=self.linked,
            )

    def _file_fault(
        self, value: object, spec: InputSpec, files: Mapping[str, bool]
    ) -> Fault | None:
        name = spec.name
        if self.empty and (not value or as_link(value) is not None):
            return None
        if not isinstance(value, str):
            return Fault(
                f"{shown(name)} names a file, and is none.",
                "Write the file's name: a link is not taken here.",
                code="exception_during_validation",
                input=name,
            )
        choices = [each for each in spec.choices or () if isinstance(each, str)]
        if value in self.empty or files.get(value, value in choices):
            return None
        close = nearest(value, choices)
        hint = f"Did you mean {shown(close)}? " if close else ""
        return Fault(
            f"{shown(name)}: ComfyUI has no file {shown(value)}.",
            f"{hint}Upload it first, or name another.",
            code="custom_validation_failed",
            input=name,
        )


def _is_ratio(value: object) -> bool:
    try:
        wide, high = (int(part.strip()) for part in str(value).split(":"))
    except ValueError:
        return False
    return wide > 0 and high > 0 and 1 / 4 <= wide / high <= 4  # noqa: PLR2004 - the class's bounds


def _file(name: str, *, every: bool = False, empty: tuple[str, ...] = ()) -> Own:
    return Own(names=frozenset({name}), every=every, file=name, empty=frozenset(empty))


_NOTHING = Own()
_OWN: dict[str, Own] = {
    "LoadImage": _file("image"),
    "LoadImageMask": _file("image"),
    "LoadImageOutput": _file("image"),
    "WebcamCapture": _file("image"),
    "LoadLatent": _file("latent"),
    "LoadAudio": _file("audio"),
    "LoadVideo": _file("file"),
    "Load3D": _file("model_file", every=True, empty=("", "none")),
    "Load3DAdvanced": _file("model_file", every=True, empty=("", "none")),
    "CustomCombo": Own(every=True, takes_all=True),
    "SelectModelDevice": Own(names=frozenset({"device"})),
    "SelectCLIPDevice": Own(names=frozenset({"device"})),
    "SelectVAEDevice": Own(names=frozenset({"device"})),
    "ModelAttentionBackend": Own(names=frozenset({"attention"})),
    "FluxProUltraImageNode": Own(names=frozenset({"aspect_ratio"}), ratio="aspect_ratio"),
    "TripoConversionNode": Own(linked="original_model_task_id"),
}


def own_checks(class_type: str) -> Own:
    """What *class_type* looks at itself, as far as is known."""
    return _OWN.get(class_type, _NOTHING)


def unsure_files(graph: Graph, schemas: Schemas) -> frozenset[str]:
    """Names of files that nodes load and that are no choices: whether they are there is unknown."""
    return frozenset(
        value
        for node in graph.nodes.values()
        if (own := own_checks(node.class_type)).file
        and isinstance(value := node.inputs.get(own.file), str)
        and value not in own.empty
        and not any(
            value in (spec.choices or ())
            for spec in (schemas[node.class_type].inputs if node.class_type in schemas else ())
            if spec.name == own.file
        )
    )
