"""Parameters into a workflow: typed strictly, never guessed, and reported back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import cast

from comfy_mcp.errors import WorkflowError
from comfy_mcp.workflow.flaws import Flaw, listed, nearest, refuse, sentence, shown
from comfy_mcp.workflow.graph import Graph
from comfy_mcp.workflow.manifest import Manifest, Parameter, check_targets
from comfy_mcp.workflow.parse import parse_graph

__all__ = ["MAX_DRAWN_SEED", "RANDOM", "Filled", "fill"]

MAX_DRAWN_SEED = 2**53 - 1
"""Every JSON reader gets a whole number up to here right."""

RANDOM = "random"
"""Said in place of a seed: one is to be drawn."""

_TAKES_FILES = frozenset({"string", "choice", "image"})


@dataclass(frozen=True, slots=True)
class Filled:
    """A workflow ready to be sent.

    *values* has every parameter, also defaults and drawn seeds; *drawn* names the latter. *files*
    maps what stands for a file in *values* to the name that the graph has for it. *placed* is what
    was put into single nodes, by ``NODE.input``.
    """

    graph: Graph
    values: Mapping[str, object]
    drawn: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict[str, str])
    placed: Mapping[str, object] = field(default_factory=dict[str, object])

    @property
    def told(self) -> dict[str, object]:
        """All that was put in, by the names that callers know."""
        return {**self.values, **self.placed}


def fill(
    graph: Graph,
    manifest: Manifest | None,
    params: Mapping[str, object],
    *,
    draw_seed: Callable[[], int],
    files: Mapping[str, str] = MappingProxyType({}),
) -> Filled:
    """Put *params*, and defaults for the rest, into *graph*; *manifest* None: one that takes none.

    *draw_seed* gives 0..MAX_DRAWN_SEED and is asked once for each seed that nobody gave, or for
    which `RANDOM` stands. *files* are names of files by what may stand for them in *params*: what
    they are was looked at by whoever found them.

    Raises:
        WorkflowError: a parameter is unknown, missing, of the wrong type or out of range.
    """
    if manifest is None:
        if params:
            raise WorkflowError(
                "This workflow takes no parameters. Write the values into its nodes and leave out:"
                f" {listed(tuple(params))}."
            )
        return Filled(graph, MappingProxyType({}))
    if not manifest.parameters and not params:
        return Filled(graph, MappingProxyType({}))
    check_targets(manifest, graph)
    chance = frozenset(p.name for p in manifest.parameters if _by_chance(p, params))
    given = {name: value for name, value in params.items() if name not in chance}
    refuse(_flaws(manifest, given, chance, files), "The parameters cannot be used")
    values = {p.name: _value(p, given, chance, draw_seed) for p in manifest.parameters}
    drawn = tuple(name for name in values if name in chance)
    used = {
        each: files[each] for each in values.values() if isinstance(each, str) and each in files
    }
    return Filled(_put(graph, manifest, values, used), MappingProxyType(values), drawn, used)


def _by_chance(parameter: Parameter, params: Mapping[str, object]) -> bool:
    if parameter.type == "seed" and params.get(parameter.name) == RANDOM:
        return True
    given = parameter.name in params or parameter.required
    return not given and parameter.default is None


def _flaws(
    manifest: Manifest,
    params: Mapping[str, object],
    chance: Collection[str],
    files: Mapping[str, str],
) -> Iterator[Flaw]:
    for name in params:
        if name not in manifest.names:
            yield Flaw(_unknown(name, manifest.names), input_name=shown(name))
    for parameter in manifest.parameters:
        name = parameter.name
        if name in chance:
            continue
        if name in params:
            value = params[name]
            if parameter.type in _TAKES_FILES and isinstance(value, str) and value in files:
                continue
            fault = parameter.problem(value)
            if fault is not None:
                fault += f'; or give "{RANDOM}"' if parameter.type == "seed" else ""
                leave = params[name] is None and not parameter.required
                hint = "; leave it out to have the default" if leave else ""
                yield Flaw(sentence(f"Parameter {name} {fault}{hint}"), input_name=name)
        elif parameter.required:
            yield Flaw(f"Parameter {name} is missing{_means(parameter)}.", input_name=name)


def _means(parameter: Parameter) -> str:
    """What somebody wrote about it, as a quotation."""
    words = " ".join(parameter.description.split())
    return f': "{words}"' if words else ""


def _unknown(name: str, known: tuple[str, ...]) -> str:
    close = nearest(name, known)
    hint = f' Did you mean "{close}"?' if close else ""
    takes = f"takes: {listed(known)}" if known else "takes no parameters"
    return f'There is no parameter "{shown(name)}".{hint} This workflow {takes}.'


def _value(
    parameter: Parameter,
    params: Mapping[str, object],
    chance: Collection[str],
    draw_seed: Callable[[], int],
) -> object:
    if parameter.name in params:
        return params[parameter.name]
    if parameter.name not in chance:
        return parameter.default
    seed = draw_seed()
    if not 0 <= seed <= MAX_DRAWN_SEED:
        raise ValueError(f"draw_seed gave {seed}, which is not in 0..{MAX_DRAWN_SEED}")
    return seed


def _put(
    graph: Graph, manifest: Manifest, values: Mapping[str, object], files: Mapping[str, str]
) -> Graph:
    nodes = graph.to_json()
    for parameter in manifest.parameters:
        value = values[parameter.name]
        if parameter.type in _TAKES_FILES and isinstance(value, str):
            value = files.get(value, value)
        for target in parameter.fills:
            inputs = cast("dict[str, object]", nodes[target.node]["inputs"])
            inputs[target.input] = value
    return parse_graph(nodes)
