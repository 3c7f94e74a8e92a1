"""A run as a person is asked about it: all that it takes to send it later, or with changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from comfy_mcp.errors import WorkflowError
from comfy_mcp.workflow.fill import Filled, fill
from comfy_mcp.workflow.flaws import listed, nearest, shown
from comfy_mcp.workflow.graph import Graph, as_link
from comfy_mcp.workflow.input_files import reads_of
from comfy_mcp.workflow.manifest import Manifest, parse_manifest
from comfy_mcp.workflow.parse import parse_graph
from comfy_mcp.workflow.saves import with_prefix

__all__ = ["Remade", "changeable", "frozen", "remake"]

RUN = "run"

MOST_CHANGES = 100

MOST_EXACT = 2**53
"""Whole numbers up to here are the same as numbers with a point."""


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
        "placed": dict(filled.placed),
        "references": dict(filled.files),
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

    A name is a parameter's, or ``NODE.input`` for a value that stands in a node and that no
    parameter fills. Values keep their type, links stay links, outputs keep the policy's prefix, and
    the files that are read stay the same: a yes is bound to them.

    Raises:
        WorkflowError: there is no such name, or the value does not fit.
    """
    if payload.get("kind") != RUN:
        raise WorkflowError("Only a run of a workflow can be changed: approve or deny it as it is.")
    if len(changes) > MOST_CHANGES:
        raise WorkflowError(f"At most {MOST_CHANGES} values can be changed at once.")
    manifest = _manifest(payload)
    values, nodes = dict(payload["values"]), dict(payload["nodes"])
    before: dict[str, object] = {}
    for name, value in changes.items():
        of_parameter = manifest is not None and name in manifest.names
        was = values.get(name) if of_parameter else _there(payload, name, manifest)
        if _same(was, value):
            continue
        before[name] = was
        if of_parameter:
            values[name] = value
        else:
            nodes[name] = _fitting(name, was, value)
    graph = _made(payload, manifest, values, nodes)
    _same_files(parse_graph(payload["graph"]), graph)
    new = {**payload, "values": values, "nodes": nodes, "graph": graph.to_json()}
    placed: Mapping[str, object] = payload.get("placed") or {}
    new["placed"] = {name: nodes.get(name, value) for name, value in placed.items()}
    new["drawn"] = [name for name in payload["drawn"] if name not in before]
    return Remade(new, graph, _changes(new, before))


def _changes(new: Mapping[str, Any], before: Mapping[str, object]) -> dict[str, list[object]]:
    """Before and after, as it is sent: a prefix may have been put before a name."""
    found: dict[str, list[object]] = {}
    for name, was in before.items():
        now = new["values"][name] if name in new["values"] else _value_at(new["graph"], name)
        if not _same(was, now):
            found[name] = [was, now]
    return found


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
        files: Mapping[str, str] = payload.get("references") or {}
        base = parse_graph(payload["base"])
        graph = fill(base, manifest, values, draw_seed=_nothing, files=files).graph
    written = graph.to_json()
    for name, value in nodes.items():
        node, key = _places(payload["graph"], name)[0]
        cast("dict[str, object]", written[node]["inputs"])[key] = value
    # Put on last, so that nobody writes past it by accident; what has it is left as it is.
    return with_prefix(parse_graph(written), payload["prefix"] or "")


def _nothing() -> int:
    raise AssertionError("a frozen run has all its seeds")


def _there(payload: Mapping[str, Any], name: str, manifest: Manifest | None) -> object:
    """The value that stands in a node of the frozen graph, if it may be another one."""
    names = manifest.names if manifest is not None else ()
    places = _places(payload["graph"], name)
    if not places:
        close = nearest(name, names)
        hint = f' Did you mean "{close}"?' if close else ""
        known = f" It takes: {listed(names)}; or NODE.input." if names else " Name NODE.input."
        raise WorkflowError(f'There is nothing called "{shown(name)}" to change.{hint}{known}')
    if len(places) > 1:
        raise WorkflowError(
            f'"{shown(name)}" means an input of several nodes, because their names have dots in'
            " them: it cannot be changed. Approve or deny it as it is."
        )
    filler = _filler(manifest, places[0])
    if filler is not None:
        raise WorkflowError(f"{shown(name)} is filled by the parameter {filler}: change that one.")
    value = _value_at(payload["graph"], name)
    if as_link(value) is not None:
        raise WorkflowError(f"{shown(name)} is linked to another node, and links stay as they are.")
    return value


def _places(graph: Mapping[str, Any], name: str) -> list[tuple[str, str]]:
    """Each node and input that *name* can mean: both may have dots of their own."""
    dots = (at for at, sign in enumerate(name) if sign == ".")
    pairs = ((name[:at], name[at + 1 :]) for at in dots)
    return [(node, key) for node, key in pairs if node in graph and key in graph[node]["inputs"]]


def _value_at(graph: Mapping[str, Any], name: str) -> object:
    node, key = _places(graph, name)[0]
    value: object = graph[node]["inputs"][key]
    return value


def _filler(manifest: Manifest | None, place: tuple[str, str]) -> str | None:
    """The parameter that fills this input."""
    parameters = manifest.parameters if manifest is not None else ()
    for one in parameters:
        if any((target.node, target.input) == place for target in one.fills):
            return one.name
    return None


def _fitting(name: str, was: object, value: object) -> object:
    """*value* in the type of what *was* there; a whole number may stand for any number."""
    if isinstance(was, float) and type(value) is int and abs(value) <= MOST_EXACT:
        return float(value)
    if type(was) is not type(value) or not isinstance(was, bool | int | float | str):
        raise WorkflowError(f"{shown(name)} is {shown(repr(was))}: give a value of the same type.")
    return value


def _same_files(before: Graph, after: Graph) -> None:
    was, now = (Counter(reads_of(graph)) for graph in (before, after))
    if was != now:
        raise WorkflowError(
            "Which files are read cannot be changed, because a yes is bound to what is in them."
            " Deny the request and say which file to take."
        )


def _same(was: object, now: object) -> bool:
    return type(was) is type(now) and was == now
