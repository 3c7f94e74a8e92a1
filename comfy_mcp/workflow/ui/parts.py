"""The editor's own things as values: nodes with sockets and widget values, links, and boards.

A board is what the editor shows at once: the workflow itself, or the inside of a subgraph. Ids are
strings here, whatever the file has: ``7`` is ``"7"``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

__all__ = ["ENTRY", "ROOT", "Board", "Link", "Mode", "Port", "Socket", "UiNode", "Workflow"]

ROOT = ""
"""The id of the board that the workflow itself is."""

ENTRY = "-10"
"""The node at which a subgraph's inputs come in, unless its file says otherwise."""


class Mode(IntEnum):
    """What the editor does with a node; all other modes run it."""

    MUTED = 2
    BYPASSED = 4


@dataclass(frozen=True, slots=True)
class Socket:
    """An input or an output; *widget* names the widget that an input stands for.

    *link* is what comes into an input, *links* is what goes out of an output.
    """

    name: str
    kind: str
    link: str | None = None
    links: tuple[str, ...] = ()
    widget: str | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class UiNode:
    """One node; *values* are its widgets' values by position, *named* those by name.

    Newer files have both, some extensions save by name only.
    """

    id: str
    type: str
    mode: int = 0
    title: str | None = None
    inputs: tuple[Socket, ...] = ()
    outputs: tuple[Socket, ...] = ()
    values: tuple[Any, ...] = ()
    named: Mapping[str, Any] = field(default_factory=dict[str, Any])
    properties: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def stands_aside(self) -> bool:
        """Whether it is muted or bypassed."""
        return self.mode in (Mode.MUTED, Mode.BYPASSED)


@dataclass(frozen=True, slots=True)
class Link:
    """From the output *origin_slot* of *origin* to the input *target_slot* of *target*."""

    id: str
    origin: str
    origin_slot: int
    target: str
    target_slot: int


@dataclass(frozen=True, slots=True)
class Port:
    """An input or an output of a subgraph, and the ids of the links to it inside."""

    name: str
    kind: str
    links: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """Nodes and links; a subgraph has *inputs* and *outputs*, and a node *entry* for the former."""

    id: str
    name: str
    nodes: Mapping[str, UiNode]
    links: Mapping[str, Link]
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    entry: str = ENTRY


@dataclass(frozen=True, slots=True)
class Workflow:
    """A whole file: *boards* by id, that of `ROOT` among them."""

    boards: Mapping[str, Board]

    @property
    def root(self) -> Board:
        """The board that is run."""
        return self.boards[ROOT]

    def inside(self, node: UiNode) -> Board | None:
        """The subgraph that *node* stands for, if it does."""
        return self.boards.get(node.type) if node.type != ROOT else None
