"""Which widgets the editor gives a node, and which of a file's values belongs to which.

Source of the facts: what ComfyUI's frontend 1.49 does when it loads a file, class by class.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from comfy_mcp.workflow.schema import AUTOGROW, DYNAMIC_COMBO, InputSpec, NodeSchema

__all__ = [
    "FIXED",
    "Given",
    "Widget",
    "is_text",
    "is_widget",
    "kind_of_widget",
    "laid_out",
    "widgets",
]

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

_CONTROLS = frozenset({"", CONTROL})
"""Names that several widgets of a node may have."""

_MOST_VALUES = 1_000
"""Of one node: more than that is no work of the editor's."""

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
class Given:
    """The values of a file, given out one by one; what there is none for keeps its default."""

    values: deque[Any]
    names: Mapping[str, Any] | None = None
    asked: list[str] = field(default_factory=list[str])

    @classmethod
    def of(cls, values: Iterable[Any], named: Mapping[str, Any]) -> Given:
        """By position if there are such, else by name."""
        by_place = deque(values)
        return cls(by_place, None if by_place or not named else named)

    def next(self, name: str, default: Any) -> Any:
        """The value of the widget that comes next."""
        self.asked.append(name)
        if self.names is not None:
            return self.names.get(name, default)
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


def _control_of(spec: InputSpec) -> bool:
    """Whether a widget that says how it changes follows it."""
    kind = kind_of_widget(spec)
    if kind not in {"INT", "FLOAT", "COMBO"}:
        return False
    told = spec.options.get(CONTROL)
    return bool(kind == "INT" and spec.name in _SEEDS if told is None else told)


def widgets(
    schema: NodeSchema, saved: tuple[Any, ...], named: Mapping[str, Any]
) -> dict[str, Widget]:
    """The widgets of a node of *schema* by name, in the editor's order, with the values of a file.

    They count by position, as in the editor. Where the class has got or lost widgets since the file
    was saved, those by name are right and those by position are not: then the former count.
    """
    by_place = Given(deque(_migrated(schema, saved)))
    found = laid_out(schema, by_place)
    if (not saved or _moved(by_place.asked, named)) and named and not _stale(saved, named):
        return laid_out(schema, Given(deque(), named))
    return found


def _stale(saved: tuple[Any, ...], named: Mapping[str, Any]) -> bool:
    """Whether somebody changed the values by position only, which are those that count."""
    if not saved:
        return False
    many = len(saved) > _MOST_VALUES or len(named) > _MOST_VALUES
    return many or any(value not in saved for value in named.values())


def _moved(asked: list[str], named: Mapping[str, Any]) -> bool:
    """Whether a widget had another place when the file was saved."""
    now = {name: at for at, name in enumerate(name for name in asked if name not in _CONTROLS)}
    then = {name: at for at, name in enumerate(name for name in named if name not in _CONTROLS)}
    return any(then[name] != at for name, at in now.items() if name in then)


def laid_out(
    schema: NodeSchema, given: Given, name_of: Callable[[str], str] = str
) -> dict[str, Widget]:
    """The widgets of a node with the values that are *given*, by the names that *name_of* gives."""
    found: dict[str, Widget] = {}
    waiting = deque(schema.inputs)
    while waiting:
        spec = waiting.popleft()
        if spec.kind == AUTOGROW:
            waiting.extendleft(reversed([each for each in spec.grown if each.required]))
        elif (shows := _NEVER_SAVED.get(kind_of_widget(spec))) is not None:
            found[spec.name] = Widget(spec.name, shows, spec)
        elif is_widget(spec):
            widget = found[spec.name] = _taken(schema.class_type, spec, given, name_of)
            if isinstance(widget.value, str):
                waiting.extendleft(reversed(spec.branches.get(widget.value, ())))
            if _control_of(spec):
                found.setdefault(CONTROL, Widget(CONTROL, widget.drawn, spec, control=True))
    if schema.class_type == "CustomCombo" and "choice" in found:
        found |= {each.name: each for each in _own_choices(found["choice"].value, given)}
    return found


def _taken(class_type: str, spec: InputSpec, given: Given, name_of: Callable[[str], str]) -> Widget:
    for _ in range(_BEFORE.get((class_type, spec.name), 0)):
        given.next("", None)
    kind = kind_of_widget(spec)
    value = _sound(class_type, spec, given.next(name_of(spec.name), _default(spec)))
    drawn = None
    if _control_of(spec):
        told = given.next(_control_name(spec), None)
        drawn = told if isinstance(told, str) else None
    for _ in range(_AFTER.get(kind, 0)):
        given.next("", None)
    return Widget(spec.name, value, spec, drawn)


def _sound(class_type: str, spec: InputSpec, value: Any) -> Any:
    """As the editor mends old files."""
    if value is None and spec.kind in {"COMBO", DYNAMIC_COMBO}:
        return spec.choices[0] if spec.choices else None
    if class_type in _SAMPLERS and spec.name == "sampler_name" and isinstance(value, str):
        return value.removeprefix(_OLD_SAMPLER)
    return value


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


def _own_choices(chosen: Any, given: Given) -> Iterator[Widget]:
    """The choices that a person wrote into a CustomCombo, and which of them is chosen."""
    given.next("index", None)
    count = len(given.values) if given.names is None else len(given.names)
    names = [f"option{number}" for number in range(1, min(count, _MOST_VALUES) + 1)]
    options = [given.next(name, "") for name in names]
    index = options.index(chosen) if chosen in options else -1
    yield Widget("index", index, InputSpec("index", "INT", required=False))
    for name, option in zip(names, options, strict=True):
        yield Widget(name, option or "", InputSpec(name, "STRING", required=False))
