"""Where what comes into an input comes from: through reroutes, bypassed nodes and subgraphs.

The rules are those of the editor. A muted node gives nothing. A bypassed one gives on the input at
the same place if its type fits, else the first of exactly the wanted type, else the first that
fits. Unlike the editor, which loses it, the value of a primitive node is followed through reroutes
and into subgraphs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from comfy_mcp.errors import WorkflowError
from comfy_mcp.workflow.flaws import shown
from comfy_mcp.workflow.schema import Schemas
from comfy_mcp.workflow.ui.parts import Mode, Socket, UiNode
from comfy_mcp.workflow.ui.places import Place
from comfy_mcp.workflow.ui.promoting import PRIMITIVE, UNSET, Hosts
from comfy_mcp.workflow.ui.virtual import GET, REROUTES, SET, is_virtual

__all__ = ["Source", "Tracer"]

_ANY = frozenset({"", "*"})

_MOST_WORK = 3_000_000
"""Types that may be compared with one another for bypassed nodes: some seconds."""


@dataclass(frozen=True, slots=True)
class Source:
    """An output of a node that runs; or a *value*."""

    node_id: str = ""
    slot: int = 0
    value: Any = UNSET


@dataclass(frozen=True, slots=True)
class _At:
    """A point on the way upstream: the input *name* of a node, or without one its output *slot*.

    *kind* is the type that is wanted there.
    """

    place: Place
    node: UiNode
    kind: str
    name: str | None = None
    slot: int = 0


class Tracer:
    """Follows links upstream; a way once gone is known."""

    def __init__(self, schemas: Schemas, hosts: Hosts) -> None:
        self._schemas = schemas
        self._cards = hosts.cards
        self._hosts = hosts
        self._known: dict[tuple[object, ...], Source | None] = {}
        self._setters: dict[str, dict[str, UiNode]] = {}
        self._links: dict[tuple[str, str], dict[str, str | None]] = {}
        self._work = _MOST_WORK

    def source(self, place: Place, node: UiNode, socket: Socket) -> Source | None:
        """What comes into an input, if anything does.

        Raises:
            WorkflowError: the way there goes in a circle.
        """
        following: _At | Source | None = _At(place, node, socket.kind, socket.name)
        passed: dict[tuple[object, ...], None] = {}
        while isinstance(following, _At):
            at = following
            key: tuple[object, ...] = (id(at.place), at.node.id, at.name, at.slot, at.kind)
            if key in passed:
                raise _circle(place, node, socket, at)
            if key in self._known:
                following = self._known[key]
                break
            passed[key] = None
            following = self._up(at, at.name) if at.name is not None else self._through(at)
        for key in passed:
            self._known[key] = following
        return following

    def _up(self, at: _At, name: str) -> _At | Source | None:
        """From an input to the output that it is linked to."""
        place, board = at.place, at.place.board
        entry = self._hosts.feed(board, at.node.id, name)
        if entry is not None and place.host is not None and place.outer is not None:
            return self._out(place.outer, place.host, entry)
        host = self._hosts.host(board, at.node.id)
        link_id = (self._own_links(at) if host is None else host.links).get(name)
        link = board.links.get(link_id) if link_id is not None else None
        origin = board.nodes.get(link.origin) if link is not None else None
        if link is None or origin is None:
            return None
        return _At(place, origin, at.kind, None, link.origin_slot)

    def _own_links(self, at: _At) -> Mapping[str, str | None]:
        key = (at.place.board.id, at.node.id)
        if key not in self._links:
            self._links[key] = {each.name: each.link for each in at.node.inputs}
        return self._links[key]

    def _out(self, place: Place, node: UiNode, index: int) -> _At | Source | None:
        """Out of a subgraph: to what is linked to its node, or else to what that holds."""
        host = self._hosts.host(place.board, node.id)
        entries = self._hosts.entries(host.inside) if host is not None else []
        if host is None or index >= len(entries):
            return None
        entry = entries[index]
        fed = self._hosts.feed(place.board, node.id, entry.name)
        if host.links.get(entry.name) is None and fed is None:
            value = self._hosts.value(host, index)
            return None if value is UNSET else Source(value=value)
        return _At(place, node, entry.kind, entry.name)

    def _through(self, at: _At) -> _At | Source | None:
        """From an output of a node to what gives it."""
        place, node = at.place, at.node
        if node.mode == Mode.BYPASSED:
            return self._past(at)
        if node.mode == Mode.MUTED or node.id in place.inner:
            return None if node.mode == Mode.MUTED else self._into(at, place.inner[node.id])
        if is_virtual(node.type, self._schemas):
            return self._virtual(at)
        return Source(place.id_of(node), at.slot)

    def _virtual(self, at: _At) -> _At | Source | None:
        """From an output of a node that only the editor knows."""
        node = at.node
        if node.type in REROUTES and node.inputs:
            return _At(at.place, node, at.kind, node.inputs[0].name)
        if node.type == PRIMITIVE and node.values:
            return Source(value=node.values[0])
        return self._got(at) if node.type == GET else None

    def _into(self, at: _At, inner: Place) -> _At | Source | None:
        """Into a subgraph: to what is linked to its output inside."""
        board = inner.board
        links = board.outputs[at.slot].links if at.slot < len(board.outputs) else ()
        link = next((board.links[each] for each in links if each in board.links), None)
        if link is None:
            return None
        if link.origin == board.entry:
            return self._out(at.place, at.node, link.origin_slot)
        origin = board.nodes.get(link.origin)
        return None if origin is None else _At(inner, origin, at.kind, None, link.origin_slot)

    def _got(self, at: _At) -> _At | None:
        """To the node that sets a name, here or where the subgraph is used."""
        name = _name_of(at.node)
        place: Place | None = at.place
        while place is not None and name is not None:
            board = place.board
            if board.id not in self._setters:
                several = (each for each in board.nodes.values() if each.type == SET)
                self._setters[board.id] = {_name_of(each) or "": each for each in several}
            found = self._setters[board.id].get(name)
            if found is not None and found.inputs:
                return _At(place, found, at.kind, found.inputs[0].name)
            place = place.outer
        return None

    def _past(self, at: _At) -> _At | None:
        """To the input that a bypassed node gives on."""
        inputs = self._inputs(at.place, at.node)
        card = self._cards.card(at.place.board, at.node.id)
        if card is not None:
            given = card.output_kind(at.slot)
        else:
            outputs = at.node.outputs
            given = outputs[at.slot].kind if at.slot < len(outputs) else "*"
        self._work -= (1 + at.kind.count(",")) * sum(1 + each.kind.count(",") for each in inputs)
        if self._work < 0:
            raise WorkflowError(
                f"Node {shown(at.place.id_of(at.node))} ({shown(at.node.type)}) and others are"
                " bypassed, and have too many inputs and outputs for that. Take them out."
            )
        found = _chosen(inputs, at.slot, at.kind, given)
        return None if found is None else _At(at.place, at.node, found.kind, found.name)

    def _inputs(self, place: Place, node: UiNode) -> list[Socket]:
        host = self._hosts.host(place.board, node.id)
        if host is not None:
            return [Socket(each.name, each.kind) for each in self._hosts.entries(host.inside)]
        card = self._cards.card(place.board, node.id)
        return list(node.inputs) if card is None else card.inputs()


def _chosen(inputs: list[Socket], slot: int, wanted: str, given: str) -> Socket | None:
    at_place = inputs[slot] if slot < len(inputs) else None
    if wanted in _ANY:
        return at_place or next(iter(inputs), None)
    fitting = (each for each in inputs if _fits(each.kind, given) and _fits(each.kind, wanted))
    if at_place and _fits(at_place.kind, given) and _fits(at_place.kind, wanted):
        return at_place
    exact = next((each for each in inputs if each.kind == wanted), None)
    return exact or next(fitting, None)


def _fits(one: str, other: str) -> bool:
    """Whether the editor links these types: several have commas between them, ``*`` fits all."""
    if one in _ANY or other in _ANY or one == other:
        return True
    if "," not in one and "," not in other:
        return one.lower() == other.lower()
    return not {*one.lower().split(",")}.isdisjoint(other.lower().split(","))


def _name_of(node: UiNode) -> str | None:
    """The name that a node sets or gets."""
    name = node.values[0] if node.values else None
    return name if isinstance(name, str) else None


def _circle(place: Place, node: UiNode, socket: Socket, at: _At) -> WorkflowError:
    name = f"Node {shown(place.id_of(node))} ({shown(node.type)}), input {shown(socket.name)}"
    by = f"node {shown(at.place.id_of(at.node))} ({shown(at.node.type)})"
    return WorkflowError(
        f"{name}: the way back to what feeds it goes in a circle at {by}. Cut one of the links.",
        node_id=place.id_of(node),
        input_name=shown(socket.name),
    )
