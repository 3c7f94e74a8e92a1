"""The nodes that run, written as the editor would send them."""

from __future__ import annotations

from typing import Any

from comfy_mcp.workflow.schema import Schemas
from comfy_mcp.workflow.ui.cards import Card
from comfy_mcp.workflow.ui.notes import Notes
from comfy_mcp.workflow.ui.parts import UiNode
from comfy_mcp.workflow.ui.places import Place
from comfy_mcp.workflow.ui.promoting import UNSET, Hosts
from comfy_mcp.workflow.ui.reading import is_list
from comfy_mcp.workflow.ui.texts import MARK, chosen, replaced
from comfy_mcp.workflow.ui.tracing import Tracer
from comfy_mcp.workflow.ui.widgets import Widget, is_text

__all__ = ["Sender"]


class Sender:
    """Writes the nodes that run."""

    def __init__(self, schemas: Schemas, hosts: Hosts, running: list[tuple[Place, UiNode]]) -> None:
        self.notes = Notes()
        self._cards = hosts.cards
        self._running = running
        self._tracer = Tracer(schemas, hosts)
        self._named: dict[str, Card] | None = None

    def nodes(self) -> dict[str, dict[str, Any]]:
        """All of them; links to what does not run are left out, as in the editor."""
        made: dict[str, dict[str, Any]] = {}
        for place, node in self._running:
            card = self._cards.card(place.board, node.id)
            if card is not None:
                made[place.id_of(node)] = self._node(place, card)
        for sent in made.values():
            inputs = sent["inputs"]
            for name in [key for key, held in inputs.items() if _leads_nowhere(held, made)]:
                del inputs[name]
        return made

    def _node(self, place: Place, card: Card) -> dict[str, Any]:
        node = card.node
        node_id = place.id_of(node)
        inputs: dict[str, Any] = {}
        drawn: list[Widget] = []
        for widget in card.widgets.values():
            if not widget.control and (widget.value is not None or widget.spec.choices is None):
                inputs[widget.name] = _value(self._text(node_id, widget))
                drawn.append(widget)
        for socket in card.inputs():
            found = self._tracer.source(place, node, socket)
            if found is not None:
                given = found.value is not UNSET
                inputs[socket.name] = _value(found.value) if given else [found.node_id, found.slot]
                drawn = [each for each in drawn if given or each.name != socket.name]
        self.notes.widgets(node_id, card, drawn)
        title = node.title or card.schema.display_name
        return {"class_type": node.type, "inputs": inputs, "_meta": {"title": title}}

    def _text(self, node_id: str, widget: Widget) -> Any:
        value = widget.value
        if not isinstance(value, str) or not is_text(widget.spec):
            return value
        if widget.spec.options.get("dynamicPrompts"):
            value, several = chosen(value)
            if several:
                self.notes.choice(node_id, widget.name)
        if widget.name == "filename_prefix" and MARK in value:
            value = replaced(value, self._widget_value)
        return value

    def _widget_value(self, name: str, widget: str) -> object | None:
        """What a file's name may mention: the value of a widget of the first node of that name."""
        if self._named is None:
            self._named = {}
            cards = [self._cards.card(place.board, node.id) for place, node in self._running]
            for card in [each for each in cards if each is not None]:
                told = card.node.properties.get("Node name for S&R")
                self._named.setdefault(told if isinstance(told, str) else card.node.type, card)
            for card in [each for each in cards if each is not None]:
                self._named.setdefault(card.node.title or card.schema.display_name, card)
        found = self._named.get(name)
        held = found.widgets.get(widget) if found is not None else None
        return None if held is None else held.value


def _value(value: Any) -> Any:
    """A list would be read as a link."""
    return {"__value__": value} if is_list(value) else value


def _leads_nowhere(held: Any, made: dict[str, dict[str, Any]]) -> bool:
    """Whether an input is a link to a node that is not sent."""
    return is_list(held) and held[0] not in made
