"""From the editor's format to the API's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeGuard

from comfy_mcp.errors import WorkflowError
from comfy_mcp.workflow.flaws import listed, nearest, shown
from comfy_mcp.workflow.parse import MAX_NODES
from comfy_mcp.workflow.schema import Schemas
from comfy_mcp.workflow.ui.cards import Cards
from comfy_mcp.workflow.ui.parts import UiNode
from comfy_mcp.workflow.ui.places import Place, in_order, laid_out
from comfy_mcp.workflow.ui.promoting import UNSET, Hosts
from comfy_mcp.workflow.ui.reading import definitions, is_list, read
from comfy_mcp.workflow.ui.tracing import VIRTUAL, Tracer

__all__ = ["Converted", "classes_of", "converted", "is_ui"]


@dataclass(frozen=True, slots=True)
class Converted:
    """The nodes of an API-format graph, and what is to be said of the conversion."""

    nodes: dict[str, dict[str, Any]]
    notes: tuple[str, ...] = ()


def is_ui(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether *value* is a workflow as the editor saves it: lists of nodes and of links."""
    return isinstance(value, dict) and isinstance(value.get("nodes"), list)


def classes_of(value: dict[str, Any]) -> frozenset[str]:
    """The node classes that the host has to tell about before *value* can be converted.

    Raises:
        WorkflowError: *value* is not what the editor saves.
    """
    workflow = read(value)
    return frozenset(
        node.type
        for board in workflow.boards.values()
        for node in board.nodes.values()
        if node.type not in VIRTUAL and workflow.inside(node) is None
    )


def converted(value: dict[str, Any], schemas: Schemas) -> Converted:
    """*value* in API format.

    Raises:
        WorkflowError: it cannot be read, or needs nodes that *schemas* does not have.
    """
    workflow = read(value)
    boards = in_order(workflow)
    running = [
        (place, node)
        for place in laid_out(workflow)
        for node in place.board.nodes.values()
        if not node.stands_aside and node.type not in VIRTUAL and node.id not in place.inner
    ]
    if len(running) > MAX_NODES:
        raise WorkflowError(f"The workflow has {len(running)} nodes, more than {MAX_NODES}. Split it.")
    _complete(running, schemas)
    cards = Cards(schemas)
    hosts = Hosts(workflow, boards, cards)
    from comfy_mcp.workflow.ui.primitives import apply
    for board in boards:
        apply(board, cards, hosts)
    tracer = Tracer(workflow, cards, hosts)
    nodes = {place.id_of(node): _node(place, node, cards, hosts, tracer) for place, node in running}
    for node in nodes.values():
        inputs = node["inputs"]
        for name in [k for k, v in inputs.items() if isinstance(v, list) and v[0] not in nodes]:
            del inputs[name]
    return Converted(nodes)


def _complete(running: list[tuple[Place, UiNode]], schemas: Schemas) -> None:
    missing = sorted({node.type for _, node in running if node.type not in schemas})
    if missing:
        raise WorkflowError(f"ComfyUI has no such nodes: {listed(missing)}. Install them.")


def _node(place: Place, node: UiNode, cards: Cards, hosts: Hosts, tracer: Tracer) -> dict[str, Any]:
    card = cards.card(place.board, node.id)
    assert card is not None
    inputs = {
        widget.name: _value(widget.value)
        for widget in card.widgets.values()
        if not widget.control and widget.value is not None or (not widget.control and widget.spec.kind != "COMBO")
    }
    for socket in card.inputs():
        found = tracer.source(place, node, socket)
        if found is None:
            continue
        if found.value is not UNSET:
            inputs[socket.name] = _value(found.value)
        else:
            inputs[socket.name] = [found.node_id, found.slot]
    title = node.title or card.schema.display_name
    return {"class_type": node.type, "inputs": inputs, "_meta": {"title": title}}


def _value(value: Any) -> Any:
    return {"__value__": value} if is_list(value) else value
