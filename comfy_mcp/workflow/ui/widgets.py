"""Which widgets the editor gives a node, and which of a file's values belongs to which.

Source of the facts: what ComfyUI's frontend 1.49 does when it loads a file, class by class.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from comfy_mcp.workflow.schema import AUTOGROW, DYNAMIC_COMBO, InputSpec, NodeSchema

__all__ = ["CONTROL", "FIXED", "Widget", "control_of", "is_text", "is_widget", "kind_of_widget", "widgets"]

CONTROL = "control_after_generate"
FIXED = "fixed"

_EMPTY: dict[str, Any] = {
    "INT": 0,
    "FLOAT": 0,
    "STRING": "",
    "BOOLEAN": False,
    "COLOR": "#000000",
    "COLORS": [],
    "BOUNDING_BOX": {"x": 0, "y": 0, "width": 512, "height": 512},
    "BOUNDING_BOXES": [],
    "COMPOSITOR": {},
    "PAINTER": "",
    "TEXTAREA": "",
    "MARKDOWN": "",
    "CURVE": {"points": [[0, 0], [1, 1]], "interpolation": "monotone_cubic"},
    "RANGE": {"min": 0, "max": 1},
    "LOAD_3D": "",
    "WEBCAM": "",
    "AUDIO_RECORD": "",
}
"""What a widget of a kind holds when nobody says what; combos hold their first choice."""

_NEVER_SAVED: dict[str, Any] = {"IMAGECOMPARE": ["", ""]}
"""Widgets that only show something, and what the editor sends for them."""

_SEEDS = frozenset({"seed", "noise_seed"})

_BEFORE = {("Load3D", "image"): 3}
"""Buttons that the editor puts before a widget, whose values a file has, too."""

_AFTER = {"BOUNDING_BOX": 4, "AUDIO_RECORD": 1}
"""As many numbers or buttons come after a widget of this kind in a file."""

_SAMPLERS = frozenset({"KSampler", "KSamplerAdvanced"})
_OLD_SAMPLER = "sample_"


@dataclass(frozen=True, slots=True)
class Widget:
    """A widget by the name of its input, and what it holds; *drawn*: how it changes after a run.

    *control*: a widget that only says how another one changes; it is no input.
    """

    name: str
    value: Any
    spec: InputSpec
    drawn: str | None = None
    control: bool = False


@dataclass
class _Saved:
    """The values of a file, given out one by one; what there is none for keeps its default."""

    values: deque[Any]
    names: Mapping[str, Any] | None

    def next(self, name: str | None, default: Any) -> Any:
        if self.names is not None:
            return self.names.get(name, default) if name is not None else default
        return self.values.popleft() if self.values else default


def kind_of_widget(spec: InputSpec) -> str:
    """The kind of widget that the editor makes for *spec*, or would make."""
    told = spec.options.get("widgetType")
    return told if isinstance(told, str) else spec.kind


def is_widget(spec: InputSpec) -> bool:
    """Whether the editor shows *spec* as a widget."""
    kind = kind_of_widget(spec)
    known = kind in _EMPTY or kind in {"COMBO", DYNAMIC_COMBO} or kind in _NEVER_SAVED
    return known and not spec.options.get("forceInput")


def is_text(spec: InputSpec) -> bool:
    """Whether its widget holds a text."""
    return kind_of_widget(spec) in {"STRING", "TEXTAREA", "MARKDOWN"}


def control_of(spec: InputSpec) -> bool:
    """Whether a widget that says how it changes follows it."""
    kind = kind_of_widget(spec)
    if kind not in {"INT", "FLOAT", "COMBO"}:
        return False
    told = spec.options.get(CONTROL)
    return bool(kind == "INT" and spec.name in _SEEDS if told is None else told)


def widgets(
    schema: NodeSchema, saved: tuple[Any, ...] | Mapping[str, Any] | None
) -> dict[str, Widget]:
    """The widgets of a node of *schema* by name, in the editor's order, as a file with *saved* has
    them: by position or by name.
    """
    by_name = saved if isinstance(saved, Mapping) else None
    values = deque(_migrated(schema, saved) if isinstance(saved, tuple) else ())
    given = _Saved(values, by_name)
    found: dict[str, Widget] = {}
    waiting = deque(schema.inputs)
    while waiting:
        spec = waiting.popleft()
        if spec.kind == AUTOGROW:
            waiting.extendleft(reversed([each for each in spec.grown if each.required]))
        elif (shows := _NEVER_SAVED.get(kind_of_widget(spec))) is not None:
            found[spec.name] = Widget(spec.name, shows, spec)
        elif is_widget(spec):
            widget = _taken(schema.class_type, spec, given)
            found[spec.name] = widget
            if isinstance(widget.value, str):
                waiting.extendleft(reversed(spec.branches.get(widget.value, ())))
            if control_of(spec):
                found.setdefault(CONTROL, Widget(CONTROL, widget.drawn, spec, control=True))
    if schema.class_type == "CustomCombo" and "choice" in found:
        found |= {each.name: each for each in _own_choices(found["choice"].value, given)}
    return found


def _taken(class_type: str, spec: InputSpec, given: _Saved) -> Widget:
    for _ in range(_BEFORE.get((class_type, spec.name), 0)):
        given.next(None, None)
    kind = kind_of_widget(spec)
    value = _sound(class_type, spec, given.next(spec.name, _default(spec)))
    drawn = None
    if control_of(spec):
        told = given.next(_control_name(spec), None)
        drawn = told if isinstance(told, str) else None
    for _ in range(_AFTER.get(kind, 0)):
        given.next(None, None)
    return Widget(spec.name, value, spec, drawn)


def _sound(class_type: str, spec: InputSpec, value: Any) -> Any:
    """As the editor mends old files."""
    if value is None and spec.kind in {"COMBO", DYNAMIC_COMBO}:
        return spec.choices[0] if spec.choices else None
    old = class_type in _SAMPLERS and spec.name == "sampler_name" and isinstance(value, str)
    return value.removeprefix(_OLD_SAMPLER) if old else value


def _default(spec: InputSpec) -> Any:
    told = spec.options.get("default")
    if told is not None:
        return told
    if spec.kind in {"COMBO", DYNAMIC_COMBO}:
        return spec.choices[0] if spec.choices else None
    return _EMPTY.get(kind_of_widget(spec))


def _control_name(spec: InputSpec) -> str:
    told = spec.options.get(CONTROL)
    return told if isinstance(told, str) else CONTROL


def _migrated(schema: NodeSchema, saved: tuple[Any, ...]) -> tuple[Any, ...]:
    """Without the values of widgets that have become inputs which only a link can feed.

    The editor recognizes such a file by the number of its values.
    """
    forced: list[bool] = []
    for spec in schema.inputs:
        if is_widget(spec) or spec.options.get("forceInput"):
            forced.append(bool(spec.options.get("forceInput")))
            if spec.options.get(CONTROL):
                forced.append(False)
    if not any(forced) or len(forced) != len(saved):
        return saved
    return tuple(value for value, gone in zip(saved, forced, strict=True) if not gone)


def _own_choices(chosen: Any, given: _Saved) -> Iterator[Widget]:
    """The choices that a person wrote into a CustomCombo, and which of them is chosen."""
    given.next("index", None)
    names = [f"option{number}" for number in range(1, len(given.values) + 1)]
    options = [given.next(name, "") for name in names]
    index = options.index(chosen) if chosen in options else -1
    yield Widget("index", index, InputSpec("index", "INT", required=False))
    for name, option in zip(names, options, strict=True):
        yield Widget(name, option or "", InputSpec(name, "STRING", required=False))
