"""One error for all the nodes that the host lacks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from comfy_mcp.errors import WorkflowError
from comfy_mcp.workflow.flaws import MOST_NAMES, nearest, shown
from comfy_mcp.workflow.schema import Schemas
from comfy_mcp.workflow.ui.parts import UiNode
from comfy_mcp.workflow.ui.places import Place

__all__ = ["refuse_lacking"]

_MOST_NODES = 3
_CORE = "comfy-core"


def refuse_lacking(
    running: Iterable[tuple[Place, UiNode]], schemas: Schemas, known: Collection[str]
) -> None:
    """Refuse nodes whose class the host has not; *known*: classes that may have been meant.

    Raises:
        WorkflowError: names each class with its nodes, its package and a near name if there is one.
    """
    lacking: dict[str, list[tuple[str, UiNode]]] = {}
    for place, node in running:
        if node.type not in schemas:
            lacking.setdefault(node.type, []).append((place.id_of(node), node))
    if not lacking:
        return
    meant = sorted(known)
    lines = [
        f"\n  - {shown(kind)} ({', '.join(_about(kind, nodes, meant))})"
        for kind, nodes in list(lacking.items())[:MOST_NAMES]
    ]
    more = f"\n  - and {len(lacking) - MOST_NAMES} more" if len(lacking) > MOST_NAMES else ""
    raise WorkflowError(
        f"ComfyUI has no node of these classes, which the workflow needs:{''.join(lines)}{more}\n"
        "Let the operator install the packages that bring them or update ComfyUI, or take those"
        " nodes out.",
        node_id=next(iter(lacking.values()))[0][0],
    )


def _about(kind: str, nodes: list[tuple[str, UiNode]], known: list[str]) -> Iterator[str]:
    ids = ", ".join(shown(node_id) for node_id, _ in nodes[:_MOST_NODES])
    rest = f" and {len(nodes) - _MOST_NODES} more" if len(nodes) > _MOST_NODES else ""
    yield f"node {ids}{rest}"
    package = nodes[0][1].properties.get("cnr_id")
    if package == _CORE:
        yield "of a newer or older ComfyUI"
    elif isinstance(package, str) and package:
        yield f"of the package {shown(package)}"
    near = nearest(kind, known)
    if near is not None:
        yield f"near: {shown(near)}"
