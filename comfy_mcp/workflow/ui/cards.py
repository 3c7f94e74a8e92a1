"""What the file and the host together say about each node: its widgets and its sockets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from comfy_mcp.workflow.schema import AUTOGROW, DYNAMIC_COMBO, MATCH, InputSpec, NodeSchema, Schemas
from comfy_mcp.workflow.ui.parts import Board, Socket, UiNode
from comfy_mcp.workflow.ui.widgets import Widget, is_widget, widgets

__all__ = ["Card", "Cards"]


@dataclass(slots=True)
class Card:
    """One node with its class; *widgets* by name, in the editor's order."""

    node: UiNode
    schema: NodeSchema
    widgets: dict[str, Widget]

    def inputs(self) -> list[Socket]:
        """Its inputs in the editor's order; those of the file that its class no longer has last."""
        saved = {socket.name: socket for socket in self.node.inputs}
        specs = list(_active(self.schema, self.widgets))
        specs.sort(key=is_widget)
        own: dict[str, Socket] = {}
        for spec in specs:
            if spec.kind == AUTOGROW or spec.options.get("socketless"):
                continue
            told = saved.get(spec.name)
            if told is None and spec.name in self._grown and not spec.required:
                continue
            own[spec.name] = Socket(
                spec.name, _kind(spec), told.link if told else None, widget=spec.name if is_widget(spec) else None
            )
        groups = [f"{spec.name}." for spec in self.schema.inputs if spec.kind == DYNAMIC_COMBO]
        for name, socket in saved.items():
            stale = socket.widget is not None or any(name.startswith(each) for each in groups)
            if name not in own and not stale:
                own[name] = socket
        return list(own.values())

    @property
    def _grown(self) -> set[str]:
        return {
            each.name
            for spec in _active(self.schema, self.widgets)
            for each in spec.grown
        }

    def output_kind(self, slot: int) -> str:
        """The type of an output."""
        if slot < len(self.schema.outputs):
            return self.schema.outputs[slot].kind
        return self.node.outputs[slot].kind if slot < len(self.node.outputs) else "*"

    def widget_at(self, socket: str) -> str | None:
        """The widget that an input stands for."""
        if socket in self.widgets:
            return socket
        told = next((each.widget for each in self.node.inputs if each.name == socket), None)
        return told if told in self.widgets else None

    def socket_of(self, widget: str) -> str | None:
        """The input that a widget has; None: it has none."""
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
            self._found[key] = self._made(board.nodes.get(node_id))
        return self._found[key]

    def _made(self, node: UiNode | None) -> Card | None:
        schema = self._schemas.get(node.type) if node is not None else None
        if node is None or schema is None:
            return None
        return Card(node, schema, widgets(schema, node.values))

    def hold(self, board: Board, node_id: str, name: str, value: Any) -> None:
        """Let a widget hold *value* instead of what the file says."""
        card = self.card(board, node_id)
        if card is not None and name in card.widgets:
            old = card.widgets[name]
            card.widgets[name] = Widget(name, value, old.spec, old.drawn)


def _active(schema: NodeSchema, held: dict[str, Widget]) -> Iterator[InputSpec]:
    waiting = list(reversed(schema.inputs))
    while waiting:
        spec = waiting.pop()
        yield spec
        waiting.extend(reversed(spec.grown))
        if spec.branches and spec.name in held:
            value = held[spec.name].value
            branch = spec.branches.get(value, ()) if isinstance(value, str) else ()
            waiting.extend(reversed(branch))


def _kind(spec: InputSpec) -> str:
    if spec.kind == MATCH:
        template = spec.options.get("template")
        allowed = template.get("allowed_types") if isinstance(template, dict) else None
        return allowed if isinstance(allowed, str) else "*"
    return spec.kind
