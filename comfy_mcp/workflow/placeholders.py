"""Parameters that a graph names itself: values such as ``PARAM_PROMPT`` or ``PARAM_INT_STEPS``.

A placeholder is the whole of a value. A type may stand before its name (STR, STRING, TEXT, INT,
FLOAT, BOOL, IMAGE); without one it is what the host says of the input, or a text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from comfy_mcp.errors import WorkflowError
from comfy_mcp.workflow.accept import Kind
from comfy_mcp.workflow.flaws import listed, shown
from comfy_mcp.workflow.graph import Graph
from comfy_mcp.workflow.inputs import Slot, ordered, parameter, spec_of
from comfy_mcp.workflow.manifest import Manifest, Parameter
from comfy_mcp.workflow.schema import Schemas

__all__ = ["MOST", "placeholders"]

MOST = 100
"""Parameters that a workflow may have."""

_PLACEHOLDER = re.compile(r"PARAM_[A-Z0-9_]+")
_TYPES: dict[str, Kind] = {
    "STR": "string",
    "STRING": "string",
    "TEXT": "string",
    "INT": "integer",
    "FLOAT": "number",
    "BOOL": "boolean",
    "IMAGE": "image",
}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


def placeholders(graph: Graph, schemas: Schemas | None = None) -> tuple[Graph, Manifest] | None:
    """*graph* with what its placeholders say that it takes; None if it has none.

    Several places of one name are filled together. Each parameter has to be given, but a seed is
    drawn. The placeholders stay in the graph: filling it leaves none of them.

    Raises:
        WorkflowError: a placeholder has no name, or two of one name have different types.
    """
    found: dict[str, list[Slot]] = {}
    kinds: dict[str, set[Kind]] = {}
    for slot, text in _places(graph, schemas):
        name, kind = _read(text, slot)
        found.setdefault(name, []).append(slot)
        if kind is not None:
            kinds.setdefault(name, set()).add(kind)
    if not found:
        return None
    if len(found) > MOST:
        raise WorkflowError(
            f"The graph has placeholders of {len(found)} names, more than the {MOST} allowed."
        )
    made = tuple(_made(name, slots, kinds.get(name, set())) for name, slots in found.items())
    return graph, Manifest(title="Workflow", parameters=made)


def _places(graph: Graph, schemas: Schemas | None) -> Iterator[tuple[Slot, str]]:
    for node in ordered(graph):
        for name, value in sorted(node.inputs.items()):
            if isinstance(value, str) and _PLACEHOLDER.fullmatch(value):
                yield Slot(node, name, spec_of(node, name, schemas)), value


def _read(text: str, slot: Slot) -> tuple[str, Kind | None]:
    """The name of a placeholder, and the type that stands in it."""
    first, _, rest = text.removeprefix("PARAM_").partition("_")
    kind = _TYPES.get(first) if rest else None
    name = (rest if kind else text.removeprefix("PARAM_")).strip("_").lower()
    if not _NAME.fullmatch(name):
        raise WorkflowError(
            f"Node {shown(slot.node.id)}, input {shown(slot.input)}: {shown(text)} names no"
            " parameter. Write PARAM_ and a name that begins with a letter, such as"
            " PARAM_INT_STEPS.",
            node_id=slot.node.id,
            input_name=slot.input,
        )
    return name, kind


def _made(name: str, slots: list[Slot], kinds: set[Kind]) -> Parameter:
    if len(kinds) > 1:
        first = slots[0]
        raise WorkflowError(
            f"The placeholders of {name} have several types: {listed(sorted(kinds))}. Give all of"
            " them the same, or different names.",
            node_id=first.node.id,
            input_name=first.input,
        )
    kind = next(iter(kinds), None)
    if _is_seed(name) and kind in {None, "integer"}:
        kind = "seed"
    return parameter(name, slots, kind=kind, description=_words(name, slots))


def _is_seed(name: str) -> bool:
    return name == "seed" or name.endswith("_seed")


def _words(name: str, slots: list[Slot]) -> str:
    where = ", ".join(f"{shown(each.node.class_type)}.{shown(each.input)}" for each in slots[:3])
    more = f" and {len(slots) - 3} more" if len(slots) > 3 else ""  # noqa: PLR2004 - those shown
    return f"{name.replace('_', ' ').capitalize()}, for {where}{more}."
