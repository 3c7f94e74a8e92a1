"""Parameters into a workflow: typed strictly, never guessed, and reported back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import cast

from comfy_mcp.errors import WorkflowError
from comfy_mcp.workflow.flaws import Flaw, listed, nearest, refuse, shown
from comfy_mcp.workflow.graph import Graph
from comfy_mcp.workflow.manifest import Manifest, Parameter, check_targets
from comfy_mcp.workflow.parse import parse_graph

__all__ = ["MAX_DRAWN_SEED", "Filled", "fill"]

MAX_DRAWN_SEED = 2**53 - 1
"""Every JSON reader gets a whole number up to here right."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A workflow ready to be sent.

    *values* has every parameter, also defaults and drawn seeds; *drawn* names the latter.
    """

    graph: Graph
    values: Mapping[str, object]
    drawn: tuple[str, ...] = ()


def fill(
    graph: Graph,
    manifest: Manifest | None,
    params: Mapping[str, object],
    *,
    draw_seed: Callable[[], int],
) -> Filled:
    """Put *params*, and defaults for the rest, into *graph*; *manifest* None: an inline workflow.

    *draw_seed* gives 0..MAX_DRAWN_SEED and is asked once for each seed that nobody gave.

    Raises:
        WorkflowError: a parameter is unknown, missing, of the wrong type or out of range.
    """
    if manifest is None:
        if params:
            raise WorkflowError(
                "This workflow takes no parameters, because it was given inline. Write the values"
                f" into its nodes and leave out: {listed(tuple(params))}."
            )
        return Filled(graph, MappingProxyType({}))
    check_targets(manifest, graph)
    refuse(_flaws(manifest, params), "The parameters cannot be used")
    drawn = tuple(p.name for p in manifest.parameters if p.name not in params and p.default is None)
    values = {p.name: _value(p, params, draw_seed) for p in manifest.parameters}
    return Filled(_put(graph, manifest, values), MappingProxyType(values), drawn)


def _flaws(manifest: Manifest, params: Mapping[str, object]) -> Iterator[Flaw]:
    for name in params:
        if name not in manifest.names:
            yield Flaw(_unknown(name, manifest.names), input_name=shown(name))
    for parameter in manifest.parameters:
        name = parameter.name
        if name in params:
            fault = parameter.problem(params[name])
            if fault is not None:
                leave = params[name] is None and not parameter.required
                hint = "; leave it out to have the default" if leave else ""
                yield Flaw(f"Parameter {name} {fault}{hint}.", input_name=name)
        elif parameter.required:
            yield Flaw(f"Parameter {name} is missing. {parameter.description}", input_name=name)


def _unknown(name: str, known: tuple[str, ...]) -> str:
    close = nearest(name, known)
    hint = f' Did you mean "{close}"?' if close else ""
    takes = f"takes: {listed(known)}" if known else "takes no parameters"
    return f'There is no parameter "{shown(name)}".{hint} This workflow {takes}.'


def _value(
    parameter: Parameter, params: Mapping[str, object], draw_seed: Callable[[], int]
) -> object:
    if parameter.name in params:
        return params[parameter.name]
    if parameter.default is not None:
        return parameter.default
    seed = draw_seed()
    if not 0 <= seed <= MAX_DRAWN_SEED:
        raise ValueError(f"draw_seed gave {seed}, which is not in 0..{MAX_DRAWN_SEED}")
    return seed


def _put(graph: Graph, manifest: Manifest, values: Mapping[str, object]) -> Graph:
    nodes = graph.to_json()
    for parameter in manifest.parameters:
        for target in parameter.fills:
            inputs = cast("dict[str, object]", nodes[target.node]["inputs"])
            inputs[target.input] = values[parameter.name]
    return parse_graph(nodes)
