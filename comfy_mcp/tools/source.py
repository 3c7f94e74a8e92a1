"""Where a run's graph comes from: a workflow by name, a graph of either format, a former run."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from comfy_mcp.errors import HostError, WorkflowError
from comfy_mcp.library import Source as Kept
from comfy_mcp.tools.app import App, Caller
from comfy_mcp.workflow import Graph, Manifest, parse_graph
from comfy_mcp.workflow.origin import INLINE

if TYPE_CHECKING:
    from comfy_mcp.jobs.manager import Jobs
    from comfy_mcp.workflow.schema import Schemas

__all__ = ["Source", "settled_early", "source_of"]

NOTHING = "Name a workflow, give a graph, or repeat a job with from_prompt_id: nothing was run."
BOTH = "Give workflow or from_prompt_id, not both: nothing was run."

SAVED = f"{Kept.SAVED}/"
"""How names of what agents saved begin."""

MOST_SHOWN = 60
MOST_NAMED = 8


@dataclass(frozen=True, slots=True)
class Source:
    """A graph before its parameters, under the *name* that rules, journal and audit know.

    *manifest* says what it takes, None where that has to be looked for in it. Is it *whole*, its
    defaults hold for what is not given; else that stays as it stands in the graph. *values* were
    the parameters of the run *again* that is repeated, *base* is the digest of what its workflow
    was.
    """

    name: str
    graph: Graph
    manifest: Manifest | None = None
    whole: bool = True
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])
    notes: tuple[str, ...] = ()
    schemas: Schemas | None = None
    again: str | None = None
    base: str = ""

    @property
    def open(self) -> bool:
        """Whether any value in a node may be given by ``NODE.input``: the graph is an agent's own.

        What the operator or ComfyUI keeps takes what it says that it takes.
        """
        return self.name == INLINE or self.name.startswith(SAVED)

    def reused(self, params: Mapping[str, Any]) -> tuple[str, ...]:
        """What a repeat takes over, in words."""
        if self.again is None:
            return ()
        new = [f"{name}={_short(value)}" for name, value in params.items()]
        words = ", ".join(new[:MOST_NAMED]) + (", ..." if len(new) > MOST_NAMED else "")
        how = f"with {words}; all else is as it was" if new else "as it was, seed and all"
        return (f"This repeats job {self.again} {how}.",)


async def source_of(
    app: App, caller: Caller, workflow: str | dict[str, Any] | None, from_prompt_id: str | None
) -> Source:
    """What a call wants to have run.

    Raises:
        WorkflowError: there is none, or it cannot be used.
        HostError: ComfyUI has to be asked for it, and does not answer.
        StateError: the journal, or what was saved, cannot be read.
    """
    if from_prompt_id is not None:
        if workflow is not None:
            raise WorkflowError(BOTH)
        from comfy_mcp.tools.former import former  # noqa: PLC0415 - it makes sources, too

        return await former(app, caller, await app.jobs(), from_prompt_id)
    if workflow is None:
        raise WorkflowError(NOTHING)
    jobs = await app.jobs()
    if isinstance(workflow, str):
        found = await app.shelf.load(workflow, jobs.host, grant=caller.grant)
        whole = found.manifest is not None
        return Source(found.name, found.graph, found.manifest, whole=whole, notes=found.notes)
    return await _inline(app, jobs, workflow)


def settled_early(args: Mapping[str, Any]) -> bool:
    """Whether *args* of a run say all that rules look at, before anything is read for it.

    A former run, the editor's format, and parameters of a graph show only later what is meant:
    rules about arguments are then asked when the whole run is judged.
    """
    from comfy_mcp.workflow.ui import is_ui  # noqa: PLC0415 - start-up stays light

    if args.get("from_prompt_id") is not None:
        return False
    is_graph = isinstance(args.get("workflow"), dict)
    return not (is_graph and (args.get("params") or is_ui(args.get("workflow"))))


async def _inline(app: App, jobs: Jobs, workflow: dict[str, Any]) -> Source:
    from comfy_mcp.workflow.ui import is_ui  # noqa: PLC0415 - start-up stays light

    notes: tuple[str, ...] = ()
    schemas: Schemas | None = None
    nodes = workflow
    if is_ui(workflow):
        nodes, notes, schemas = await _converted(app, jobs, workflow)
    async with app.preparing:
        graph = await anyio.to_thread.run_sync(parse_graph, nodes)
    held = await anyio.to_thread.run_sync(_placeholder_classes, graph) if schemas is None else None
    if held:
        schemas = await jobs.host.schemas(held)
    return Source(INLINE, graph, notes=notes, schemas=schemas)


async def _converted(
    app: App, jobs: Jobs, workflow: dict[str, Any]
) -> tuple[dict[str, Any], tuple[str, ...], Schemas]:
    """A workflow of the editor as nodes of the API, what is to be said of it, and its classes.

    Raises:
        WorkflowError: it cannot be converted; a class that ComfyUI lacks is told with a near one.
        HostError: ComfyUI does not tell about its nodes.
    """
    from comfy_mcp.workflow.ui import classes_of, converted  # noqa: PLC0415 - start-up stays light

    schemas = await jobs.host.schemas(await anyio.to_thread.run_sync(classes_of, workflow))
    try:
        async with app.preparing:
            done = await anyio.to_thread.run_sync(converted, workflow, schemas)
    except WorkflowError:
        known = frozenset[str]()
        with suppress(HostError):
            known = frozenset(await jobs.host.nodes())
        if not known:
            raise
        async with app.preparing:
            again = partial(converted, workflow, schemas, known=known)
            done = await anyio.to_thread.run_sync(again)
    return done.nodes, done.notes, schemas


def _placeholder_classes(graph: Graph) -> frozenset[str]:
    """Classes of nodes that have a placeholder, whose type the host may know."""
    return frozenset(
        node.class_type
        for node in graph.nodes.values()
        if any(
            isinstance(value, str) and value.startswith("PARAM_") for value in node.inputs.values()
        )
    )


def _short(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."
