"""Node classes as an agent reads them: short rows of many, or all that a graph needs of one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from comfy_mcp.knowledge.kinds import kind_of
from comfy_mcp.knowledge.options import matching
from comfy_mcp.quoting import bounded, plain, quote
from comfy_mcp.workflow.schema import AUTOGROW, DYNAMIC_COMBO, InputSpec, NodeSchema

__all__ = ["InputInfo", "NodeInfo", "NodeRow", "OutputInfo", "describe", "fitted", "row"]

NAME = 200
LINE = 140
"""Characters of a description in a row."""

BRIEF, FULL = 400, 2_000
"""Characters of a description, and of a text that is a default."""

MOST_TYPES = 8
MOST_CHOICES = 20
MOST_FILES = 5
"""Uploaded files that are shown of all: they are others', too, and say little."""

MOST_MATCHES = 100
MOST_ALIASES = 20

LONGEST = 18_000
"""Characters of a whole answer: what is longer, several clients cut."""

WIDEST = 60
"""Characters of a type: one that takes many file formats names them all."""

_UPLOADS = ("image_upload", "audio_upload", "video_upload", "file_upload")


class _Shown(BaseModel):
    model_config = ConfigDict(frozen=True)


class NodeRow(_Shown):
    """A node class in a line."""

    class_type: str
    title: str | None = None
    description: str | None = None
    category: str
    takes: Annotated[str, Field(description="Types over links; ? where optional")] = ""
    gives: str = ""
    flags: list[str] | None = None


class InputInfo(_Shown):
    """An input by the name that a graph gives it."""

    name: str
    type: str
    optional: bool | None = None
    link_only: bool | None = None
    default: Any = None
    min: float | int | None = None
    max: float | int | None = None
    step: float | int | None = None
    choices: list[Any] | None = None
    choices_total: int | None = None
    when: Annotated[
        dict[str, list[str]] | None, Field(description="Only there if that input has such a value")
    ] = None
    grows: str | None = None
    takes_upload: bool | None = None
    tooltip: str | None = None


class OutputInfo(_Shown):
    """An output; a link to it is [node id, slot]."""

    slot: int
    type: str
    name: str | None = None
    is_list: bool | None = None


class NodeInfo(_Shown):
    """All that a graph needs to know of a node class."""

    class_type: str
    title: str | None = None
    category: str
    description: str | None = None
    flags: list[str] | None = None
    inputs: list[InputInfo]
    more_inputs: int | None = None
    outputs: list[OutputInfo]
    example: Annotated[
        dict[str, Any] | None,
        Field(description='As a graph has it; "<TYPE>" is a node to be named'),
    ] = None
    aliases: list[str] | None = None
    module: str | None = None


@dataclass(frozen=True, slots=True)
class _Measure:
    """How much of a class is told."""

    choices: int = MOST_CHOICES
    text: int = BRIEF
    tooltips: bool = False
    example: bool = True
    inputs: int = 1_000


def row(schema: NodeSchema, *, allowed: bool = True) -> NodeRow:
    """*schema* in a line; not *allowed*: the policy would not run it."""
    name = _name(schema.class_type)
    title = plain(schema.display_name, NAME)
    return NodeRow(
        class_type=name,
        title=None if title == name else title,
        description=plain(schema.description, LINE) or None,
        category=plain(schema.category, NAME),
        takes=_several(_taken(schema)),
        gives=_several(each.kind for each in schema.outputs),
        flags=_flags(schema, allowed=allowed),
    )


def describe(
    schema: NodeSchema, *, full: bool = False, query: str = "", allowed: bool = True
) -> NodeInfo:
    """*schema* in detail; *full*: with tooltips. *query*: words that long lists are filtered by."""
    measure = _Measure(text=FULL if full else BRIEF, tooltips=full)
    return _described(schema, measure, query, allowed=allowed)


def fitted(
    schemas: Iterable[NodeSchema],
    *,
    full: bool = False,
    query: str = "",
    allowed: Callable[[NodeSchema], bool] = lambda _: True,
) -> list[NodeInfo]:
    """Each of *schemas* in detail, all of them in one answer: with less detail where it is long."""
    wanted = list(schemas)
    room = LONGEST // max(1, len(wanted))
    return [_fit(schema, room, full, query, allowed=allowed(schema)) for schema in wanted]


def _fit(schema: NodeSchema, room: int, full: bool, query: str, *, allowed: bool) -> NodeInfo:
    most = _Measure(text=FULL if full else BRIEF, tooltips=full)
    info = _described(schema, most, query, allowed=allowed)
    for measure in (
        _Measure(choices=8, tooltips=full),
        _Measure(choices=8),
        _Measure(choices=3, text=LINE),
        _Measure(choices=3, text=LINE, example=False),
        *(_Measure(3, LINE, example=False, inputs=count) for count in (100, 50, 25, 10, 3)),
    ):
        if len(info.model_dump_json(exclude_none=True)) <= room:
            break
        info = _described(schema, measure, query, allowed=allowed)
    return info


def _described(schema: NodeSchema, measure: _Measure, query: str, *, allowed: bool) -> NodeInfo:
    name, title = _name(schema.class_type), plain(schema.display_name, NAME)
    inputs = _merged(_inputs(schema.inputs, {}, measure, query))
    shown = inputs[: measure.inputs]
    return NodeInfo(
        class_type=name,
        title=None if title == name else title,
        category=plain(schema.category, NAME),
        description=plain(schema.description, measure.text) or None,
        flags=_flags(schema, allowed=allowed),
        inputs=shown,
        more_inputs=len(inputs) - len(shown) or None,
        outputs=_outputs(schema),
        example=_example(schema) if measure.example else None,
        aliases=[plain(one, NAME) for one in schema.aliases[:MOST_ALIASES]] or None
        if measure.tooltips
        else None,
        module=(plain(schema.module, NAME) or None) if measure.tooltips else None,
    )


def _flags(schema: NodeSchema, *, allowed: bool) -> list[str] | None:
    told = (
        ("denied by policy", not allowed),
        ("partner node: costs credits", schema.api_node),
        ("deprecated", schema.deprecated),
        ("experimental", schema.experimental),
        ("output node", schema.output_node),
    )
    return [words for words, holds in told if holds] or None


def _taken(schema: NodeSchema) -> Iterator[str]:
    """Types that come over links, those that are required first."""
    plugs = [one for spec in schema.inputs for one in _first_of(spec) if not one.holds_value]
    yield from (kind_of(spec) for spec in plugs if spec.required)
    yield from (f"{kind_of(spec)}?" for spec in plugs if not spec.required)


def _first_of(spec: InputSpec) -> tuple[InputSpec, ...]:
    return spec.grown[:1] if spec.kind == AUTOGROW else (spec,)


def _several(kinds: Iterable[str]) -> str:
    """Some types, each once."""
    each = [_kind(one) for one in dict.fromkeys(kinds)]
    more = [f"+{len(each) - MOST_TYPES}"] if len(each) > MOST_TYPES else []
    return ", ".join([*each[:MOST_TYPES], *more])


def _inputs(
    specs: Iterable[InputSpec], when: Mapping[str, list[str]], measure: _Measure, query: str
) -> Iterator[InputInfo]:
    for spec in specs:
        if spec.kind == AUTOGROW:
            yield from _growing(spec, when, measure, query)
            continue
        yield _input(spec, when, measure, query)
        for choice, inner in spec.branches.items():
            if not choice.startswith("\0"):
                yield from _inputs(inner, {_name(spec.name): [_name(choice)]}, measure, query)
        yield from _inputs(spec.beside, {_name(spec.name): ["<any link>"]}, measure, query)


def _growing(
    spec: InputSpec, when: Mapping[str, list[str]], measure: _Measure, query: str
) -> Iterator[InputInfo]:
    """The first of a growing input, and how it goes on."""
    if not spec.grown:
        return
    first, last = spec.grown[0], spec.grown[-1]
    least = sum(1 for each in spec.grown if each.required)
    grows = f"as many as needed, up to {_name(last.name)}; {least or 'none'} required"
    yield _input(first, when, measure, query).model_copy(update={"grows": grows})


def _input(
    spec: InputSpec, when: Mapping[str, list[str]], measure: _Measure, query: str
) -> InputInfo:
    told = spec.options
    choices, total = _choices(spec, measure, query)
    value = spec.kind in {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}
    tooltip = told.get("tooltip")
    shown = isinstance(tooltip, str) and measure.tooltips
    return InputInfo(
        name=_name(spec.name),
        type=_kind(kind_of(spec)),
        optional=None if spec.required else True,
        link_only=True if value and not spec.holds_value else None,
        default=bounded(told.get("default"), measure.text, items=MOST_CHOICES),
        min=_number(told.get("min")),
        max=_number(told.get("max")),
        step=_number(told.get("step")),
        choices=choices,
        choices_total=total,
        when=dict(when) or None,
        takes_upload=True if _takes_upload(spec) else None,
        tooltip=plain(tooltip, BRIEF) if shown else None,
    )


def _choices(spec: InputSpec, measure: _Measure, query: str) -> tuple[list[Any] | None, int | None]:
    """The choices that are shown, and how many there are if that is not all."""
    if spec.choices is None:
        return None, None
    fit = matching(spec.choices, query) if query else []
    most = min(measure.choices, MOST_FILES) if _takes_upload(spec) else measure.choices
    shown = fit[:MOST_MATCHES] or list(spec.choices[:most])
    total = len(spec.choices)
    safe = [_name(each) if isinstance(each, str) else bounded(each, NAME) for each in shown]
    return safe, total if total > len(safe) else None


def _takes_upload(spec: InputSpec) -> bool:
    return any(spec.options.get(name) for name in _UPLOADS)


def _merged(inputs: Iterable[InputInfo]) -> list[InputInfo]:
    """Inputs that several choices bring alike, as one."""
    found: dict[str, InputInfo] = {}
    for each in inputs:
        key = each.model_copy(update={"when": None}).model_dump_json() + ",".join(each.when or ())
        same = found.get(key)
        if same is None or not each.when or not same.when:
            found[key if same is None else f"{key}{len(found)}"] = each
            continue
        when = {name: [*same.when[name], *values] for name, values in each.when.items()}
        found[key] = same.model_copy(update={"when": when})
    return list(found.values())


def _outputs(schema: NodeSchema) -> list[OutputInfo]:
    return [
        OutputInfo(
            slot=slot,
            type=_kind(output.kind),
            name=None if output.name == output.kind else plain(output.name, NAME),
            is_list=True if output.is_list else None,
        )
        for slot, output in enumerate(schema.outputs)
    ]


def _example(schema: NodeSchema) -> dict[str, Any]:
    inputs: dict[str, Any] = {}
    _fill(schema.inputs, inputs)
    return {"class_type": _name(schema.class_type), "inputs": inputs}


def _fill(specs: Iterable[InputSpec], inputs: dict[str, Any]) -> None:
    """Put what is required of *specs* into *inputs*."""
    for spec in specs:
        if spec.kind == AUTOGROW:
            needed = [each for each in spec.grown if each.required]
            _fill(needed or spec.grown[:1], inputs)
        elif spec.kind == DYNAMIC_COMBO:
            choice = _chosen(spec)
            if choice is not None:
                inputs[_name(spec.name)] = _name(choice)
                _fill(spec.branches[choice], inputs)
        elif spec.required:
            inputs[_name(spec.name)] = _value(spec)


def _chosen(spec: InputSpec) -> str | None:
    default = spec.options.get("default")
    if isinstance(default, str) and default in spec.branches:
        return default
    return next((key for key in spec.branches if not key.startswith("\0")), None)


def _value(spec: InputSpec) -> Any:
    """The default, or what stands for one: the first choice, the least number, a link."""
    default = spec.options.get("default")
    if default is not None and (spec.choices is None or default in spec.choices):
        return (
            quote(default, FULL, exact=True).text if isinstance(default, str) else bounded(default)
        )
    if not spec.holds_value:
        return [f"<{_kind(kind_of(spec))}>", 0]
    if spec.choices is not None:
        first = next(iter(spec.choices), "<none there>")
        return _name(first) if isinstance(first, str) else bounded(first)
    least = _number(spec.options.get("min"))
    return {"STRING": "", "BOOLEAN": False}.get(spec.kind, max(0, least or 0))


def _name(text: str) -> str:
    """A name exactly as it is, less what nobody would see."""
    if len(text) <= NAME and text.isascii() and text.isprintable():
        return text
    return quote(text, NAME, exact=True).text


def _kind(kind: str) -> str:
    several = kind.split(",")
    if len(kind) <= WIDEST or len(several) == 1:
        return plain(kind, WIDEST)
    return f"{plain(several[0], WIDEST)},... ({len(several)} types)"


def _number(value: object) -> float | int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) else None
