"""Primitive nodes: their value becomes that of the widgets that they are linked to."""

from __future__ import annotations

from comfy_mcp.workflow.ui.parts import Board
from comfy_mcp.workflow.ui.promoting import PRIMITIVE, Hosts

__all__ = ["apply"]


def apply(hosts: Hosts, board: Board) -> None:
    """Let the widgets on *board* hold what its primitive nodes say."""
    values = {
        node.id: node.values[0]
        for node in board.nodes.values()
        if node.type == PRIMITIVE and node.values
    }
    for node in board.nodes.values() if values else ():
        for socket in node.inputs:
            link = board.links.get(socket.link) if socket.link is not None else None
            fed = hosts.feed(board, node.id, socket.name)
            if link is not None and link.origin in values and fed is None:
                hosts.cards.hold(board, node.id, socket.name, values[link.origin])
