"""Node classes as an agent reads them: short rows of many, or all that a graph needs of one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from comfy_mcp.knowledge.answers import InputInfo, NodeInfo, NodeRow, OutputInfo
from comfy_mcp.knowledge.examples import example
from comfy_mcp.knowledge.kinds import kind_of, widgets
from comfy_mcp.knowledge.options import matching
from comfy_mcp.knowledge.spelling import NAME, kind_in_words, name_as_it_is, number_or_none
from comfy_mcp.quoting import bounded, plain
from comfy_mcp.workflow.schema import AUTOGROW, InputSpec, NodeSchema

__all__ = ["describe", "fitted", "row"]

LINE = 140
"""Characters of a description in a row."""

BRIEF, FULL = 400, 2_000
"""Characters of a description, and of a text that is a default."""

MOST_TYPES = 8
MOST_WIDGETS = 3
MOST_CHOICES = 20
MOST_FILES = 5
"""Uploaded files that are shown of all: they are others', too, and say little."""

MOST_MATCHES = 100
MOST_ALIASES = 20

LONGEST = 18_000
"""Characters of a whole answer: what is longer, several clients cut."""

_UPLOADS = ("image_upload", "audio_upload", "video_upload", "file_upload")


@dataclass(frozen=True, slots=True)
class _Measure:
    """How much of a class is told."""

    choices: int = MOST_CHOICES
    text: int = BRIEF
    tooltips: bool = False
    example: bool = True
    inputs: int = 1_000


def row(schema: NodeSchema, *, allowed: bool = True, kind: str = "") -> NodeRow:
    """*schema* in a line; not *allowed*: the policy would not run it.

    *kind* is a type that was asked for: where only widgets take it, they are named.
    """
    name = name_as_it_is(schema.class_type)
    title = plain(schema.display_name, NAME)
    return NodeRow(
        class_type=name,
        title=None if title == name else title,
        description=plain(schema.description, LINE) or None,
        category=plain(schema.category, NAME),
        takes=_several([*_taken(schema), *_by_widget(schema, kind)]),
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
    name, title = name_as_it_is(schema.class_type), plain(schema.display_name, NAME)
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
        example=example(schema) if measure.example else None,
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


def _by_widget(schema: NodeSchema, kind: str) -> list[str]:
    """*kind* with the widgets that take it, if no input is there for a link of it."""
    links = {each.rstrip("?").casefold() for one in _taken(schema) for each in one.split(",")}
    if not kind or kind.casefold() in links:
        return []
    names = [name_as_it_is(name) for name in widgets(schema, kind)]
    more = [f"+{len(names) - MOST_WIDGETS}"] if len(names) > MOST_WIDGETS else []
    told = ", ".join([*names[:MOST_WIDGETS], *more])
    return [f"{plain(kind, NAME).upper()} (widget {told})"] if names else []


def _first_of(spec: InputSpec) -> tuple[InputSpec, ...]:
    return spec.grown[:1] if spec.kind == AUTOGROW else (spec,)


def _several(kinds: Iterable[str]) -> str:
    """Some types, each once."""
    each = [kind_in_words(one) for one in dict.fromkeys(kinds)]
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
                yield from _inputs(
                    inner, {name_as_it_is(spec.name): [name_as_it_is(choice)]}, measure, query
                )
        yield from _inputs(spec.beside, {name_as_it_is(spec.name): ["<any link>"]}, measure, query)


def _growing(
    spec: InputSpec, when: Mapping[str, list[str]], measure: _Measure, query: str
) -> Iterator[InputInfo]:
    """The first of a growing input, and how it goes on."""
    if not spec.grown:
        return
    first, last = spec.grown[0], spec.grown[-1]
    least = sum(1 for each in spec.grown if each.required)
    grows = f"as many as needed, up to {name_as_it_is(last.name)}; {least or 'none'} required"
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
        name=name_as_it_is(spec.name),
        type=kind_in_words(kind_of(spec)),
        optional=None if spec.required else True,
        link_only=True if value and not spec.holds_value else None,
        default=bounded(told.get("default"), measure.text, items=MOST_CHOICES),
        min=number_or_none(told.get("min")),
        max=number_or_none(told.get("max")),
        step=number_or_none(told.get("step")),
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
    safe = [name_as_it_is(each) if isinstance(each, str) else bounded(each, NAME) for each in shown]
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
            type=kind_in_words(output.kind),
            name=None if output.name == output.kind else plain(output.name, NAME),
            is_list=True if output.is_list else None,
        )
        for slot, output in enumerate(schema.outputs)
    ]
