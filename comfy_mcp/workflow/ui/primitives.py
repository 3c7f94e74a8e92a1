"""Primitive nodes: their value becomes that of the widgets that they are linked to."""

from __future__ import annotations

from comfy_mcp.workflow.ui.cards import Cards
from comfy_mcp.workflow.ui.parts import Board
from comfy_mcp.workflow.ui.promoting import PRIMITIVE, Hosts

__all__ = ["apply"]


def apply(board: Board, cards: Cards, hosts: Hosts) -> None:
    """Let the widgets of *board* hold what its primitive nodes say."""
    values = {
        node.id: node.values[0]
        for node in board.nodes.values()
        if node.type == PRIMITIVE and isinstance(node.values, tuple) and node.values
    }
    for node in board.nodes.values():
        for socket in node.inputs:
            link = board.links.get(socket.link) if socket.link is not None else None
            if link is None or link.origin not in values:
                continue
            if hosts.feed(board, node.id, socket.name) is None:
                card = cards.card(board, node.id)
                widget = card.widget_at(socket.name) if card is not None else None
                if widget is not None:
                    cards.hold(board, node.id, widget, values[link.origin])
