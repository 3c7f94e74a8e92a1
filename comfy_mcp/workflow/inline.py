"""Parameters of a graph that came without a manifest: by placeholder, by meaning, or by node.

Names are those of its placeholders (``PARAM_...``) or, without any, those that are inferred
(``prompt``, ``seed``, ``steps``); ``NODE.input`` is the value that stands in one node. What is not
named stays as it stands in the graph.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from comfy_mcp.errors import WorkflowError
from comfy_mcp.workflow.accept import Kind, Limits, problem_with
from comfy_mcp.workflow.fill import RANDOM, Filled, fill
from comfy_mcp.workflow.flaws import listed, nearest, shown
from comfy_mcp.workflow.graph import Graph, as_link
from comfy_mcp.workflow.infer import inferred
from comfy_mcp.workflow.manifest import Manifest, Parameter
from comfy_mcp.workflow.parse import parse_graph
from comfy_mcp.workflow.placeholders import placeholders
from comfy_mcp.workflow.schema import Schemas

__all__ = ["Inline", "fill_inline", "fill_whole", "places"]

MOST_EXACT = 2**53
"""Whole numbers up to here are the same as numbers with a point."""

LONGEST = 1_000_000

MOST_LIKE = 3
"""Inputs that are offered for a name that is none."""

_SEEDS = frozenset({"seed", "noise_seed"})
_KINDS: Mapping[type, Kind] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
}


@dataclass(frozen=True, slots=True)
class Inline:
    """A graph with its parameters in place; *base* is what *manifest* was put into."""

    filled: Filled
    base: Graph
    manifest: Manifest | None


def fill_inline(
    graph: Graph,
    params: Mapping[str, object],
    *,
    draw_seed: Callable[[], int],
    files: Mapping[str, str],
    schemas: Schemas | None = None,
    known: Manifest | None = None,
    nodes: bool = True,
) -> Inline:
    """*params* put into *graph*; see `fill` for *draw_seed* and *files*.

    *known* says what it takes besides what is inferred. Without *nodes* there is no ``NODE.input``.

    Raises:
        WorkflowError: there is no such name, it means several inputs, two mean the same one, or a
            value does not fit.
    """
    held = placeholders(graph, schemas) if known is None else None
    if held is None and not params:
        return Inline(fill(graph, None, {}, draw_seed=draw_seed), graph, None)
    whole = held[1] if held is not None else _both(known, _found(graph, params, schemas, nodes))
    given = {name: value for name, value in params.items() if name in whole.names}
    taken = tuple(one for one in whole.parameters if held is not None or one.name in given)
    put, drawn = _put(graph, whole.names, taken, params, draw_seed, nodes=nodes)
    base = graph if not put else _with(graph, put, files)
    manifest = whole.model_copy(update={"parameters": taken})
    filled = fill(base, manifest, given, draw_seed=draw_seed, files=files)
    return Inline(_also(filled, put, drawn, files), base, manifest if taken else None)


def fill_whole(
    graph: Graph,
    manifest: Manifest,
    params: Mapping[str, object],
    *,
    draw_seed: Callable[[], int],
    files: Mapping[str, str],
) -> Inline:
    """*params* put into *graph* as *manifest* says, defaults and all, or by ``NODE.input``.

    Raises:
        WorkflowError: as `fill_inline`; an input that a parameter fills is no ``NODE.input``.
    """
    names = manifest.names
    put, drawn = _put(graph, names, manifest.parameters, params, draw_seed, nodes=True)
    base = graph if not put else _with(graph, put, files)
    given = {name: value for name, value in params.items() if name in names}
    filled = fill(base, manifest, given, draw_seed=draw_seed, files=files)
    return Inline(_also(filled, put, drawn, files), base, manifest)


def _also(
    filled: Filled,
    put: Mapping[str, tuple[str, str, object]],
    drawn: Sequence[str],
    files: Mapping[str, str],
) -> Filled:
    """*filled* with what was *put* into single nodes."""
    placed = {name: value for name, (_, _, value) in put.items()}
    used = {
        each: files[each] for each in placed.values() if isinstance(each, str) and each in files
    }
    return replace(
        filled, placed=placed, drawn=(*filled.drawn, *drawn), files={**filled.files, **used}
    )


def _found(
    graph: Graph,
    params: Mapping[str, object],
    schemas: Schemas | None,
    nodes: bool,
) -> Manifest:
    """What is inferred; nothing where all that is named stands in a node: names have no dots."""
    if nodes and all("." in name and places(graph, name) for name in params):
        return Manifest(title="Workflow")
    return inferred(graph, schemas)


def _both(known: Manifest | None, found: Manifest) -> Manifest:
    """*known*, and what was *found* besides in other inputs and under other names."""
    if known is None:
        return found
    filled = {(t.node, t.input) for one in known.parameters for t in one.fills}
    more = (
        one
        for one in found.parameters
        if one.name not in known.names
        and not any((target.node, target.input) in filled for target in one.fills)
    )
    return known.model_copy(update={"parameters": (*known.parameters, *more)})


def places(graph: Graph, name: str) -> list[tuple[str, str]]:
    """Each node and input that *name* can mean: both may have dots of their own."""
    dots = (at for at, sign in enumerate(name) if sign == ".")
    pairs = ((name[:at], name[at + 1 :]) for at in dots)
    return [
        (node, key)
        for node, key in pairs
        if node in graph.nodes and key in graph.nodes[node].inputs
    ]


def _put(
    graph: Graph,
    known: tuple[str, ...],
    taken: tuple[Parameter, ...],
    params: Mapping[str, object],
    draw_seed: Callable[[], int],
    *,
    nodes: bool,
) -> tuple[dict[str, tuple[str, str, object]], list[str]]:
    """What stands at ``NODE.input`` from now on: node, input and value; which were drawn."""
    put: dict[str, tuple[str, str, object]] = {}
    drawn: list[str] = []
    filler = {(t.node, t.input): one.name for one in taken for t in one.fills}
    for name, value in params.items():
        if name in known:
            continue
        node, key = _place(graph, name, known, nodes=nodes)
        if (node, key) in filler:
            raise WorkflowError(
                f"{shown(name)} is filled by the parameter {filler[node, key]}: give only that"
                " one.",
                input_name=shown(name),
            )
        was = graph.nodes[node].inputs[key]
        if value == RANDOM and key in _SEEDS and type(was) is int:
            drawn.append(name)
            put[name] = (node, key, draw_seed())
        else:
            put[name] = (node, key, _fitting(name, node, key, was, value))
    return put, drawn


def _place(graph: Graph, name: str, known: tuple[str, ...], *, nodes: bool) -> tuple[str, str]:
    found = places(graph, name) if nodes else []
    if len(found) == 1:
        return found[0]
    if found:
        raise WorkflowError(
            f'"{shown(name)}" means an input of several nodes, because their names have dots in'
            " them. Write the value into the graph instead."
        )
    node = name.partition(".")[0]
    if nodes and "." in name and node in graph.nodes:
        names = tuple(f"{node}.{key}" for key in graph.nodes[node].inputs)
        has = f"That node has: {listed(names)}."
    else:
        names = known
        takes = [*known, "NODE_ID.input"] if nodes else list(known)
        has = f"It takes: {listed(takes)}." if takes else "It takes none."
    near = nearest(name, names)
    close = [near] if near else _inputs_like(graph, name) if nodes else []
    meant = " or ".join(f'"{shown(each)}"' for each in close)
    hint = f" Did you mean {meant}?" if close else ""
    raise WorkflowError(
        f'There is no parameter "{shown(name)}" here.{hint} {has}', input_name=shown(name)
    )


def _inputs_like(graph: Graph, name: str) -> list[str]:
    """The first few ``NODE.input`` whose input has the word of *name* in it, or is much like it."""
    word = name.rpartition(".")[2][:64].casefold()
    values = [
        (node.id, key)
        for node in graph.nodes.values()
        for key, value in node.inputs.items()
        if type(value) in _KINDS
    ]
    keys = list(dict.fromkeys(key for _, key in values))
    near = [key for key in keys if word and word in key.casefold()]
    near = near or difflib.get_close_matches(word, keys, n=1)
    return [f"{node}.{key}" for node, key in values if key in near][:MOST_LIKE]


def _fitting(name: str, node: str, key: str, was: object, value: object) -> object:
    """*value* in the type of what stands there; a whole number may stand for any number."""
    where = {"node_id": node, "input_name": key}
    if as_link(was) is not None:
        raise WorkflowError(
            f"{shown(name)} is linked to another node, and parameters change no links: use"
            " edit_workflow.",
            **where,
        )
    kind = _KINDS.get(type(was))
    if kind is None:
        raise WorkflowError(
            f"{shown(name)} holds a list or an object: change it in the graph itself.", **where
        )
    if kind == "number" and type(value) is int and abs(value) <= MOST_EXACT:
        return float(value)
    # The editor writes 1 for 1.0, so what stands there does not tell a number from a whole one.
    kind = "number" if kind == "integer" and isinstance(value, float) else kind
    fault = problem_with(value, kind, Limits(max_length=LONGEST))
    if fault is not None:
        raise WorkflowError(f"{shown(name)} {fault}.", **where)
    return value


def _with(
    graph: Graph, put: Mapping[str, tuple[str, str, object]], files: Mapping[str, str]
) -> Graph:
    nodes = graph.to_json()
    for node, key, value in put.values():
        inputs = cast("dict[str, object]", nodes[node]["inputs"])
        inputs[key] = files.get(value, value) if isinstance(value, str) else value
    return parse_graph(nodes)
