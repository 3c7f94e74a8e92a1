"""Node ids that are used on several boards: the editor numbers those of subgraphs anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from comfy_mcp.workflow.ui.parts import ROOT, Board, UiNode, Workflow
from comfy_mcp.workflow.ui.reading import is_list

__all__ = ["numbered"]


def numbered(workflow: Workflow, last: int) -> Workflow:
    """*workflow* with no node id on two boards; *last* is the highest number that was ever used.

    As the editor does when it loads a file, so that the ids of what runs are those that it gives.
    """
    taken = set(workflow.root.nodes)
    boards: dict[str, Board] = {ROOT: workflow.root}
    renamed: dict[str, dict[str, str]] = {}
    for board in workflow.boards.values():
        if board.id == ROOT:
            continue
        new: dict[str, str] = {}
        for node_id in board.nodes:
            if node_id in taken:
                last += 1
                while str(last) in taken:
                    last += 1
                new[node_id] = str(last)
            elif node_id.isdecimal() and node_id.isascii():
                last = max(last, int(node_id))
            taken.add(new.get(node_id, node_id))
        renamed[board.id] = new
        boards[board.id] = _with_ids(board, new) if new else board
    if any(renamed.values()):
        boards = {key: _with_proxies(board, renamed) for key, board in boards.items()}
    return Workflow(boards)


def _with_ids(board: Board, new: Mapping[str, str]) -> Board:
    nodes = {
        new.get(key, key): replace(node, id=new.get(key, key)) for key, node in board.nodes.items()
    }
    links = {
        key: replace(
            link,
            origin=new.get(link.origin, link.origin),
            target=new.get(link.target, link.target),
        )
        for key, link in board.links.items()
    }
    return replace(board, nodes=nodes, links=links)


def _with_proxies(board: Board, renamed: Mapping[str, Mapping[str, str]]) -> Board:
    return replace(
        board,
        nodes={key: _renamed(node, renamed.get(node.type)) for key, node in board.nodes.items()},
    )


def _renamed(node: UiNode, new: Mapping[str, str] | None) -> UiNode:
    told: Any = node.properties.get("proxyWidgets")
    if not new or not is_list(told):
        return node
    proxies = [
        [new.get(each[0], each[0]), *each[1:]]
        if is_list(each) and each and isinstance(each[0], str)
        else each
        for each in told
    ]
    return replace(node, properties={**node.properties, "proxyWidgets": proxies})
