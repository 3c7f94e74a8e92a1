"""Types of inputs and outputs, and how to get from one to another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

from comfy_mcp.workflow.schema import AUTOGROW, DYNAMIC_COMBO, MATCH, InputSpec, NodeSchema

if TYPE_CHECKING:
    from comfy_mcp.knowledge.index import Entry

__all__ = [
    "ANY",
    "VALUE_KINDS",
    "Step",
    "gives",
    "kind_of",
    "kinds_of",
    "linked",
    "needed",
    "path",
    "takes",
    "widgets",
]

ANY = "*"

VALUE_KINDS = frozenset({"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"})
"""Types of plain values: everything can be made from them, so no way leads through them."""

LONGEST_PATH = 8

NODE, CIRCULAR, OPTIONAL = 100, 200, 20
"""What a node on the way costs, and what it costs more if it needs what is to be made."""

ORIGIN, ENDING, ASIDE, TRIAL = 20, 60, 30, 20
"""What it costs more for each step away from ComfyUI's first nodes, and for other doubts.

The first nodes are what most workflows are made of; ENDING: who saves something is no way to
anything; ASIDE: the type is not its first output; TRIAL: it is experimental.
"""


@dataclass(frozen=True, slots=True)
class Step:
    """One node on a way: it takes *before* and gives *after*."""

    class_type: str
    before: str
    after: str


def kind_of(spec: InputSpec) -> str:
    """The type in ComfyUI's plain words: several with commas between, ``*`` for any."""
    if spec.kind == DYNAMIC_COMBO:
        return "COMBO"
    if spec.kind == MATCH:
        told: Any = spec.options.get("template")
        try:
            allowed = told["allowed_types"]
        except (TypeError, LookupError):
            return ANY
        return allowed if isinstance(allowed, str) and allowed else ANY
    return spec.kind


def kinds_of(spec: InputSpec) -> frozenset[str]:
    """Each of the types that may be linked to *spec*."""
    return frozenset(each.strip() for each in kind_of(spec).split(",") if each.strip())


def takes(schema: NodeSchema) -> frozenset[str]:
    """The types of all inputs that *schema* has, or may have."""
    specs = (spec for spec in schema.every() if spec.kind != AUTOGROW)
    return frozenset(kind for spec in specs for kind in kinds_of(spec))


def linked(schema: NodeSchema) -> frozenset[str]:
    """The types of inputs that are a link and nothing else, or a text of many lines.

    Such a text is what a node is about; one line is a name, a prefix, a setting.
    """
    specs = (spec for spec in schema.every() if spec.kind != AUTOGROW)
    chosen = (spec for spec in specs if not spec.holds_value or spec.options.get("multiline"))
    return frozenset(kind for spec in chosen for kind in kinds_of(spec))


def needed(schema: NodeSchema) -> frozenset[str]:
    """The types of links without which it does not run."""
    specs = (spec for spec in schema.inputs if spec.required and not spec.holds_value)
    return frozenset(kind for spec in specs for kind in kinds_of(spec))


def widgets(schema: NodeSchema, kind: str) -> list[str]:
    """The names of inputs of type *kind*, in any case, that hold a value where no link is."""
    wanted = kind.casefold()
    found = (spec for spec in schema.every() if spec.kind != AUTOGROW and spec.holds_value)
    return [spec.name for spec in found if wanted in {each.casefold() for each in kinds_of(spec)}]


def gives(schema: NodeSchema) -> frozenset[str]:
    """The types of all outputs of *schema*."""
    return frozenset(
        kind.strip() for output in schema.outputs for kind in output.kind.split(",") if kind.strip()
    )


def path(
    entries: Iterable[Entry], start: str, end: str, usable: Callable[[NodeSchema], bool]
) -> tuple[Step, ...]:
    """The shortest way from type *start* to type *end*, with what needs least besides.

    Empty if there is none within eight nodes. Nodes that take or give anything are no way.
    """
    steps = _steps((entry for entry in entries if usable(entry.schema)), end)
    waiting: list[tuple[int, int, tuple[Step, ...]]] = [(0, 0, ())]
    seen: set[str] = set()
    pushed = 0
    while waiting:
        cost, _, way = heappop(waiting)
        here = way[-1].after if way else start
        if here == end and way:
            return way
        if here in seen or len(way) >= LONGEST_PATH:
            continue
        seen.add(here)
        if way and here in VALUE_KINDS:
            continue
        for more, step in steps.get(here, ()):
            pushed += 1
            heappush(waiting, (cost + more, pushed, (*way, step)))
    return ()


def _steps(entries: Iterable[Entry], end: str) -> dict[str, list[tuple[int, Step]]]:
    """What leads on from each type: the cheapest node for each pair of types, with its cost."""
    best: dict[tuple[str, str], tuple[int, int, str]] = {}
    for entry in entries:
        for pair, cost in _crossings(entry, end):
            name = entry.schema.class_type
            found = (cost, len(name), name)
            best[pair] = min(found, best.get(pair, found))
    steps: dict[str, list[tuple[int, Step]]] = {}
    for (before, after), (cost, _, name) in sorted(best.items()):
        steps.setdefault(before, []).append((cost, Step(name, before, after)))
    return steps


def _crossings(entry: Entry, end: str) -> Iterator[tuple[tuple[str, str], int]]:
    """(type in, type out) and what it costs: a node counts most, then what it needs besides.

    One that needs what is to be made is hardly a way to make it.
    """
    plugs = [spec for spec in entry.schema.inputs if spec.required and not spec.holds_value]
    special = len(entry.schema.inputs) + 2 * len(entry.schema.outputs)
    special += ORIGIN * entry.origin + ENDING * entry.schema.output_node
    special += TRIAL * entry.schema.experimental
    first = entry.schema.outputs[0].kind if entry.schema.outputs else ""
    for spec in entry.schema.inputs:
        others = [each for each in plugs if each is not spec]
        circular = any(end in kinds_of(each) for each in others)
        cost = NODE + special + 3 * len(others) + (0 if spec.required else OPTIONAL)
        for before in kinds_of(spec) - {ANY}:
            for after in entry.gives - {ANY, before}:
                aside = ASIDE * (after not in first.split(","))
                yield (before, after), cost + aside + CIRCULAR * circular
