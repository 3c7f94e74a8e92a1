"""Where what comes into an input comes from: through reroutes, bypassed nodes and subgraphs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from comfy_mcp.errors import WorkflowError
from comfy_mcp.workflow.flaws import shown
from comfy_mcp.workflow.ui.cards import Cards
from comfy_mcp.workflow.ui.parts import Mode, Socket, UiNode, Workflow
from comfy_mcp.workflow.ui.places import Place
from comfy_mcp.workflow.ui.promoting import PRIMITIVE, UNSET, Hosts

__all__ = ["REROUTES", "VIRTUAL", "Output", "Tracer"]

REROUTES = frozenset({"Reroute"})
VIRTUAL = frozenset({"Note", "MarkdownNote", PRIMITIVE, *REROUTES})
"""Nodes that only the editor knows: none of them is run."""


@dataclass(frozen=True, slots=True)
class Output:
    """An output of a node that runs, or a value."""

    node_id: str = ""
    slot: int = 0
    value: Any = UNSET


@dataclass(frozen=True, slots=True)
class _At:
    """A point on the way: an input by name or an output by its number."""

    place: Place
    node: UiNode
    kind: str | None
    name: str | None = None
    slot: int = 0


class Tracer:
    """Follows links upstream; what was once found out is known."""

    def __init__(self, workflow: Workflow, cards: Cards, hosts: Hosts) -> None:
        self._workflow = workflow
        self._cards = cards
        self._hosts = hosts
        self._known: dict[tuple[int, str, str | None, int, str | None], Output | None] = {}

    def inputs(self, place: Place, node: UiNode) -> list[Socket]:
        """The inputs of a node in the editor's order."""
        if self._workflow.inside(node) is not None:
            return [
                Socket(each.name, each.kind, self._hosts.link(place.board, node.id, at))
                for at, each in enumerate(self._hosts.entries(self._workflow.boards[node.type]))
            ]
        card = self._cards.card(place.board, node.id)
        return list(node.inputs) if card is None else card.inputs()

    def source(self, place: Place, node: UiNode, socket: Socket) -> Output | None:
        """What comes into an input, if anything does.

        Raises:
            WorkflowError: the way there goes in a circle.
        """
        at: _At | None = _At(place, node, socket.kind, socket.name)
        passed: dict[tuple[int, str, str | None, int, str | None], None] = {}
        found: Output | None = None
        while at is not None:
            key = (id(at.place), at.node.id, at.name, at.slot, at.kind)
            if key in self._known:
                found = self._known[key]
                break
            if key in passed:
                raise _circle(place, node, socket, at)
            passed[key] = None
            following = self._step(at)
            if isinstance(following, Output):
                found = following
                break
            at = following
        for key in passed:
            self._known[key] = found
        return found

    def _step(self, at: _At) -> _At | Output | None:
        return self._up(at) if at.name is not None else self._through(at)

    def _up(self, at: _At) -> _At | Output | None:
        """From an input to the output that it is linked to."""
        place, board = at.place, at.place.board
        assert at.name is not None  # noqa: S101 - only inputs come here
        entry = self._hosts.feed(board, at.node.id, at.name)
        if entry is not None and place.host is not None and place.outer is not None:
            return self._out(place.outer, place.host, entry)
        link_id = self._link(at)
        link = board.links.get(link_id) if link_id is not None else None
        origin = board.nodes.get(link.origin) if link is not None else None
        if link is None or origin is None:
            return None
        return _At(place, origin, at.kind, None, link.origin_slot)

    def _link(self, at: _At) -> str | None:
        board = at.place.board
        inside = self._workflow.inside(at.node)
        if inside is None:
            return next((each.link for each in at.node.inputs if each.name == at.name), None)
        names = [each.name for each in self._hosts.entries(inside)]
        return self._hosts.link(board, at.node.id, names.index(at.name)) if at.name in names else None

    def _out(self, place: Place, host: UiNode, entry: int) -> _At | Output | None:
        """Out of a subgraph, to what comes into its node, or what that holds."""
        several = self._hosts.entries(self._workflow.boards[host.type])
        link = self._hosts.link(place.board, host.id, entry)
        fed = self._hosts.feed(place.board, host.id, several[entry].name)
        if link is None and fed is None:
            value = self._hosts.value(place.board, host.id, entry)
            return None if value is UNSET else Output(value=value)
        return _At(place, host, several[entry].kind, several[entry].name)

    def _through(self, at: _At) -> _At | Output | None:
        """From an output of a node to what gives it."""
        place, node = at.place, at.node
        if node.mode == Mode.MUTED:
            return None
        if node.mode == Mode.BYPASSED:
            socket = self._passed(at)
            return None if socket is None else _At(place, node, socket.kind, socket.name)
        if node.id in place.inner:
            return self._into(at, place.inner[node.id])
        if node.type in REROUTES:
            inputs = node.inputs
            return _At(place, node, at.kind, inputs[0].name) if inputs else None
        if node.type == PRIMITIVE:
            held = node.values[0] if isinstance(node.values, tuple) and node.values else UNSET
            return None if held is UNSET else Output(value=held)
        return None if node.type in VIRTUAL else Output(place.id_of(node), at.slot)

    def _into(self, at: _At, inner: Place) -> _At | Output | None:
        board = inner.board
        port = board.outputs[at.slot] if at.slot < len(board.outputs) else None
        link = next((board.links[each] for each in (port.links if port else ()) if each in board.links), None)
        if link is None:
            return None
        if link.origin == board.entry:
            return self._out(at.place, at.node, link.origin_slot) if link.origin_slot < len(self._hosts.entries(board)) else None
        origin = board.nodes.get(link.origin)
        return None if origin is None else _At(inner, origin, at.kind, None, link.origin_slot)

    def _passed(self, at: _At) -> Socket | None:
        """The input that a bypassed node gives on instead of an output."""
        inputs = self.inputs(at.place, at.node)
        wanted, slot = at.kind or "*", at.slot
        if wanted in {"*", ""}:
            return (inputs[slot] if slot < len(inputs) else inputs[0]) if inputs else None
        card = self._cards.card(at.place.board, at.node.id)
        outputs = at.node.outputs
        given = card.output_kind(slot) if card is not None else outputs[slot].kind if slot < len(outputs) else "*"
        fits = [fit(each.kind, given) and fit(each.kind, wanted) for each in inputs]
        if slot < len(inputs) and fits[slot]:
            return inputs[slot]
        exact = next((each for each in inputs if each.kind == wanted), None)
        return exact or next((each for each, good in zip(inputs, fits, strict=True) if good), None)


def fit(one: str, other: str) -> bool:
    """Whether the editor links these types: several have commas between them, ``*`` fits all."""
    if one in {"", "*"} or other in {"", "*"} or one == other:
        return True
    return not {*one.lower().split(",")}.isdisjoint(other.lower().split(","))


def _circle(place: Place, node: UiNode, socket: Socket, at: _At) -> WorkflowError:
    name = f"Node {shown(place.id_of(node))} ({shown(node.type)}), input {shown(socket.name)}"
    by = f"node {shown(at.place.id_of(at.node))} ({shown(at.node.type)})"
    return WorkflowError(
        f"{name}: the way back to what feeds it goes in a circle at {by}. Cut one of the links.",
        node_id=place.id_of(node),
        input_name=socket.name,
    )
