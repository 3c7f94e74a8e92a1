"""A run that nobody submits: its graph and facts, made by the functions that the server uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from comfy_mcp.cli.arguments import complete
from comfy_mcp.guard.decide import prefix_for, wanted
from comfy_mcp.guard.policy import Policy
from comfy_mcp.guard.question import Prefix
from comfy_mcp.library import Library, shipped_folder
from comfy_mcp.settings import Settings
from comfy_mcp.workflow import Graph, fill, parse_graph
from comfy_mcp.workflow.axes import variants
from comfy_mcp.workflow.saves import with_prefix

__all__ = ["RUN", "SWEEP", "Draft", "draft", "library_of", "runs_of"]

RUN = "run_workflow"
"""The tool whose calls have a graph."""

SWEEP = "run_sweep"
"""The tool whose calls have many."""

SEED = 0
"""For every seed that nobody gave: no rule looks at seeds."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What would be sent: *name* of the workflow, its final *graph*, the *prefix* put into it.

    *wanted* names the facts that some rule in force looks at.
    """

    name: str
    graph: Graph
    prefix: Prefix | None
    wanted: frozenset[str]


def library_of(settings: Settings) -> Library:
    """The workflows that a server with *settings* knows by name."""
    return Library((*settings.workflows, shipped_folder()))


def draft(library: Library, policy: Policy, identity: str, args: Mapping[str, Any]) -> Draft:
    """The graph of a call of run_workflow with *args*, defaults filled in. Reads the disk.

    Raises:
        WorkflowError: the workflow or its parameters cannot be sent as they are.
    """
    workflow, params = args["workflow"], args["params"]
    if isinstance(workflow, str):
        known = library.load(workflow)
        filled = fill(known.graph, known.manifest, params, draw_seed=_seed)
    else:
        filled = fill(parse_graph(cast("object", workflow)), None, params, draw_seed=_seed)
    prefix = prefix_for(policy, RUN, identity)
    graph = filled.graph if prefix is None else with_prefix(filled.graph, prefix.text)
    name = workflow if isinstance(workflow, str) else "inline"
    return Draft(name, graph, prefix, wanted(policy, RUN, identity))


def runs_of(args: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """Arguments of run_workflow for each run of a call of run_sweep, both with defaults filled in.

    Raises:
        WorkflowError: there are none, or too many.
    """
    params, workflow = args["params"], args["workflow"]
    changes = variants(params, args["axes"], args["max_runs"])
    single = complete(RUN, {"workflow": workflow})
    return tuple({**single, "params": {**params, **one}} for one in changes)


def _seed() -> int:
    return SEED
