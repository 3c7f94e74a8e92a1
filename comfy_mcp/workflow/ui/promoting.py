"""What comes into a subgraph: its inputs, and the values that its nodes hold for inner widgets.

A subgraph node shows widgets of nodes inside it. The file says so by linking the inner input to an
input of the subgraph; older files name the inner widgets instead, see `proxies`. What the node
holds counts, unless something is linked to that input; what the inner widget holds counts where the
node holds nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from comfy_mcp.workflow.ui.cards import Cards
from comfy_mcp.workflow.ui.parts import Board, UiNode, Workflow
from comfy_mcp.workflow.ui.reading import is_list, is_object

__all__ = ["PRIMITIVE", "UNSET", "Entry", "Host", "Hosts"]

UNSET: Any = object()
"""No value: not even null."""

PRIMITIVE = "PrimitiveNode"


@dataclass(slots=True)
class Entry:
    """An input of a board, and the inputs inside that it feeds, by node id and name."""

    name: str
    kind: str
    fed: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


@dataclass(slots=True)
class Host:
    """A subgraph node: the links to its inputs by name, and what it holds for them by index."""

    node: UiNode
    inside: Board
    links: Mapping[str, str | None]
    values: dict[int, Any] = field(default_factory=dict[int, Any])


class Hosts:
    """The inputs of all boards and the subgraph nodes on them."""

    def __init__(self, workflow: Workflow, cards: Cards) -> None:
        self.cards = cards
        self._workflow = workflow
        self._entries: dict[str, list[Entry]] = {}
        self._names: dict[str, dict[str, int]] = {}
        self._feeds: dict[str, dict[tuple[str, str], int]] = {}
        self._shown: dict[tuple[str, int], tuple[str, str]] = {}
        self._showing: dict[str, dict[tuple[str, str], int]] = {}
        self._shown_names: dict[str, dict[str, int]] = {}
        self._numbers: dict[tuple[str, str], int] = {}
        self._primitives: dict[str, dict[str, list[tuple[str, str]]]] = {}
        self._hosts: dict[tuple[str, str], Host] = {}

    def read(self, board: Board) -> None:
        """Take *board* in; those within it were taken in before."""
        self._read(board)
        for node in board.nodes.values():
            inside = self._workflow.inside(node)
            if inside is not None:
                links = {socket.name: socket.link for socket in node.inputs}
                self._add(board, Host(node, inside, links))
        for index in range(len(board.inputs)):
            self._show(board, index)

    def of(self, board: Board) -> Iterator[Host]:
        """The subgraph nodes on *board*."""
        found = (self._hosts.get((board.id, node_id)) for node_id in board.nodes)
        return (host for host in found if host is not None)

    def host(self, board: Board, node_id: str) -> Host | None:
        """A subgraph node on *board*."""
        return self._hosts.get((board.id, node_id))

    def entries(self, board: Board) -> list[Entry]:
        """The inputs of *board*, also those that older files only name."""
        return self._entries[board.id]

    def index(self, board: Board, name: str) -> int | None:
        """Which input of *board* has that name."""
        return self._names[board.id].get(name)

    def feed(self, board: Board, node_id: str, name: str) -> int | None:
        """Which input of *board* feeds the input *name* of a node on it."""
        return self._feeds[board.id].get((node_id, name))

    def shown(self, board: Board, index: int) -> tuple[str, str] | None:
        """The inner node, and its widget or input, that an input of *board* shows as a widget."""
        return self._shown.get((board.id, index))

    def showing(self, board: Board, node_id: str, name: str) -> int | None:
        """Which input of *board* shows that widget or input of an inner node."""
        return self._showing[board.id].get((node_id, name))

    def shown_as(self, board: Board, name: str) -> int | None:
        """Which input of *board* has that name, or else shows a widget of that name."""
        index = self._names[board.id].get(name)
        if index is not None and self.shown(board, index) is not None:
            return index
        return self._shown_names[board.id].get(name)

    def of_primitive(self, board: Board, node_id: str) -> list[tuple[str, str]]:
        """The inputs that a primitive node on *board* feeds."""
        if board.id not in self._primitives:
            found = self._primitives[board.id] = dict[str, list[tuple[str, str]]]()
            for link in board.links.values():
                origin, target = board.nodes.get(link.origin), board.nodes.get(link.target)
                if origin is None or target is None or origin.type != PRIMITIVE:
                    continue
                if link.target_slot < len(target.inputs):
                    name = target.inputs[link.target_slot].name
                    found.setdefault(origin.id, []).append((target.id, name))
        return self._primitives[board.id].get(node_id, [])

    def value(self, host: Host, index: int) -> Any:
        """What a subgraph node gives for its input *index*; `UNSET`: that is no widget."""
        while True:
            shown = self.shown(host.inside, index)
            if shown is None or index in host.values:
                return UNSET if shown is None else host.values[index]
            node_id, name = shown
            inner = self.host(host.inside, node_id)
            if inner is None:
                card = self.cards.card(host.inside, node_id)
                return UNSET if card is None else card.widgets[name].value
            at = self.index(inner.inside, name)
            if at is None:
                return UNSET
            host, index = inner, at

    def grow(self, board: Board, name: str, kind: str, fed: list[tuple[str, str]]) -> int:
        """Give *board* one more input; whatever fed those inputs feeds them no more."""
        entries, names = self._entries[board.id], self._names[board.id]
        unique = name
        while unique in names:
            number = self._numbers[board.id, name] = self._numbers.get((board.id, name), 0) + 1
            unique = f"{name}_{number}"
        index = names[unique] = len(entries)
        entries.append(Entry(unique, kind, fed))
        self._feeds[board.id].update(dict.fromkeys(fed, index))
        self._show(board, index)
        return index

    def _read(self, board: Board) -> None:
        entries = [Entry(port.name, port.kind) for port in board.inputs]
        self._entries[board.id] = entries
        self._names[board.id] = {}
        self._showing[board.id] = {}
        self._shown_names[board.id] = {}
        for index, entry in enumerate(entries):
            self._names[board.id].setdefault(entry.name, index)
        feeds = self._feeds[board.id] = dict[tuple[str, str], int]()
        by_link: dict[str, tuple[str, str]] = {}
        for node in board.nodes.values():
            for socket in node.inputs:
                link = board.links.get(socket.link) if socket.link is not None else None
                if link is not None and link.origin == board.entry:
                    by_link.setdefault(link.id, (node.id, socket.name))
                    if link.origin_slot < len(entries):
                        feeds[node.id, socket.name] = link.origin_slot
        for entry, port in zip(entries, board.inputs, strict=True):
            entry.fed += [by_link[each] for each in port.links if each in by_link]

    def _add(self, board: Board, host: Host) -> None:
        """A subgraph node with the values that it has by position, by name, or put aside."""
        saved, named = iter(host.node.values), host.node.named
        aside = _put_aside(host.node.properties)
        for index, entry in enumerate(self._entries[host.inside.id]):
            if self.shown(host.inside, index) is None:
                continue
            value = aside.get(entry.name, named.get(entry.name, next(saved, UNSET)))
            if value is not UNSET:
                host.values[index] = value
        self._hosts[board.id, host.node.id] = host

    def _show(self, board: Board, index: int) -> None:
        for node_id, name in self._entries[board.id][index].fed:
            inner = self.host(board, node_id)
            if inner is not None:
                at = self.index(inner.inside, name)
                widget = name if at is not None and self.shown(inner.inside, at) else None
            else:
                card = self.cards.card(board, node_id)
                widget = card.widget_at(name) if card is not None else None
            if widget is not None:
                self._shown[board.id, index] = (node_id, widget)
                self._showing[board.id].setdefault((node_id, widget), index)
                self._shown_names[board.id].setdefault(widget, index)
                return


def _put_aside(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Values by input that the editor kept when it could not tell what they were for."""
    found: dict[str, Any] = {}
    told = properties.get("proxyWidgetErrorQuarantine")
    for each in reversed(told if is_list(told) else []):
        entry = each.get("originalEntry") if is_object(each) else None
        value = each.get("hostValue") if is_object(each) else None
        match entry if is_list(entry) else ():
            case ["-1", str(name), *_] if value is not None:
                found[name] = value
            case _:
                pass
    return found
