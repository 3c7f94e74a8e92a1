"""Older files name the inner widgets that a subgraph node shows, in ``properties.proxyWidgets``.

The editor turns each name into an input of the subgraph when it loads such a file, and gives the
node the value that stands at the same place in its ``widgets_values``. So does `adopt`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from comfy_mcp.errors import WorkflowError
from comfy_mcp.workflow.flaws import shown
from comfy_mcp.workflow.ui.parts import Board, UiNode
from comfy_mcp.workflow.ui.promoting import PRIMITIVE, UNSET, Host, Hosts
from comfy_mcp.workflow.ui.reading import MOST_SOCKETS, is_list

__all__ = ["adopt"]

_PREFIX = re.compile(r"\s{0,9}(\d{1,20})\s{0,9}:\s{0,9}(.+)", re.DOTALL)
_MOST_PREFIXES = 32
_LONGEST = 100_000
_SUBGRAPH = "-1"
"""The node that very old files name where they mean an input of the subgraph itself."""


@dataclass(frozen=True, slots=True)
class _Named:
    """The widget *name* of the inner node *node_id*; *deeper*: of which node within that."""

    node_id: str
    name: str
    deeper: str | None
    value: Any = UNSET


def adopt(hosts: Hosts, board: Board) -> None:
    """Let the subgraph nodes on *board* show what their files name."""
    for host in list(hosts.of(board)):
        primitives: dict[str, list[_Named]] = {}
        for named in _named(host.node):
            each = _without_prefix(hosts, host.inside, named)
            inner = host.inside.nodes.get(each.node_id)
            known = hosts.showing(host.inside, each.node_id, each.name)
            if known is not None:
                _hold(host, known, each.value)
            elif inner is None:
                _hold_by_name(hosts, host, each)
            elif inner.type == PRIMITIVE:
                primitives.setdefault(inner.id, []).append(each)
            else:
                _show(hosts, host, each)
        for node_id, several in primitives.items():
            _show_primitive(hosts, host, host.inside.nodes[node_id], several)


def _named(node: UiNode) -> list[_Named]:
    """As the editor: all of them, or none if one cannot be read."""
    told: Any = node.properties.get("proxyWidgets")
    if isinstance(told, str) and len(told) < _LONGEST:
        try:
            told = json.loads(told)
        except (ValueError, RecursionError):
            return []
    saved = node.values
    found: list[_Named] = []
    if is_list(told) and len(told) > MOST_SOCKETS:
        raise WorkflowError(
            f"Node {shown(node.id)}: its subgraph shows more than {MOST_SOCKETS} widgets.",
            node_id=node.id,
        )
    for at, each in enumerate(told if is_list(told) else ()):
        parts = each if is_list(each) and all(isinstance(part, str) for part in each) else []
        value = saved[at] if at < len(saved) and saved[at] is not None else UNSET
        match parts:
            case [node_id, name]:
                found.append(_Named(node_id, name, None, value))
            case [node_id, name, deeper]:
                found.append(_Named(node_id, name, deeper, value))
            case _:
                return []
    return found


def _without_prefix(hosts: Hosts, board: Board, named: _Named) -> _Named:
    """Old names of nested widgets begin with the ids of the nodes that they are in."""
    if _input_of(hosts, board, _Named(named.node_id, named.name, None)) is not None:
        return named
    name, deeper = named.name, named.deeper
    for _ in range(_MOST_PREFIXES):
        match = _PREFIX.fullmatch(name)
        if match is None:
            break
        deeper, name = match[1], match[2]
    return _Named(named.node_id, name, deeper, named.value)


def _input_of(hosts: Hosts, board: Board, named: _Named) -> str | None:
    """The input that belongs to a widget of an inner node."""
    inner = hosts.host(board, named.node_id)
    if inner is None:
        card = hosts.cards.card(board, named.node_id)
        return card.input_of(named.name) if card is not None else None
    if named.deeper is not None:
        index = hosts.showing(inner.inside, named.deeper, named.name)
    else:
        index = hosts.shown_as(inner.inside, named.name)
    return None if index is None else hosts.entries(inner.inside)[index].name


def _hold(host: Host, index: int, value: Any) -> None:
    if value is not UNSET:
        host.values[index] = value


def _hold_by_name(hosts: Hosts, host: Host, named: _Named) -> None:
    index = hosts.index(host.inside, named.name) if named.node_id == _SUBGRAPH else None
    if index is not None:
        _hold(host, index, named.value)


def _show(hosts: Hosts, host: Host, named: _Named) -> None:
    name = _input_of(hosts, host.inside, named)
    # Names of this kind are those of previews, which hold no value.
    if name is not None and not named.name.startswith("$$"):
        index = hosts.grow(host.inside, named.name, "*", [(named.node_id, name)])
        _hold(host, index, named.value)


def _show_primitive(hosts: Hosts, host: Host, primitive: UiNode, several: list[_Named]) -> None:
    """A primitive node is replaced by an input that feeds all that it fed."""
    board, name = host.inside, f"{PRIMITIVE} {primitive.id}"
    index = hosts.index(board, name)
    if index is None:
        fed = hosts.of_primitive(board, primitive.id)
        if not fed or len({each.name for each in several}) > 1:
            return
        index = hosts.grow(board, name, "*", fed)
    told = [each.value for each in several if each.value is not UNSET]
    _hold(host, index, next(iter([*told, *primitive.values]), UNSET))
