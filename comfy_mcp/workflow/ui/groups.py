"""Group nodes, which the editor had before it had subgraphs: ``workflow>NAME``.

A file describes each group once, in ``extra.groupNodes``: nodes without ids, known by their place,
and links between them. A node of the group holds the values of all widgets in it, one after the
other, and has inputs and outputs for what is not linked within. Here each such node becomes a
subgraph of its own; what runs in it gets the ids that the editor gave then: ``12:0``, ``12:1``...
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from comfy_mcp.errors import WorkflowError
from comfy_mcp.workflow.flaws import shown
from comfy_mcp.workflow.schema import NodeSchema, Schemas
from comfy_mcp.workflow.ui.cards import kind_of_input
from comfy_mcp.workflow.ui.parts import ENTRY, Board, Link, Port, Socket, UiNode, Workflow
from comfy_mcp.workflow.ui.promoting import PRIMITIVE
from comfy_mcp.workflow.ui.reading import MOST_SAVED, is_list, is_object, read_node
from comfy_mcp.workflow.ui.widgets import Given, is_widget, laid_out

__all__ = ["Group", "grouped", "types_in_groups", "unfolded"]

_KINDS = ("workflow>", "workflow/")
_EXIT = "-20"
_COUNTED = frozenset({"INT", "FLOAT", "COMBO"})
"""Types of primitive nodes that say how they change after a run."""


@dataclass(frozen=True, slots=True)
class Group:
    """One kind of group node: nodes by their place, links between them, outputs shown as well."""

    name: str
    nodes: tuple[UiNode, ...]
    links: tuple[tuple[int, int, int, int, str], ...]
    external: frozenset[tuple[int, int]]
    config: Mapping[str, Any]


def grouped(value: Mapping[str, Any]) -> dict[str, Group]:
    """The group nodes that a file describes, by the type of their nodes.

    Raises:
        WorkflowError: one cannot be read.
    """
    extra = value.get("extra")
    told = extra.get("groupNodes") if is_object(extra) else None
    found: dict[str, Group] = {}
    left = MOST_SAVED
    for name, raw in (told if is_object(told) else {}).items():
        if is_object(raw) and is_list(raw.get("nodes")):
            left -= len(raw["nodes"])
            if left < 0:
                raise WorkflowError(f"The workflow has more than {MOST_SAVED} nodes. Split it.")
            found |= dict.fromkeys([kind + name for kind in _KINDS], _group(name, raw))
    return found


def types_in_groups(groups: Mapping[str, Group]) -> set[str]:
    """The types of all nodes in groups."""
    return {node.type for group in groups.values() for node in group.nodes}


def unfolded(workflow: Workflow, groups: Mapping[str, Group], schemas: Schemas) -> Workflow:
    """*workflow* with a subgraph for each group node.

    Raises:
        WorkflowError: a group contains a group, or the file does not describe it.
    """
    boards = dict(workflow.boards)
    left = MOST_SAVED
    for board in workflow.boards.values():
        nodes = dict(board.nodes)
        for node in board.nodes.values():
            if not node.type.startswith(_KINDS):
                continue
            group = groups.get(node.type)
            left -= len(group.nodes) + len(group.links) if group is not None else 0
            _refuse(node, group, groups, left)
            if group is not None:
                key = f"{node.type} {board.id}:{node.id}"
                inside, outer = _Unfolding(group, node, schemas).made(key)
                boards[key], nodes[node.id] = inside, outer
        boards[board.id] = replace(board, nodes=nodes)
    return Workflow(boards)


def _refuse(node: UiNode, group: Group | None, groups: Mapping[str, Group], left: int) -> None:
    name = f"Node {shown(node.id)} ({shown(node.type)})"
    if group is None:
        text = f'{name}: the file does not say what is in this group node ("extra.groupNodes").'
        raise WorkflowError(f"{text} Put its nodes there instead.", node_id=node.id)
    if any(each.type in groups or each.type.startswith(_KINDS) for each in group.nodes):
        text = f"{name}: it contains another group node. Convert it to nodes in ComfyUI's editor."
        raise WorkflowError(text, node_id=node.id)
    if left < 0:
        raise WorkflowError(f"With its groups the workflow has more than {MOST_SAVED} nodes.")


def _group(name: str, raw: Mapping[str, Any]) -> Group:
    where = f"Group node {shown(name)}"
    nodes = tuple(
        read_node({**each, "id": at} if is_object(each) else each, where)
        for at, each in enumerate(raw["nodes"])
    )
    external = raw.get("external")
    config = raw.get("config")
    return Group(
        name=name,
        nodes=nodes,
        links=tuple(_links(raw.get("links"), len(nodes))),
        external=frozenset(
            (each[0], each[1])
            for each in (external if is_list(external) else [])
            if is_list(each) and len(each) > 1 and _whole(each[0]) and _whole(each[1])
        ),
        config=config if is_object(config) else {},
    )


def _links(told: object, count: int) -> Iterator[tuple[int, int, int, int, str]]:
    for each in told if is_list(told) else ():
        ends = each[:4] if is_list(each) else []
        if len(ends) == 4 and all(map(_whole, ends)):  # noqa: PLR2004 - node and slot, twice
            kind = each[5] if len(each) > 5 and isinstance(each[5], str) else "*"  # noqa: PLR2004 - ditto
            if ends[0] < count and ends[2] < count:
                yield ends[0], ends[1], ends[2], ends[3], kind


def _whole(told: object) -> bool:
    return isinstance(told, int) and not isinstance(told, bool) and 0 <= told <= MOST_SAVED


@dataclass
class _Unfolding:
    """Makes a subgraph of one group node."""

    group: Group
    node: UiNode
    schemas: Schemas
    seen: dict[str, int] = field(default_factory=dict[str, int])
    names: dict[tuple[int, str], str] = field(default_factory=dict[tuple[int, str], str])

    linked: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])

    def made(self, key: str) -> tuple[Board, UiNode]:
        """The subgraph of that id, and the node that uses it."""
        self.linked = {(link[2], link[3]) for link in self.group.links}
        given = Given.of(self.node.values, self.node.named)
        nodes = [self._inner(at, each, given) for at, each in enumerate(self.group.nodes)]
        links = {
            str(number): Link(str(number), str(link[0]), link[1], str(link[2]), link[3])
            for number, link in enumerate(self.group.links)
        }
        nodes = self._linked(nodes, links)
        ports = list(self._inputs(nodes, links))
        outputs = list(self._outputs(links))
        inside = Board(
            key,
            self.group.name,
            {str(at): each for at, each in enumerate(nodes)},
            links,
            tuple(ports),
            tuple(outputs),
        )
        return inside, replace(self.node, type=key, values=(), named={})

    def _inner(self, at: int, node: UiNode, given: Given) -> UiNode:
        """An inner node with its share of the values that the group node holds."""
        schema = self.schemas.get(node.type)
        if node.type == PRIMITIVE:
            return self._primitive(at, node, given)
        if schema is None:
            return node
        converted = {each.name for each in node.inputs if each.widget is not None}
        kept = replace(schema, inputs=tuple(e for e in schema.inputs if e.name not in converted))
        found = laid_out(kept, given, lambda name: self._name(at, node, name))
        named = {name: each.value for name, each in found.items() if not each.control}
        for slot, socket in enumerate(_sockets(node, schema)):
            if socket.widget is None and (at, slot) not in self.linked:
                self._name(at, node, socket.name)
        return replace(node, values=(), named=named)

    def _primitive(self, at: int, node: UiNode, given: Given) -> UiNode:
        kind = next((link[4] for link in self.group.links if link[0] == at), None)
        if kind is None:
            return node
        own = node.values[0] if node.values else None
        value = given.next(self._name(at, node, "value"), own)
        if kind in _COUNTED:
            given.next("", None)
        return replace(node, values=(value,))

    def _name(self, at: int, node: UiNode, name: str) -> str:
        """The name that an inner widget or input has on the group node."""
        if (at, name) in self.names:
            return self.names[at, name]
        told = self.group.config.get(str(at))
        asked = told.get("input") if is_object(told) else None
        asked = asked.get(name) if is_object(asked) else None
        label = next((each.label for each in node.inputs if each.name == name), None)
        own = asked.get("name") if is_object(asked) else None
        found = own if isinstance(own, str) else label or name
        title = node.title or node.type
        if (node.type == PRIMITIVE and node.title) or found in self.seen:
            found = f"{title} {name}"
            if found in self.seen:
                found = f"{title} {self.seen[found]} {name}"
        self.seen[found] = self.seen.get(found, 1) + 1
        self.names[at, name] = found
        return found

    def _linked(self, nodes: list[UiNode], links: dict[str, Link]) -> list[UiNode]:
        """The nodes with inputs that know their links."""
        into = {(link.target, link.target_slot): link.id for link in links.values()}
        made: list[UiNode] = []
        for at, node in enumerate(nodes):
            sockets = [
                replace(socket, link=into.get((str(at), slot)))
                for slot, socket in enumerate(_sockets(node, self.schemas.get(node.type)))
            ]
            made.append(replace(node, inputs=tuple(sockets)))
        return made

    def _inputs(self, nodes: list[UiNode], links: dict[str, Link]) -> Iterator[Port]:
        """What is not linked within, if something comes into the group node there.

        Inputs that were widgets get their names after all others.
        """
        saved = {socket.name: socket for socket in self.node.inputs}
        plain = [
            (at, each) for at, node in enumerate(nodes) for each in node.inputs if not each.widget
        ]
        later = [(at, each) for at, node in enumerate(nodes) for each in node.inputs if each.widget]
        index = 0
        for at, socket in [*plain, *later]:
            if socket.link is not None:
                continue
            name = self._name(at, nodes[at], socket.name)
            if name in saved:
                link = f"in {index}"
                slot = nodes[at].inputs.index(socket)
                links[link] = Link(link, ENTRY, index, str(at), slot)
                inputs = list(nodes[at].inputs)
                inputs[slot] = replace(socket, link=link)
                nodes[at] = replace(nodes[at], inputs=tuple(inputs))
                index += 1
                yield Port(name, socket.kind, (link,))

    def _outputs(self, links: dict[str, Link]) -> Iterator[Port]:
        used = {(link[0], link[1]) for link in self.group.links}
        for at, node in enumerate(self.group.nodes):
            for slot, kind in enumerate(_output_kinds(node, self.schemas.get(node.type))):
                hidden = (at, slot) in used and (at, slot) not in self.group.external
                if self._visible(at, slot, not hidden):
                    link = f"out {at} {slot}"
                    links[link] = Link(link, str(at), slot, _EXIT, 0)
                    yield Port(kind, kind, (link,))

    def _visible(self, at: int, slot: int, otherwise: bool) -> bool:
        told = self.group.config.get(str(at))
        outputs = told.get("output") if is_object(told) else None
        asked = outputs.get(str(slot)) if is_object(outputs) else None
        visible = asked.get("visible") if is_object(asked) else None
        return visible if isinstance(visible, bool) else otherwise


def _sockets(node: UiNode, schema: NodeSchema | None) -> list[Socket]:
    """The inputs of an inner node by their number in links: those of the file, or of its class."""
    if node.inputs or schema is None:
        return list(node.inputs)
    return [Socket(each.name, kind_of_input(each)) for each in schema.inputs if not is_widget(each)]


def _output_kinds(node: UiNode, schema: NodeSchema | None) -> list[str]:
    """The types of what an inner node gives; the value of a primitive node is no output."""
    if schema is not None:
        return [each.kind for each in schema.outputs]
    return [each.kind for each in node.outputs] if node.type == "Reroute" else []
