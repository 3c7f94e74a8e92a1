"""edit_workflow: a graph, changed step by step."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any

import anyio
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from comfy_mcp.errors import WorkflowError
from comfy_mcp.library import Source
from comfy_mcp.tools.app import App, Caller
from comfy_mcp.tools.checked import checked, near_names
from comfy_mcp.tools.library import save_workflow
from comfy_mcp.tools.validating import Found, found_in
from comfy_mcp.workflow.operations import SCHEMA, Operation, operations_in

if TYPE_CHECKING:
    from comfy_mcp.jobs.manager import Jobs
    from comfy_mcp.workflow import Graph, Manifest
    from comfy_mcp.workflow.checking import Checked
    from comfy_mcp.workflow.editing import Edited

__all__ = ["MOST", "EditedGraph", "edit_workflow"]

MOST = 14_000
"""Characters of a graph in an answer."""

FEW = 8
WORDS = 300
SAVE = "save_workflow"

OPERATIONS = (
    "All or none. add: class_type, inputs?, node? (new id), title?; set: node, input, value;"
    " connect: node, input, from (node), output? (slot or name); replace: node, class_type,"
    ' inputs?; disconnect, remove, title. inputs link as ["ID", SLOT]; defaults are filled in'
)


EMPTY = Found(
    severity="error", what="The graph is empty: there is nothing to run.", fix="Add nodes to it."
)


class EditedGraph(BaseModel):
    """A graph after its operations."""

    model_config = ConfigDict(frozen=True)

    ok: Annotated[bool, Field(description="ComfyUI would run it as a whole")]
    graph: Annotated[dict[str, Any] | None, Field(description="API format")] = None
    saved: Annotated[str | None, Field(description="To go on with by name")] = None
    added: Annotated[list[str], Field(description="Ids of new nodes")] = []
    problems: list[Found] = []
    more_problems: int | None = None
    notes: list[str] | None = None


async def edit_workflow(
    app: App,
    caller: Caller,
    *,
    workflow: Annotated[
        str | dict[str, Any],
        Field(description="Graph, name, or {} for a new one"),
    ],
    operations: Annotated[
        list[Annotated[Any, WithJsonSchema(SCHEMA)]], Field(description=OPERATIONS)
    ],
    save_as: Annotated[
        str | None,
        Field(
            pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$",
            description="Save the result instead of returning it",
        ),
    ] = None,
) -> EditedGraph:
    """Change a graph, or build one; it is checked, and nothing is run."""
    async with caller.admitted(app, caller.call()):
        steps = operations_in(operations)
        jobs = await app.jobs()
        base = await _base(app, caller, jobs, workflow)
        done, found = await _edited(app, jobs, base, steps)
    graph = done.graph.to_json()
    fits = len(json.dumps(graph, ensure_ascii=False, separators=(",", ":"))) <= MOST
    if not fits and save_as is None:
        raise WorkflowError(
            f"The graph has {len(graph)} nodes and does not fit into an answer, so nothing was"
            " kept. Give save_as: it is then saved, and the next call takes it by name."
        )
    shown = EditedGraph(
        ok=found is not None and found.sound,
        graph=graph if save_as is None else None,
        added=list(done.added),
        problems=[EMPTY] if found is None else found_in(found.problems[:FEW]),
        more_problems=None if found is None else _more(found),
        notes=[one[:WORDS] for one in (*base.notes, *done.notes)[:20]] or None,
    )
    if save_as is None:
        return shown
    # Only what was edited is replaced: another of that name may be what somebody still needs.
    same = workflow == f"{Source.SAVED}/{save_as}"
    saved = await _saved(app, caller, save_as, base, done, overwrite=same)
    return shown.model_copy(update={"saved": saved})


@dataclass(frozen=True, slots=True)
class _Base:
    """What is edited; *graph* None: nothing yet."""

    graph: Graph | None = None
    manifest: Manifest | None = None
    notes: tuple[str, ...] = field(default=())


async def _base(app: App, caller: Caller, jobs: Jobs, workflow: str | dict[str, Any]) -> _Base:
    from comfy_mcp.workflow import parse_graph  # noqa: PLC0415 - with what follows
    from comfy_mcp.workflow.ui import classes_of, converted, is_ui  # noqa: PLC0415 - start-up stays light

    if isinstance(workflow, str):
        known = await app.shelf.load(workflow, jobs.host, grant=caller.grant)
        return _Base(known.graph, known.manifest, known.notes)
    if not workflow:
        return _Base()
    if is_ui(workflow):
        schemas = await jobs.host.schemas(await anyio.to_thread.run_sync(classes_of, workflow))
        async with app.preparing:
            made = await anyio.to_thread.run_sync(converted, workflow, schemas)
            return _Base(await anyio.to_thread.run_sync(parse_graph, made.nodes), notes=made.notes)
    async with app.preparing:
        return _Base(await anyio.to_thread.run_sync(parse_graph, workflow))


async def _edited(
    app: App, jobs: Jobs, base: _Base, steps: tuple[Operation, ...]
) -> tuple[Edited, Checked | None]:
    """*base* after *steps*, and what is wrong with it then; None if nothing is left of it."""
    from comfy_mcp.workflow.editing import edited  # noqa: PLC0415 - start-up stays light

    nodes = () if base.graph is None else base.graph.nodes.values()
    names = {node.class_type for node in nodes}
    names |= {step.class_type for step in steps if step.class_type}
    schemas = await jobs.host.schemas(names)
    known = await near_names(jobs, names - schemas.keys())
    async with app.preparing:
        done = await anyio.to_thread.run_sync(edited, base.graph, steps, schemas, known)
    if not done.graph.nodes:
        return done, None
    return done, await checked(app, jobs, done.graph, schemas)


async def _saved(
    app: App, caller: Caller, name: str, base: _Base, done: Edited, *, overwrite: bool
) -> str:
    """Keep the result as save_workflow does, by its own leave; the name to run it by."""
    if not app.gate.listed(caller.identity, SAVE):
        raise WorkflowError("save_as: you have no save_workflow, so the graph was not kept.")
    if not done.graph.nodes:
        raise WorkflowError("save_as: the graph is empty, so it was not kept.")
    args: dict[str, Any] = {
        "name": name,
        "workflow": done.graph.to_json(),
        "parameters": _parameters(base.manifest, done.graph),
        "title": None if base.manifest is None else base.manifest.title,
        "description": "" if base.manifest is None else base.manifest.description,
        "overwrite": overwrite,
    }
    saved = await save_workflow(app, replace(caller, tool=SAVE, args=args), **args)
    return saved.name


def _parameters(manifest: Manifest | None, graph: Graph) -> list[dict[str, Any]] | None:
    """Those of *manifest* that still have an input to fill; None: they are inferred."""
    from comfy_mcp.workflow import as_link  # noqa: PLC0415 - with the function

    if manifest is None:
        return None
    kept: list[dict[str, Any]] = []
    for one in manifest.parameters:
        fills = [
            target.model_dump()
            for target in one.fills
            if target.node in graph.nodes
            and target.input in graph.nodes[target.node].inputs
            and as_link(graph.nodes[target.node].inputs[target.input]) is None
        ]
        if fills:
            whole = one.model_dump(mode="json", exclude_unset=True)
            kept.append({**whole, "fills": fills})
    return kept


def _more(found: Checked) -> int | None:
    return found.more + max(0, len(found.problems) - FEW) or None
