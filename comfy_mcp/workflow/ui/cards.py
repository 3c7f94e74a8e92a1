"""What a file and the host together say about a node: its widgets and its inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from comfy_mcp.workflow.schema import AUTOGROW, DYNAMIC_COMBO, MATCH, InputSpec, NodeSchema, Schemas
from comfy_mcp.workflow.ui.parts import Board, Socket, UiNode
from comfy_mcp.workflow.ui.reading import is_object
from comfy_mcp.workflow.ui.widgets import Widget, is_widget, widgets

__all__ = ["Card", "Cards", "kind_of_input"]


@dataclass(slots=True)
class Card:
    """One node and its class; *widgets* by name, in the editor's order.

    *stands_for*: the widgets of inputs, as the file says.
    """

    node: UiNode
    schema: NodeSchema
    widgets: dict[str, Widget]
    stands_for: Mapping[str, str]

    def inputs(self) -> list[Socket]:
        """Its inputs in the editor's order: links', widgets', and what only the file knows.

        Of the latter those that were a widget, or belong to a choice not taken, are gone.
        """
        saved = {socket.name: socket for socket in self.node.inputs}
        specs = list(_active(self.schema.inputs, self.widgets))
        grown = {each.name for spec in specs for each in spec.grown if not each.required}
        own: dict[str, Socket] = {}
        for spec in sorted(specs, key=is_widget):
            hidden = spec.kind == AUTOGROW or spec.options.get("socketless")
            told = saved.get(spec.name)
            if not hidden and (told is not None or spec.name not in grown):
                link = told.link if told is not None else None
                own[spec.name] = Socket(spec.name, kind_of_input(spec), link)
        groups = tuple(f"{spec.name}." for spec in specs if spec.kind == DYNAMIC_COMBO)
        for name, socket in saved.items():
            if socket.widget is None and not name.startswith(groups):
                own.setdefault(name, socket)
        return list(own.values())

    def output_kind(self, slot: int) -> str:
        """The type of an output; ``*`` where the class has no such output."""
        outputs = self.schema.outputs
        return outputs[slot].kind if slot < len(outputs) else "*"

    def widget_at(self, name: str) -> str | None:
        """The widget that the input *name* stands for."""
        if name in self.widgets:
            return name
        told = self.stands_for.get(name)
        return told if told in self.widgets else None

    def input_of(self, widget: str) -> str | None:
        """The input that can stand for a widget."""
        found = self.widgets.get(widget)
        if found is None or found.control or found.spec.options.get("socketless"):
            return None
        return widget


class Cards:
    """The nodes of all boards whose class the host has."""

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas
        self._found: dict[tuple[str, str], Card | None] = {}

    def card(self, board: Board, node_id: str) -> Card | None:
        """That of a node of *board*; None: there is no such node, or the host lacks its class."""
        key = (board.id, node_id)
        if key not in self._found:
            node = board.nodes.get(node_id)
            schema = self._schemas.get(node.type) if node is not None else None
            made = None
            if node is not None and schema is not None:
                stands_for = {each.name: each.widget for each in node.inputs if each.widget}
                held = widgets(schema, node.values, node.named)
                made = Card(node, schema, held, stands_for)
            self._found[key] = made
        return self._found[key]

    def hold(self, board: Board, node_id: str, name: str, value: Any) -> None:
        """Let the widget of the input *name*, if it has one, hold *value* instead."""
        card = self.card(board, node_id)
        widget = card.widget_at(name) if card is not None else None
        if card is not None and widget is not None:
            card.widgets[widget] = replace(card.widgets[widget], value=value)


def _active(specs: tuple[InputSpec, ...], held: Mapping[str, Widget]) -> Iterator[InputSpec]:
    """The inputs that there are with these widgets; of a choice that nobody knows none."""
    waiting = list(reversed(specs))
    while waiting:
        spec = waiting.pop()
        yield spec
        waiting.extend(reversed(spec.grown))
        value = held[spec.name].value if spec.name in held else None
        if isinstance(value, str):
            waiting.extend(reversed(spec.branches.get(value, ())))


def kind_of_input(spec: InputSpec) -> str:
    """The types that may be linked to an input, with commas between them."""
    if spec.kind != MATCH:
        return spec.kind
    template = spec.options.get("template")
    allowed = template.get("allowed_types") if is_object(template) else None
    return allowed if isinstance(allowed, str) else "*"
