"""A run as a person is asked about it: all that it takes to send it later, or with changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from comfy_mcp.errors import WorkflowError
from comfy_mcp.workflow.fill import Filled, fill
from comfy_mcp.workflow.flaws import listed, nearest, shown
from comfy_mcp.workflow.graph import Graph, as_link
from comfy_mcp.workflow.input_files import input_files
from comfy_mcp.workflow.manifest import Manifest, parse_manifest
from comfy_mcp.workflow.parse import parse_graph
from comfy_mcp.workflow.saves import with_prefix

__all__ = ["Remade", "changeable", "frozen", "remake"]

RUN = "run"

MOST_CHANGES = 100


@dataclass(frozen=True, slots=True)
class Remade:
    """A frozen run with changed parameters: *changes* maps each name to ``[before, after]``."""

    payload: Mapping[str, Any]
    graph: Graph
    changes: Mapping[str, Any]


def frozen(
    filled: Filled,
    *,
    workflow: str,
    base: Graph,
    manifest: Manifest | None,
    prefix: str | None,
    front: bool,
) -> dict[str, Any]:
    """*filled* as JSON, with what it was made from.

    *base* is the graph before parameters were put in, *prefix* what the policy puts before the
    names of outputs.
    """
    return {
        "kind": RUN,
        "workflow": workflow,
        "graph": filled.graph.to_json(),
        "base": base.to_json() if manifest is not None else None,
        "manifest": None
        if manifest is None
        else manifest.model_dump(mode="json", exclude_unset=True),
        "values": dict(filled.values),
        "drawn": list(filled.drawn),
        "prefix": prefix,
        "front": front,
        "nodes": {},
    }


def changeable(payload: Mapping[str, Any]) -> tuple[str, ...]:
    """Parameters that a person may change; inputs of nodes can be changed beside them."""
    manifest = _manifest(payload)
    if manifest is None:
        return ()
    return tuple(one.name for one in manifest.parameters if one.type != "image")


def remake(payload: Mapping[str, Any], changes: Mapping[str, object]) -> Remade:
    """The run of *payload* with other values; what equals what was there is no change.

    A name is a parameter's, or ``NODE.input`` for a value that stands in a node. Values keep their
    type, links stay links, and the files that are read stay the same: a yes is bound to them.

    Raises:
        WorkflowError: there is no such name, or the value does not fit.
    """
    if payload.get("kind") != RUN:
        raise WorkflowError("Only a run of a workflow can be changed: approve or deny it as it is.")
    if len(changes) > MOST_CHANGES:
        raise WorkflowError(f"At most {MOST_CHANGES} values can be changed at once.")
    manifest = _manifest(payload)
    names = manifest.names if manifest is not None else ()
    values, nodes = dict(payload["values"]), dict(payload["nodes"])
    before: dict[str, object] = {}
    for name, value in changes.items():
        if name in names:
            before[name] = values.get(name)
            values[name] = value
        else:
            before[name] = _there(payload, name, names)
            nodes[name] = _fitting(name, before[name], value)
    graph = _made(payload, manifest, values, nodes)
    _same_files(parse_graph(payload["graph"]), graph)
    changed = {
        name: [was, changes[name]] for name, was in before.items() if not _same(was, changes[name])
    }
    new = {**payload, "values": values, "nodes": nodes, "graph": graph.to_json()}
    return Remade(new, graph, changed)


def _manifest(payload: Mapping[str, Any]) -> Manifest | None:
    written = payload.get("manifest")
    return None if written is None else parse_manifest(written)


def _made(
    payload: Mapping[str, Any],
    manifest: Manifest | None,
    values: Mapping[str, object],
    nodes: Mapping[str, object],
) -> Graph:
    if manifest is None:
        graph = parse_graph(payload["graph"])
    else:
        graph = fill(parse_graph(payload["base"]), manifest, values, draw_seed=_nothing).graph
        if payload["prefix"] is not None:
            graph = with_prefix(graph, payload["prefix"])
    written = graph.to_json()
    for name, value in nodes.items():
        node, _, key = name.partition(".")
        cast("dict[str, object]", written[node]["inputs"])[key] = value
    return parse_graph(written)


def _nothing() -> int:
    raise AssertionError("a frozen run has all its seeds")


def _there(payload: Mapping[str, Any], name: str, names: tuple[str, ...]) -> object:
    """The value that stands in a node of the frozen graph."""
    node, _, key = name.partition(".")
    graph: Mapping[str, Any] = payload["graph"]
    inputs: Mapping[str, object] = graph.get(node, {}).get("inputs", {})
    if key not in inputs:
        close = nearest(name, names)
        hint = f' Did you mean "{close}"?' if close else ""
        known = f" It takes: {listed(names)}; or NODE.input." if names else " Name NODE.input."
        raise WorkflowError(f'There is nothing called "{shown(name)}" to change.{hint}{known}')
    value = inputs[key]
    if as_link(value) is not None:
        raise WorkflowError(f"{shown(name)} is linked to another node, and links stay as they are.")
    return value


def _fitting(name: str, was: object, value: object) -> object:
    """*value*, if it is of the type of what *was* there; a whole number may become any number."""
    if isinstance(was, bool) or isinstance(value, bool):
        fits = isinstance(was, bool) and isinstance(value, bool)
    elif isinstance(was, int | float):
        fits = isinstance(value, int) or (isinstance(value, float) and isinstance(was, float))
    else:
        fits = isinstance(was, str) and isinstance(value, str)
    if not fits:
        raise WorkflowError(f"{shown(name)} is {shown(repr(was))}: give a value of the same type.")
    return value


def _same_files(before: Graph, after: Graph) -> None:
    was, now = ({one.name for one in input_files(graph)} for graph in (before, after))
    if was != now:
        raise WorkflowError(
            "Which files are read cannot be changed, because a yes is bound to what is in them."
            " Deny the request and say which file to take."
        )


def _same(was: object, now: object) -> bool:
    return type(was) is type(now) and was == now
