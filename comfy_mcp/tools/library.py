"""list_workflows, describe_workflow, save_workflow and delete_workflow: what can be run by name."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import anyio
from pydantic import BaseModel, ConfigDict, Field

from comfy_mcp.errors import HostError, WorkflowError
from comfy_mcp.library import Done, Source, source_of
from comfy_mcp.shelf import (
    Described,
    WorkflowPage,
    described,
    page_of,
    ranked,
    to_save,
)
from comfy_mcp.tools.app import App, Caller
from comfy_mcp.tools.checked import checked
from comfy_mcp.workflow import parse_graph, shown

if TYPE_CHECKING:
    from comfy_mcp.jobs.manager import Jobs
    from comfy_mcp.shelf import Found
    from comfy_mcp.workflow import Graph
    from comfy_mcp.workflow.checking import Problem

__all__ = [
    "Deleted",
    "Saved",
    "delete_workflow",
    "describe_workflow",
    "list_workflows",
    "save_workflow",
]

_NAME = r"^[a-z0-9][a-z0-9_-]{0,63}$"

Name = Annotated[str, Field(max_length=300)]

MOST_PROBLEMS = 3
MOST_WORDS = 300
"""Characters of one problem of a graph that is kept all the same."""

PATIENCE = 10.0
"""Seconds for ComfyUI to say what it thinks of a graph."""

PLACEHOLDER = "PARAM_"


class Saved(BaseModel):
    """A workflow that was kept."""

    model_config = ConfigDict(frozen=True)

    name: Annotated[str, Field(description="To run it by")]
    parameters: list[str]
    status: Done
    notes: list[str] = []


class Deleted(BaseModel):
    """A workflow that is gone."""

    model_config = ConfigDict(frozen=True)

    deleted: str


async def list_workflows(
    app: App,
    caller: Caller,
    *,
    query: Annotated[str, Field(max_length=200, description="Words; best match first")] = "",
    source: Annotated[
        Literal["library", "saved", "host", "template"] | None, Field(description="Default: all")
    ] = None,
    limit: Annotated[int, Field(ge=1, le=50)] = 20,
    cursor: Annotated[str | None, Field(max_length=64)] = None,
) -> WorkflowPage:
    """Workflows that run_workflow takes by name."""
    async with caller.admitted(app, caller.call()):
        jobs = await app.jobs()
        only = None if source is None else Source(source)
        found, warnings = await app.shelf.entries(jobs.host, caller.grant, source=only)
        return await anyio.to_thread.run_sync(
            lambda: page_of(ranked(found, query), limit=limit, cursor=cursor, warnings=warnings)
        )


async def describe_workflow(app: App, caller: Caller, *, name: Name) -> Described:
    """What a workflow takes (JSON Schema with what this ComfyUI offers now) and what is missing."""
    async with caller.admitted(app, caller.call()):
        jobs = await app.jobs()
        return await described(app.shelf, name, jobs.host, caller.grant)


async def save_workflow(
    app: App,
    caller: Caller,
    *,
    name: Annotated[str, Field(pattern=_NAME)],
    workflow: Annotated[dict[str, Any], Field(description="API or editor format")],
    parameters: Annotated[
        list[dict[str, Any]] | None,
        Field(
            description="[{name, type, description, default?, min?, max?, choices?,"
            " fills: [{node, input}]}]; default: PARAM_ values, or inferred"
        ),
    ] = None,
    title: Annotated[str | None, Field(max_length=200)] = None,
    description: Annotated[str, Field(max_length=4000)] = "",
    overwrite: Annotated[bool, Field(description="Replace your own of that name")] = False,
) -> Saved:
    """Keep a workflow under saved/NAME, to run it by name."""
    about: dict[str, Any] = {"title": title or name, "description": description}
    if parameters is not None:
        about["parameters"] = parameters
    async with caller.admitted(app, caller.call()):
        jobs = await app.jobs()
        found, parts = await to_save(name, workflow, about, jobs.host)
        async with app.preparing:
            status: Done = await anyio.to_thread.run_sync(
                lambda: app.shelf.save(name, caller.grant, parts, overwrite=overwrite)
            )
        problems = await _problems(app, jobs, found, told=parameters is not None)
    return Saved(
        name=found.name,
        parameters=list(found.manifest.names if found.manifest else ()),
        status=status,
        notes=[*problems, *found.notes],
    )


async def _problems(app: App, jobs: Jobs, found: Found, *, told: bool) -> list[str]:
    """The first few reasons why it would not run here; none where ComfyUI does not say.

    What a caller has to give anyway is not looked at; *told*: the parameters are the caller's.
    """
    with suppress(HostError, WorkflowError, TimeoutError), anyio.fail_after(PATIENCE):
        graph, given = await anyio.to_thread.run_sync(_with_defaults, found, told)
        judged = await checked(app, jobs, graph)
        lines = [
            _line(one, whole=judged.refused)
            for one in judged.problems
            if one.severity == "error" and (one.node_id, one.input) not in given
        ]
        rest = len(lines) - MOST_PROBLEMS + judged.more
        more = [f"{rest} more problems: validate_workflow tells them."] if rest > 0 else []
        return [*lines[:MOST_PROBLEMS], *more]
    return []


def _with_defaults(found: Found, told: bool) -> tuple[Graph, set[tuple[str, str]]]:
    """The graph as it runs without parameters, and the inputs that only a caller can fill."""
    nodes, given = found.graph.to_json(), set[tuple[str, str]]()
    for one in found.manifest.parameters if found.manifest else ():
        for to in one.fills:
            inputs = cast("dict[str, object]", nodes[to.node]["inputs"])
            if one.default is not None:
                inputs[to.input] = one.default
            elif told or str(inputs[to.input]).startswith(PLACEHOLDER):
                given.add((to.node, to.input))
    return parse_graph(nodes), given


def _line(problem: Problem, *, whole: bool) -> str:
    does = "refuse it" if whole else "leave a part of it out"
    head = f"ComfyUI would {does}" if problem.refuses else "It would fail"
    node = f"node {shown(problem.node_id)}" if problem.node_id else ""
    where = f"{node}, input {shown(problem.input)}" if problem.input else node
    text = ": ".join(part for part in (head, where, f"{problem.what} {problem.fix}") if part)
    return text if len(text) <= MOST_WORDS else f"{text[: MOST_WORDS - 3]}..."


async def delete_workflow(app: App, caller: Caller, *, name: Name) -> Deleted:
    """Delete a workflow that you saved."""
    split = source_of(name)
    async with caller.admitted(app, caller.call()):
        if split is None or split[0] is not Source.SAVED:
            raise WorkflowError(
                f'You have saved no workflow "{shown(name)}", and only those can be deleted.'
            )
        await anyio.to_thread.run_sync(app.shelf.delete, split[1], caller.grant)
    return Deleted(deleted=name)
