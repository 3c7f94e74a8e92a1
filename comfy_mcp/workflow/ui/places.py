"""Subgraphs laid out flat: each use of one is a place of its own.

What a file may unfold to is counted before anything is unfolded, so that a small file cannot fill
the memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from comfy_mcp.errors import WorkflowError
from comfy_mcp.workflow.flaws import shown
from comfy_mcp.workflow.parse import MAX_NODES
from comfy_mcp.workflow.ui.parts import ROOT, Board, UiNode, Workflow
from comfy_mcp.workflow.ui.reading import MOST_SAVED

__all__ = ["MOST_DEEP", "Place", "in_order", "laid_out"]

MOST_DEEP = 32
"""Subgraphs within subgraphs."""


@dataclass(slots=True, eq=False)
class Place:
    """One use of *board*: by the node *host* at the place *outer*; the workflow itself has none."""

    board: Board
    prefix: str = ""
    host: UiNode | None = None
    outer: Place | None = None
    inner: dict[str, Place] = field(default_factory=dict[str, "Place"])

    def id_of(self, node: UiNode) -> str:
        """The id of *node* among all that run: ``7``, or ``12:7`` within the subgraph node 12."""
        return self.prefix + node.id


def in_order(workflow: Workflow) -> list[Board]:
    """The boards that the workflow uses, each after those within it; itself the last.

    Raises:
        WorkflowError: a subgraph contains itself, or they are nested too deep.
    """
    found: dict[str, Board] = {}
    path: list[tuple[Board, Iterator[Board]]] = [(workflow.root, _within(workflow, workflow.root))]
    open_: dict[str, None] = {ROOT: None}
    while path:
        board, inner = path[-1]
        following = next((each for each in inner if each.id not in found), None)
        if following is None:
            found[board.id] = board
            del open_[board.id]
            path.pop()
            continue
        if following.id in open_:
            raise WorkflowError(_circle(workflow, [*open_], following))
        if len(path) > MOST_DEEP:
            raise WorkflowError(
                f"The workflow has subgraphs within subgraphs, more than {MOST_DEEP} deep."
                " Unpack some of them in ComfyUI's editor."
            )
        open_[following.id] = None
        path.append((following, _within(workflow, following)))
    return list(found.values())


def _within(workflow: Workflow, board: Board) -> Iterator[Board]:
    return (inner for node in board.nodes.values() if (inner := workflow.inside(node)) is not None)


def _circle(workflow: Workflow, open_: list[str], again: Board) -> str:
    ring = [shown(workflow.boards[each].name) for each in open_[open_.index(again.id) :]]
    names = " -> ".join([*ring[:10], ring[0]])
    return f"The subgraph {ring[0]} contains itself: {names}. Take it out of itself."


def laid_out(workflow: Workflow) -> list[Place]:
    """All places of nodes that may run, the workflow itself first.

    Raises:
        WorkflowError: there would be too many nodes, or a subgraph contains itself.
    """
    _count(in_order(workflow))
    places = [Place(workflow.root)]
    for place in places:
        for node in place.board.nodes.values():
            inner = workflow.inside(node)
            if inner is not None and not node.stands_aside:
                made = Place(inner, f"{place.id_of(node)}:", node, place)
                place.inner[node.id] = made
                places.append(made)
    return places


def _count(boards: list[Board]) -> None:
    """Refuse before unfolding: nodes of subgraphs count as often as they are used."""
    sizes: dict[str, int] = {}
    for board in boards:
        size = len(board.nodes)
        for node in board.nodes.values():
            if node.type in sizes and not node.stands_aside:
                size += sizes[node.type]
        sizes[board.id] = size
    if sizes[ROOT] > MOST_SAVED:
        raise WorkflowError(
            f"With its subgraphs unfolded the workflow has {_big(sizes[ROOT])} nodes, more than the"
            f" {MAX_NODES} allowed. Split it."
        )


def _big(number: int) -> str:
    return str(number) if number < 10**9 else "billions of"
