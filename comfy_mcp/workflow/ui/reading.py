"""From the JSON that the editor saves to `Workflow`, or to words on what is wrong with it.

Both of the editor's formats are read: 0.4, whose links are lists, and 1, whose links are objects;
subgraphs are always of the latter kind. What does not change what runs is not looked at: places,
colours, groups, native reroutes (they only bend a link), floating links.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from comfy_mcp.errors import WorkflowError
from comfy_mcp.workflow.checks import kind_of
from comfy_mcp.workflow.flaws import shown
from comfy_mcp.workflow.ui.parts import ENTRY, ROOT, Board, Link, Port, Socket, UiNode, Workflow
from comfy_mcp.workflow.values import has_control

__all__ = ["MOST_BOARDS", "MOST_SAVED", "definitions", "is_list", "is_object", "read", "read_node"]

MOST_SAVED = 20_000
"""Nodes in a file: those of all boards together, notes and the like among them."""

MOST_BOARDS = 2_000
"""Subgraphs in a file."""

MOST_SOCKETS = 1_000
"""Inputs or outputs of one node or subgraph."""

_LONGEST_ID = 64
_LONGEST_KIND = 1_000
_AGAIN = "Save the workflow again in ComfyUI's editor and send that."


def read(value: Mapping[str, Any]) -> Workflow:
    """The workflow of a file.

    Raises:
        WorkflowError: the file is not what the editor saves.
    """
    left = MOST_SAVED
    boards: dict[str, Board] = {}
    for board_id, raw in [(ROOT, value), *definitions(value).items()]:
        boards[board_id] = _board(board_id, raw, left)
        left -= len(boards[board_id].nodes)
    return Workflow(boards)


def definitions(value: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The subgraphs that *value* brings, by id, those within others too.

    Raises:
        WorkflowError: one has no id, or an id is given twice, or there are too many.
    """
    found: dict[str, Mapping[str, Any]] = {}
    waiting: list[object] = [value]
    while waiting:
        for raw in _brought(waiting.pop()):
            board_id = raw.get("id")
            if not isinstance(board_id, str) or not board_id:
                raise WorkflowError(f'A subgraph in "definitions" has no id. {_AGAIN}')
            if board_id in found or len(found) >= MOST_BOARDS:
                raise WorkflowError(
                    f"The workflow has two subgraphs with the id {shown(board_id)}, or more than"
                    f" {MOST_BOARDS} of them. {_AGAIN}"
                )
            found[board_id] = raw
            waiting.append(raw)
    return found


def _brought(value: object) -> Iterator[Mapping[str, Any]]:
    if not is_object(value) or value.get("definitions") is None:
        return
    inner = value["definitions"]
    several = inner.get("subgraphs") if is_object(inner) else None
    if not is_object(inner) or not (several is None or is_list(several)):
        raise WorkflowError(f'"definitions" of the workflow cannot be read. {_AGAIN}')
    for raw in several or ():
        if not is_object(raw):
            raise WorkflowError(f"A subgraph is {kind_of(raw)}, not an object. {_AGAIN}")
        yield raw


def _board(board_id: str, raw: Mapping[str, Any], most: int) -> Board:
    where = f"Subgraph {shown(_text(raw.get('name')) or board_id)}" if board_id else "The workflow"
    several = raw.get("nodes")
    if not is_list(several):
        raise WorkflowError(f'{where}: "nodes" is {kind_of(several)}, not a list. {_AGAIN}')
    if len(several) > most:
        raise WorkflowError(f"The workflow has more than {MOST_SAVED} nodes. Split it.")
    nodes: dict[str, UiNode] = {}
    for each in several:
        node = read_node(each, where)
        if node.id in nodes:
            raise WorkflowError(
                f"{where} has two nodes with the id {shown(node.id)}: {shown(nodes[node.id].type)}"
                f" and {shown(node.type)}. Give one of them another id.",
                node_id=node.id,
            )
        nodes[node.id] = node
    links = {link.id: link for link in _links(raw.get("links"), where)}
    entry = raw.get("inputNode")
    return Board(
        id=board_id,
        name=_text(raw.get("name")) or "subgraph",
        nodes=nodes,
        links=links,
        inputs=tuple(_ports(raw.get("inputs"), where)) if board_id else (),
        outputs=tuple(_ports(raw.get("outputs"), where)) if board_id else (),
        entry=(_id(entry.get("id")) if is_object(entry) else None) or ENTRY,
    )


def read_node(raw: object, where: str) -> UiNode:
    """One node.

    Raises:
        WorkflowError: it is none.
    """
    if not is_object(raw):
        raise WorkflowError(f"{where}: a node is {kind_of(raw)}, not an object. {_AGAIN}")
    node_id, kind = _id(raw.get("id")), raw.get("type")
    if node_id is None:
        raise WorkflowError(f"{where}: a node has no id that can be used. {_AGAIN}")
    if not isinstance(kind, str) or not kind:
        raise WorkflowError(
            f'{where}, node {node_id}: its "type" is {kind_of(kind)}, not the name of a class.'
            f" {_AGAIN}",
            node_id=node_id,
        )
    name = f"{where}, node {node_id} ({shown(kind)})"
    mode, properties = raw.get("mode"), raw.get("properties")
    values, named = raw.get("widgets_values"), raw.get("widgets_values_named")
    return UiNode(
        id=node_id,
        type=kind,
        mode=mode if _is_whole(mode) else 0,
        title=_text(raw.get("title")) or None,
        inputs=tuple(_sockets(raw.get("inputs"), f'{name}, "inputs"', node_id)),
        outputs=tuple(_sockets(raw.get("outputs"), f'{name}, "outputs"', node_id)),
        values=tuple(values) if is_list(values) else (),
        named=values if is_object(values) else named if is_object(named) else {},
        properties=properties if is_object(properties) else {},
    )


def _sockets(told: object, where: str, node_id: str) -> Iterator[Socket]:
    if told is None:
        return
    if not is_list(told):
        raise WorkflowError(
            f"{where}: it is {kind_of(told)}, not a list. {_AGAIN}", node_id=node_id
        )
    if len(told) > MOST_SOCKETS:
        raise WorkflowError(f"{where}: more than {MOST_SOCKETS} of them.", node_id=node_id)
    for raw in told:
        if not is_object(raw):
            raise WorkflowError(
                f"{where}: one of them is {kind_of(raw)}, not an object. {_AGAIN}", node_id=node_id
            )
        widget, links = raw.get("widget"), raw.get("links")
        yield Socket(
            name=_text(raw.get("name")),
            kind=_kind(raw.get("type")),
            link=_id(raw.get("link")),
            links=tuple(filter(None, map(_id, links))) if is_list(links) else (),
            widget=(_text(widget.get("name")) or None) if is_object(widget) else None,
            label=_text(raw.get("label")) or None,
        )


def _ports(told: object, where: str) -> Iterator[Port]:
    if is_list(told) and len(told) > MOST_SOCKETS:
        raise WorkflowError(f"{where} has more than {MOST_SOCKETS} inputs or outputs.")
    for raw in told if is_list(told) else ():
        if not is_object(raw):
            raise WorkflowError(f"{where}: an input or output is {kind_of(raw)}. {_AGAIN}")
        links = raw.get("linkIds")
        yield Port(
            name=_text(raw.get("name")),
            kind=_kind(raw.get("type")),
            links=tuple(filter(None, map(_id, links))) if is_list(links) else (),
        )


def _links(told: object, where: str) -> Iterator[Link]:
    """All links that can be followed; what is none leads nowhere, as in the editor."""
    if told is not None and not is_list(told):
        raise WorkflowError(f'{where}: "links" is {kind_of(told)}, not a list. {_AGAIN}')
    for raw in told or ():
        parts: tuple[object, ...] = ()
        if is_list(raw):
            parts = tuple(raw[:5])
        elif is_object(raw):
            parts = tuple(raw.get(key) for key in _LINK)
        link = _link(parts) if len(parts) == len(_LINK) else None
        if link is not None:
            yield link


_LINK = ("id", "origin_id", "origin_slot", "target_id", "target_slot")


def _link(parts: tuple[object, ...]) -> Link | None:
    link_id, origin, target = _id(parts[0]), _id(parts[1]), _id(parts[3])
    origin_slot, target_slot = _slot(parts[2]), _slot(parts[4])
    if link_id is None or origin is None or target is None:
        return None
    if origin_slot is None or target_slot is None:
        return None
    return Link(link_id, origin, origin_slot, target, target_slot)


def _slot(told: object) -> int | None:
    """Old files have some as texts."""
    if isinstance(told, str) and told.isascii() and told.isdigit() and len(told) < _LONGEST_ID:
        told = int(told)
    return told if _is_whole(told) and told >= 0 else None


def _id(told: object) -> str | None:
    if isinstance(told, str) and 0 < len(told) <= _LONGEST_ID and not has_control(told):
        return told
    return str(told) if _is_whole(told) and abs(told) < 2**63 else None


def _kind(told: object) -> str:
    """A type; the editor has numbers for events, and lists for old combos."""
    if is_list(told):
        return "COMBO"
    return told[:_LONGEST_KIND] if isinstance(told, str) else "*"


def _text(told: object) -> str:
    return told if isinstance(told, str) else ""


def _is_whole(told: object) -> TypeGuard[int]:
    return isinstance(told, int) and not isinstance(told, bool)


def is_object(told: object) -> TypeGuard[dict[str, Any]]:
    """Whether *told* is a JSON object."""
    return isinstance(told, dict)


def is_list(told: object) -> TypeGuard[list[Any]]:
    """Whether *told* is a JSON list."""
    return isinstance(told, list)
