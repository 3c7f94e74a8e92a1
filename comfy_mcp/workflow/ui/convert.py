"""From the editor's format to the API's, as the editor itself would send it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from comfy_mcp.errors import WorkflowError
from comfy_mcp.workflow.parse import MAX_NODES
from comfy_mcp.workflow.schema import Schemas
from comfy_mcp.workflow.ui.cards import Cards
from comfy_mcp.workflow.ui.groups import grouped, types_in_groups, unfolded
from comfy_mcp.workflow.ui.lacking import refuse_lacking
from comfy_mcp.workflow.ui.numbering import numbered
from comfy_mcp.workflow.ui.parts import UiNode
from comfy_mcp.workflow.ui.places import Place, in_order, laid_out
from comfy_mcp.workflow.ui.primitives import apply
from comfy_mcp.workflow.ui.promoting import Hosts
from comfy_mcp.workflow.ui.proxies import adopt
from comfy_mcp.workflow.ui.reading import is_object, read
from comfy_mcp.workflow.ui.sending import Sender
from comfy_mcp.workflow.ui.virtual import is_virtual, needs_host

__all__ = ["Converted", "classes_of", "converted", "is_ui"]


@dataclass(frozen=True, slots=True)
class Converted:
    """The nodes of an API-format graph, and what is to be said of the conversion."""

    nodes: dict[str, dict[str, Any]]
    notes: tuple[str, ...] = ()


def is_ui(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether *value* is a workflow as the editor saves it: lists of nodes and of links."""
    return is_object(value) and isinstance(value.get("nodes"), list)


def classes_of(value: dict[str, Any]) -> frozenset[str]:
    """The node classes that the host has to tell about before *value* can be converted.

    Those in subgraphs and group nodes, and those of muted and bypassed nodes among them; the host
    need not have them all.

    Raises:
        WorkflowError: *value* is not what the editor saves.
    """
    workflow = read(value)
    groups = grouped(value)
    found = types_in_groups(groups)
    for board in workflow.boards.values():
        for node in board.nodes.values():
            if workflow.inside(node) is None and node.type not in groups:
                found.add(node.type)
    return frozenset(filter(needs_host, found))


def converted(
    value: dict[str, Any], schemas: Schemas, known: Collection[str] | None = None
) -> Converted:
    """*value* in API format.

    Ids are those that the editor gives: ``12:7`` is node 7 within the subgraph node 12. Nothing is
    drawn: seeds are those of the file, of a prompt's ``{this|that}`` the first is taken. *known*:
    all classes of the host where *schemas* has only some; they are named where one is lacking.

    Raises:
        WorkflowError: it cannot be read, or needs nodes that *schemas* does not have.
    """
    workflow = numbered(read(value), _last_id(value))
    workflow = unfolded(workflow, grouped(value), schemas)
    boards = in_order(workflow)
    places = laid_out(workflow)
    running = list(_running(places, schemas))
    refuse_lacking(running, schemas, schemas if known is None else known)
    hosts = Hosts(workflow, Cards(schemas))
    for board in boards:
        hosts.read(board)
        adopt(hosts, board)
    for board in boards:
        apply(hosts, board)
    sender = Sender(schemas, hosts, running)
    return Converted(sender.nodes(), sender.notes.told())


def _last_id(value: Mapping[str, Any]) -> int:
    state = value.get("state")
    told = state.get("lastNodeId") if is_object(state) else value.get("last_node_id")
    return told if isinstance(told, int) and told > 0 else 0


def _running(places: list[Place], schemas: Schemas) -> Iterator[tuple[Place, UiNode]]:
    count = 0
    for place in places:
        for node in place.board.nodes.values():
            aside = node.stands_aside or node.id in place.inner
            if not aside and not is_virtual(node.type, schemas):
                yield place, node
                count += 1
    if count > MAX_NODES:
        raise WorkflowError(
            f"The workflow has {count} nodes, more than the {MAX_NODES} allowed. Split it."
        )
