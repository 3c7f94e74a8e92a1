"""What a node class takes and gives, read from ComfyUI's ``GET /object_info``.

Nothing here fails: what the host tells in a form that nobody knows is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard

__all__ = ["InputSpec", "NodeSchema", "OutputSpec", "Schemas", "read_schema", "read_schemas"]

DYNAMIC_COMBO = "COMFY_DYNAMICCOMBO_V3"
AUTOGROW = "COMFY_AUTOGROW_V3"
MATCH = "COMFY_MATCHTYPE_V3"

DEEPEST = 4
"""Inputs within inputs within inputs: nobody writes more."""

MOST_GROWN = 100
"""Inputs that one growing input may become."""

VALUES = frozenset({"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", DYNAMIC_COMBO})
"""Kinds whose value a graph may hold itself; others come over a link only."""


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One input, by the *name* that a graph gives it: ``steps``, ``resize_type.width``.

    *kind* is ComfyUI's word for what it takes, several with commas between them; ``COMBO`` also
    where the host tells the choices in the older form, a bare list. *choices* are those of a combo,
    None where it is none. *options* is all that the host says besides (default, min, max, step,
    tooltip, multiline, control_after_generate, forceInput...). *branches*: what a dynamic combo
    takes besides, for each of its choices. *grown*: what a growing input may become, in order, of
    which the first *least* are required.
    """

    name: str
    kind: str
    required: bool
    choices: tuple[Any, ...] | None = None
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    branches: Mapping[str, tuple[InputSpec, ...]] = field(
        default_factory=dict[str, "tuple[InputSpec, ...]"]
    )
    grown: tuple[InputSpec, ...] = ()

    @property
    def kinds(self) -> frozenset[str]:
        """Each of the types that may be linked to it; ``*`` takes everything."""
        return frozenset(each.strip() for each in self.kind.split(",") if each.strip())

    @property
    def holds_value(self) -> bool:
        """Whether a graph may give it a value of its own, without a link."""
        return self.kind in VALUES and not self.options.get("forceInput")

    def every(self) -> Iterator[InputSpec]:
        """It, and all inputs that it may bring with it."""
        yield self
        for inner in self.branches.values():
            for spec in inner:
                yield from spec.every()
        for spec in self.grown:
            yield from spec.every()


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """One output slot; *kind* is its type, ``*`` where it depends on what comes in."""

    name: str
    kind: str
    is_list: bool = False


@dataclass(frozen=True, slots=True)
class NodeSchema:
    """One node class; *inputs* in the order in which the editor shows them."""

    class_type: str
    display_name: str
    description: str
    category: str
    inputs: tuple[InputSpec, ...]
    outputs: tuple[OutputSpec, ...]
    output_node: bool = False
    is_input_list: bool = False
    deprecated: bool = False
    experimental: bool = False
    api_node: bool = False
    module: str = ""
    aliases: tuple[str, ...] = ()

    def every(self) -> Iterator[InputSpec]:
        """Every input that a graph may name, whatever is chosen."""
        for spec in self.inputs:
            yield from spec.every()

    def active(self, values: Mapping[str, object]) -> Iterator[InputSpec]:
        """The inputs that there are when a node holds *values*, in order.

        Of a dynamic combo those of its choice, or of its default; of a growing input all that it
        may become.
        """
        for spec in self.inputs:
            yield from _active(spec, values)


Schemas = Mapping[str, NodeSchema]
"""Node classes by name."""


def read_schemas(told: Mapping[str, Any]) -> dict[str, NodeSchema]:
    """All classes of an answer of ``/object_info``; what is no class is left out."""
    return {name: read_schema(name, info) for name, info in told.items() if _is_object(info)}


def read_schema(class_type: str, info: Mapping[str, Any]) -> NodeSchema:
    """What the host tells about *class_type*."""
    module = _text(info.get("python_module"))
    return NodeSchema(
        class_type=class_type,
        display_name=_text(info.get("display_name")) or class_type,
        description=_text(info.get("description")),
        category=_text(info.get("category")),
        inputs=tuple(_inputs(_object(info.get("input")), _object(info.get("input_order")))),
        outputs=tuple(_outputs(info)),
        output_node=bool(info.get("output_node")),
        is_input_list=bool(info.get("is_input_list")),
        deprecated=bool(info.get("deprecated")),
        experimental=bool(info.get("experimental")),
        api_node=bool(info.get("api_node")) or module.split(".")[0] == "comfy_api_nodes",
        module=module,
        aliases=tuple(each for each in _list(info.get("search_aliases")) if isinstance(each, str)),
    )


def _active(spec: InputSpec, values: Mapping[str, object]) -> Iterator[InputSpec]:
    yield spec
    if spec.branches:
        chosen = values.get(spec.name, spec.options.get("default"))
        first = next(iter(spec.branches))
        # What is linked, or no choice at all, is taken as the first: the host will have its say.
        key = chosen if isinstance(chosen, str) and chosen in spec.branches else first
        for inner in spec.branches[key]:
            yield from _active(inner, values)
    for inner in spec.grown:
        yield from _active(inner, values)


def _inputs(
    groups: Mapping[str, Any], order: Mapping[str, Any], before: str = "", deepest: int = DEEPEST
) -> Iterator[InputSpec]:
    for group in ("required", "optional"):
        specs = _object(groups.get(group))
        listed = [name for name in _list(order.get(group)) if name in specs]
        for name in dict.fromkeys([*listed, *specs]):
            spec = _input(before + name, specs[name], deepest, required=group == "required")
            if spec is not None:
                yield spec


def _input(name: str, told: object, deepest: int, *, required: bool) -> InputSpec | None:
    spec = _list(told)
    if not spec:
        return None
    options = _object(spec[1]) if len(spec) > 1 else {}
    old = _is_list(spec[0])
    if not old and not isinstance(spec[0], str):
        return None
    kind = "COMBO" if old else spec[0]
    inner = deepest - 1
    return InputSpec(
        name=name,
        kind=kind,
        required=required,
        choices=_choices(kind, spec[0] if old else options.get("options")),
        options=options,
        branches=_branches(name, options, inner) if kind == DYNAMIC_COMBO and deepest else {},
        grown=_grown(name, options, inner) if kind == AUTOGROW and deepest else (),
    )


def _choices(kind: str, told: object) -> tuple[Any, ...] | None:
    if kind == DYNAMIC_COMBO:
        return tuple(each.get("key") for each in _list(told) if _is_object(each))
    return tuple(_list(told)) if kind == "COMBO" else None


def _branches(name: str, options: Mapping[str, Any], deepest: int) -> dict[str, Any]:
    return {
        each["key"]: tuple(_inputs(_object(each.get("inputs")), {}, f"{name}.", deepest))
        for each in _list(options.get("options"))
        if _is_object(each) and isinstance(each.get("key"), str)
    }


def _grown(name: str, options: Mapping[str, Any], deepest: int) -> tuple[InputSpec, ...]:
    template = _object(options.get("template"))
    groups = _object(template.get("input"))
    least = template.get("min")
    least = least if isinstance(least, int) else 0
    return tuple(
        made
        for number, each in enumerate(_names(template))
        for _, told in _first(groups)
        if (made := _input(f"{name}.{each}", told, deepest, required=number < least)) is not None
    )


def _first(groups: Mapping[str, Any]) -> list[tuple[str, object]]:
    """The one input that a growing input repeats."""
    both = (_object(groups.get("required")), _object(groups.get("optional")))
    return [item for group in both for item in group.items()][:1]


def _names(template: Mapping[str, Any]) -> list[str]:
    names = [name for name in _list(template.get("names")) if isinstance(name, str)]
    prefix, most = template.get("prefix"), template.get("max")
    if isinstance(prefix, str) and isinstance(most, int):
        names = [f"{prefix}{number}" for number in range(min(most, MOST_GROWN))]
    return names[:MOST_GROWN]


def _outputs(info: Mapping[str, Any]) -> Iterator[OutputSpec]:
    names, lists = _list(info.get("output_name")), _list(info.get("output_is_list"))
    for slot, kind in enumerate(_list(info.get("output"))):
        word = "COMBO" if _is_list(kind) else str(kind)
        name = names[slot] if slot < len(names) else word
        yield OutputSpec(
            name=name if isinstance(name, str) else word,
            kind="*" if word == MATCH else word,
            is_list=bool(lists[slot]) if slot < len(lists) else False,
        )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _object(value: object) -> dict[str, Any]:
    return value if _is_object(value) else {}


def _list(value: object) -> Sequence[Any]:
    return value if _is_list(value) else ()


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)
