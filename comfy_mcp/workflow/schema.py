"""What a node class takes and gives, read from ComfyUI's ``GET /object_info``.

Nothing here fails: what the host tells in a form that nobody knows is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard

__all__ = [
    "AUTOGROW",
    "DYNAMIC_COMBO",
    "DYNAMIC_SLOT",
    "MATCH",
    "MOST_INPUTS",
    "InputSpec",
    "NodeSchema",
    "OutputSpec",
    "Schemas",
    "read_inputs",
    "read_schema",
    "read_schemas",
]

DYNAMIC_COMBO = "COMFY_DYNAMICCOMBO_V3"
AUTOGROW = "COMFY_AUTOGROW_V3"
DYNAMIC_SLOT = "COMFY_DYNAMICSLOT_V3"
MATCH = "COMFY_MATCHTYPE_V3"

DEEPEST = 4
"""Inputs within inputs within inputs: nobody writes more."""

MOST_GROWN = 100
"""Inputs that one growing input may become."""

MOST_INPUTS = 10_000
"""Of one class: inputs that grow multiply with each other."""

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
    which the first *least* are required. *beside*: what a dynamic slot brings with it once it is
    given. *listed*: the choices were told in the older form, a bare list, and ComfyUI links nothing
    but an output of the same list to it.
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
    beside: tuple[InputSpec, ...] = ()
    listed: bool = False

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
        for spec in (*self.grown, *self.beside):
            yield from spec.every()


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """One output slot; *kind* is its type, ``*`` where it depends on what comes in.

    *choices*: of an output of the older form, whose type is a list of what it may put out.
    """

    name: str
    kind: str
    is_list: bool = False
    choices: tuple[Any, ...] | None = None


@dataclass(frozen=True, slots=True)
class NodeSchema:
    """One node class; *inputs* in the order in which the editor shows them.

    *whole*: there are no more inputs than these; false if more than `MOST_INPUTS` were told.
    """

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
    whole: bool = True

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

    def asked(self, values: Mapping[str, object]) -> Iterator[InputSpec]:
        """The inputs that ComfyUI looks at when a node holds *values*.

        A growing input is not one itself. A dynamic combo is one only while it holds one of its
        choices: without it ComfyUI asks for neither the choice nor what belongs to it.
        """
        for spec in self.inputs:
            yield from _asked(spec, values)


Schemas = Mapping[str, NodeSchema]
"""Node classes by name."""


def read_schemas(told: Mapping[str, Any]) -> dict[str, NodeSchema]:
    """All classes of an answer of ``/object_info``; what is no class is left out."""
    return {name: read_schema(name, info) for name, info in told.items() if _is_object(info)}


def read_schema(class_type: str, info: Mapping[str, Any]) -> NodeSchema:
    """What the host tells about *class_type*."""
    module = _text(info.get("python_module"))
    inputs, whole = read_inputs(info.get("input"), info.get("input_order"))
    return NodeSchema(
        class_type=class_type,
        display_name=_text(info.get("display_name")) or class_type,
        description=_text(info.get("description")),
        category=_text(info.get("category")),
        inputs=inputs,
        outputs=tuple(_outputs(info)),
        output_node=bool(info.get("output_node")),
        is_input_list=bool(info.get("is_input_list")),
        deprecated=bool(info.get("deprecated")),
        experimental=bool(info.get("experimental")),
        api_node=bool(info.get("api_node")) or module.split(".")[0] == "comfy_api_nodes",
        module=module,
        aliases=tuple(each for each in _list(info.get("search_aliases")) if isinstance(each, str)),
        whole=whole,
    )


def read_inputs(groups: object, order: object = None) -> tuple[tuple[InputSpec, ...], bool]:
    """The inputs of one class, and whether these are all of them.

    *groups* is ``{"required": {name: [type, options]}, "optional": ...}``, *order* the names of
    each group in the editor's order.
    """
    reading = _Reading()
    inputs = tuple(reading.inputs(_object(groups), _object(order), "", DEEPEST))
    return inputs, reading.left > 0


def _active(spec: InputSpec, values: Mapping[str, object]) -> Iterator[InputSpec]:
    yield spec
    if spec.branches:
        chosen = values.get(spec.name, spec.options.get("default"))
        first = next(iter(spec.branches))
        # What is linked, or no choice at all, is taken as the first: the host will have its say.
        key = chosen if isinstance(chosen, str) and chosen in spec.branches else first
        for inner in spec.branches[key]:
            yield from _active(inner, values)
    for inner in (*spec.grown, *(spec.beside if spec.name in values else ())):
        yield from _active(inner, values)


def _asked(spec: InputSpec, values: Mapping[str, object]) -> Iterator[InputSpec]:
    inner: Sequence[InputSpec] = spec.grown
    if spec.kind == DYNAMIC_COMBO:
        chosen = values.get(spec.name)
        if not isinstance(chosen, str) or chosen not in spec.branches:
            return
        inner = spec.branches[chosen]
    elif spec.beside:
        if spec.name not in values:
            return
        inner = spec.beside
    if spec.kind != AUTOGROW:
        yield spec
    for each in inner:
        yield from _asked(each, values)


class _Reading:
    """Reads the inputs of one class; *left* is how many more it may have."""

    def __init__(self) -> None:
        self.left = MOST_INPUTS

    def inputs(
        self, groups: Mapping[str, Any], order: Mapping[str, Any], before: str, deepest: int
    ) -> Iterator[InputSpec]:
        for group in ("required", "optional"):
            specs = _object(groups.get(group))
            listed = [name for name in _list(order.get(group)) if _is_name(name) and name in specs]
            for name in dict.fromkeys([*listed, *specs]):
                spec = self.input(before + name, specs[name], deepest, required=group == "required")
                if spec is not None:
                    yield spec

    def input(self, name: str, told: object, deepest: int, *, required: bool) -> InputSpec | None:
        spec = _list(told)
        first: object = spec[0] if spec else None
        if self.left <= 0 or not (_is_list(first) or isinstance(first, str)):
            return None
        self.left -= 1
        options = _object(spec[1]) if len(spec) > 1 else {}
        listed = _is_list(first)
        word = first if isinstance(first, str) else "COMBO"
        slot = options.get("slotType")
        kind = slot if word == DYNAMIC_SLOT and isinstance(slot, str) else word
        deep = word if deepest else ""
        return InputSpec(
            name=name,
            kind=kind,
            required=required and word != DYNAMIC_SLOT,
            choices=_choices(kind, first if listed else options.get("options")),
            options=options,
            branches=self.branches(name, options, deepest - 1) if deep == DYNAMIC_COMBO else {},
            grown=tuple(self.grown(name, options, deepest - 1)) if deep == AUTOGROW else (),
            beside=tuple(self.beside(name, options, deepest - 1)) if deep == DYNAMIC_SLOT else (),
            listed=listed,
        )

    def beside(self, name: str, options: Mapping[str, Any], deepest: int) -> Iterator[InputSpec]:
        """What a dynamic slot brings with it."""
        return self.inputs(_object(options.get("inputs")), {}, f"{name}.", deepest)

    def branches(
        self, name: str, options: Mapping[str, Any], deepest: int
    ) -> dict[str, tuple[InputSpec, ...]]:
        """What a dynamic combo takes besides, by its choices."""
        found: dict[str, tuple[InputSpec, ...]] = {}
        for number, each in enumerate(_list(options.get("options"))):
            key = _object(each).get("key")
            groups = _object(_object(each).get("inputs"))
            # ComfyUI takes the first of two with one key; one without any can never be chosen.
            mark = key if isinstance(key, str) and key not in found else f"\0{number}"
            found[mark] = tuple(self.inputs(groups, {}, f"{name}.", deepest))
        return found

    def grown(self, name: str, options: Mapping[str, Any], deepest: int) -> Iterator[InputSpec]:
        """What a growing input may become."""
        template = _object(options.get("template"))
        least = template.get("min")
        least = least if isinstance(least, int) else 0
        for must, told in _first(_object(template.get("input"))):
            for number, each in enumerate(_names(template)):
                required = must and number < least
                made = self.input(f"{name}.{each}", told, deepest, required=required)
                if made is not None:
                    yield made


def _choices(kind: str, told: object) -> tuple[Any, ...] | None:
    if kind == DYNAMIC_COMBO:
        return tuple(each.get("key") for each in _list(told) if _is_object(each))
    return tuple(_list(told)) if kind == "COMBO" else None


def _first(groups: Mapping[str, Any]) -> list[tuple[bool, object]]:
    """Whether it is required, and what is told of the one input that a growing input repeats."""
    both = ((True, groups.get("required")), (False, groups.get("optional")))
    return [(must, told) for must, group in both for told in _object(group).values()][:1]


def _names(template: Mapping[str, Any]) -> list[str]:
    names, prefix, most = (template.get(key) for key in ("names", "prefix", "max"))
    if _is_list(names):
        return [name for name in names if isinstance(name, str)][:MOST_GROWN]
    if isinstance(prefix, str) and isinstance(most, int):
        return [f"{prefix}{number}" for number in range(min(most, MOST_GROWN))]
    return []


def _outputs(info: Mapping[str, Any]) -> Iterator[OutputSpec]:
    names, lists = _list(info.get("output_name")), _list(info.get("output_is_list"))
    for slot, kind in enumerate(_list(info.get("output"))):
        word = "COMBO" if _is_list(kind) else str(kind)
        name = names[slot] if slot < len(names) else word
        yield OutputSpec(
            name=name if isinstance(name, str) else word,
            kind="*" if word == MATCH else word,
            is_list=bool(lists[slot]) if slot < len(lists) else False,
            choices=tuple(kind) if _is_list(kind) else None,
        )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _object(value: object) -> dict[str, Any]:
    return value if _is_object(value) else {}


def _list(value: object) -> Sequence[Any]:
    return value if _is_list(value) else ()


def _is_name(value: object) -> TypeGuard[str]:
    return isinstance(value, str)


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)
