"""What a library workflow says of itself: title, description, and the parameters it takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from comfy_mcp.workflow.accept import Kind, Limits, problem_with
from comfy_mcp.workflow.digest import canonical
from comfy_mcp.workflow.flaws import Flaw, listed, refuse, shown, told
from comfy_mcp.workflow.graph import Graph, as_link
from comfy_mcp.workflow.manifest_words import fault_in_words

__all__ = ["Manifest", "Parameter", "Scalar", "Target", "check_targets", "parse_manifest"]

Scalar = bool | int | float | str

_Line = Annotated[str, Field(min_length=1, max_length=200)]
_Text = Annotated[str, Field(max_length=4000)]
_STRICT = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Target(BaseModel):
    """The input of a node that a parameter fills."""

    model_config = _STRICT

    node: Annotated[str, Field(min_length=1, max_length=64)]
    input: _Line


class Parameter(BaseModel):
    """One parameter.

    Without *default* it is required; a seed whose *default* is null is drawn anew for every run.
    *min* and *max* are inclusive, *max_length* counts characters.
    """

    model_config = _STRICT

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    type: Kind
    description: Annotated[str, Field(min_length=1, max_length=1000)]
    default: Scalar | None = None
    min: int | float | None = None
    max: int | float | None = None
    max_length: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    choices: Annotated[tuple[_Line, ...], Field(max_length=1000)] = ()
    fills: Annotated[tuple[Target, ...], Field(min_length=1, max_length=100)]

    @property
    def required(self) -> bool:
        """Whether a caller has to give it."""
        return "default" not in self.model_fields_set

    def problem(self, value: object) -> str | None:
        """What is wrong with *value*, as "must ...", or None."""
        return problem_with(value, self.type, self._limits())

    def public(self) -> dict[str, object]:
        """What a caller may want to know, as JSON: everything but where the value goes."""
        shape = self.model_dump(mode="json", exclude_unset=True, exclude={"fills"})
        return {**shape, "required": self.required}

    @model_validator(mode="after")
    def _is_consistent(self) -> Parameter:
        for fault in self._faults():
            raise ValueError(fault)
        return self

    def _limits(self) -> Limits:
        return Limits(self.min, self.max, self.max_length, self.choices)

    def _faults(self) -> Iterator[str]:
        numeric = self.type in {"integer", "number"}
        if not numeric and (self.min is not None or self.max is not None):
            yield f"min and max are for integer and number, not for {self.type}"
        if self.type == "integer" and isinstance(self.min, float) | isinstance(self.max, float):
            yield "min and max of an integer have to be integers"
        if self.min is not None and self.max is not None and self.min > self.max:
            yield "min is greater than max"
        if self.max_length is not None and self.type not in {"string", "image"}:
            yield f"max_length is for string and image, not for {self.type}"
        if (self.type == "choice") != bool(self.choices):
            yield "a choice needs choices, and nothing else has any"
        if len(set(self.choices)) < len(self.choices):
            yield "choices has the same entry twice"
        yield from self._default_faults()

    def _default_faults(self) -> Iterator[str]:
        if self.required or (self.default is None and self.type == "seed"):
            return
        if self.default is None:
            yield "default is null; leave it out to make the parameter required"
        elif (fault := self.problem(self.default)) is not None:
            yield f"default {fault}"


class Manifest(BaseModel):
    """Title, description and parameters of one workflow."""

    model_config = _STRICT

    title: _Line
    description: _Text = ""
    parameters: Annotated[tuple[Parameter, ...], Field(max_length=100)] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the parameters, in the file's order."""
        return tuple(parameter.name for parameter in self.parameters)

    @model_validator(mode="after")
    def _is_consistent(self) -> Manifest:
        if twice := _twice(self.names):
            raise ValueError(f"two parameters are named {twice}")
        targets = [f"{t.node}.{t.input}" for p in self.parameters for t in p.fills]
        if twice := _twice(targets):
            raise ValueError(f"the input {twice} is filled twice")
        return self


def parse_manifest(value: object) -> Manifest:
    """Read a manifest from a JSON *value*, strictly.

    Raises:
        WorkflowError: unknown keys, wrong types, or parameters at odds with themselves.
    """
    try:
        return Manifest.model_validate_json(canonical(value))
    except ValidationError as exc:
        keyed: dict[int, type[BaseModel]] = {1: Manifest, 3: Parameter, 5: Target}
        levels: dict[int, tuple[str, ...]] = {n: tuple(m.model_fields) for n, m in keyed.items()}
        # Of a value that may have several types each of them is a fault, in the same words.
        texts = dict.fromkeys(fault_in_words(error, levels) for error in exc.errors())
        raise told([Flaw(text) for text in texts], "The manifest cannot be used") from exc


def check_targets(manifest: Manifest, graph: Graph) -> None:
    """Hold that every parameter fills an input of *graph* that is there and is no link.

    Raises:
        WorkflowError: one does not.
    """
    refuse(_target_flaws(manifest, graph), "The manifest does not fit its graph")


def _target_flaws(manifest: Manifest, graph: Graph) -> Iterator[Flaw]:
    for parameter in manifest.parameters:
        for target in parameter.fills:
            fault = _target_fault(target, graph)
            if fault is not None:
                text = (
                    f"Parameter {parameter.name} fills {shown(target.node)}.{shown(target.input)}"
                )
                yield Flaw(f"{text}: {fault}", target.node, target.input)


def _target_fault(target: Target, graph: Graph) -> str | None:
    node = graph.nodes.get(target.node)
    if node is None:
        return f"there is no such node. Name one of: {listed(tuple(graph.nodes))}."
    if target.input not in node.inputs:
        return f"the node has no such input. Name one of: {listed(tuple(node.inputs))}."
    if as_link(node.inputs[target.input]) is not None:
        return "the input is linked to another node. Fill an input that holds a value."
    return None


def _twice(names: Iterable[str]) -> str | None:
    return next((shown(name) for name, count in Counter(names).items() if count > 1), None)
