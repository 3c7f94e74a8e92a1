"""validate_workflow: what would become of a run, without running it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from comfy_mcp.errors import HostError, WorkflowError
from comfy_mcp.tools.app import App, Caller
from comfy_mcp.tools.checked import checked
from comfy_mcp.tools.measuring import measured
from comfy_mcp.tools.order import ordered
from comfy_mcp.tools.run_matter import RunMatter
from comfy_mcp.tools.verdicts import Verdict, runner, verdict
from comfy_mcp.workflow import FACTS

if TYPE_CHECKING:
    from comfy_mcp.jobs.manager import Jobs
    from comfy_mcp.tools.order import Order
    from comfy_mcp.workflow import Facts
    from comfy_mcp.workflow.checking import Checked, Problem

__all__ = ["MOST", "Found", "Validation", "found_in", "validate_workflow"]

MOST = 16_000
"""Characters of an answer."""

FEW = (25, 12, 6, 3, 1)
WORDS = 600
MOST_NAMES = 20


class Found(BaseModel):
    """One problem of a graph."""

    model_config = ConfigDict(frozen=True)

    severity: Literal["error", "warning"]
    node_id: str | None = None
    class_type: str | None = None
    input: str | None = None
    what: str
    fix: str | None = None


class MissingModel(BaseModel):
    """A model file that this ComfyUI does not have."""

    model_config = ConfigDict(frozen=True)

    name: str
    folder: str
    node_id: str
    near: str | None = None


class Cost(BaseModel):
    """What the run would ask of the machine."""

    model_config = ConfigDict(frozen=True)

    seconds: Annotated[float | None, Field(description="95 % of runs of this shape")] = None
    steps: int
    width: int
    height: int
    megapixels: float
    batch: int
    frames: int
    nodes: int
    api_nodes: Annotated[list[str] | None, Field(description="These cost credits")] = None
    undetermined: list[str] | None = None


class Queue(BaseModel):
    """What is ahead of it, everybody's jobs."""

    model_config = ConfigDict(frozen=True)

    running: int
    pending: int


class Validation(BaseModel):
    """What would become of a run."""

    model_config = ConfigDict(frozen=True)

    ok: Annotated[
        bool, Field(description="It would run as a whole, if need be after a person's yes")
    ]
    workflow: str
    problems: list[Found] = []
    more_problems: int | None = None
    missing_nodes: list[str] | None = None
    missing_models: list[MissingModel] | None = None
    policy: Verdict | None = None
    cost: Cost | None = None
    queue: Queue | None = None
    notes: list[str] | None = None


async def validate_workflow(
    app: App,
    caller: Caller,
    *,
    workflow: Annotated[
        str | dict[str, Any], Field(description="Name, or graph (API or editor format)")
    ],
    params: Annotated[dict[str, Any], Field(description="As for run_workflow")] = {},  # noqa: B006 - pydantic copies it
) -> Validation:
    """Would this run? ComfyUI's checks, the policy's word, cost and queue; nothing is queued."""
    async with caller.admitted(app, caller.call()):
        jobs = await app.jobs()
        asking = runner(caller, workflow, params)
        name = workflow if isinstance(workflow, str) else "inline"
        try:
            order = await ordered(app, asking, workflow, params)
        except WorkflowError as error:
            return Validation(ok=False, workflow=name[:300], problems=[_of_error(error)])
        return await _validated(app, asking, jobs, order)


async def _validated(app: App, asking: Caller, jobs: Jobs, order: Order) -> Validation:
    graph = order.filled.graph
    found, call, whole, queue = await asyncio.gather(
        checked(app, jobs, graph),
        RunMatter(app, asking, jobs, order).judged(),
        measured(app, asking, jobs, graph, front=False, wanted=FACTS | {"estimate"}),
        _queue(jobs),
    )
    said = await verdict(app, asking, call, jobs)
    facts = whole.run.facts
    shown = Validation(
        ok=found.sound and said.passes,
        workflow=order.workflow,
        missing_nodes=[one[:200] for one in found.missing[:MOST_NAMES]] or None,
        missing_models=_missing_models(found, facts) or None,
        policy=said,
        cost=_cost(facts, whole.run.estimate_ms),
        queue=queue,
        notes=[one[:WORDS] for one in order.notes[:10]] or None,
    )
    return _fitted(shown, found)


def _fitted(shown: Validation, found: Checked) -> Validation:
    """*shown* with as many problems as an answer has room for."""
    made = shown
    for few in FEW:
        more = found.more + max(0, len(found.problems) - few)
        update = {"problems": found_in(found.problems[:few]), "more_problems": more or None}
        made = shown.model_copy(update=update)
        if len(made.model_dump_json(exclude_none=True)) <= MOST:
            break
    return made


def found_in(problems: tuple[Problem, ...]) -> list[Found]:
    """*problems* as they are told, each cut to a length that can be read."""
    return [
        Found(
            severity=one.severity,
            node_id=one.node_id or None,
            class_type=one.class_type[:200] or None,
            input=one.input[:200] or None,
            what=one.what[:WORDS],
            fix=one.fix[:WORDS] or None,
        )
        for one in problems
    ]


def _of_error(error: WorkflowError) -> Found:
    return Found(
        severity="error", node_id=error.node_id, input=error.input_name, what=str(error)[:4000]
    )


def _missing_models(found: Checked, facts: Facts) -> list[MissingModel]:
    """Models among what is not in its list."""
    unlisted = {
        (one.node_id, one.input): one for one in found.problems if one.code == "value_not_in_list"
    }
    return [
        MissingModel(name=model.name[:300], folder=folder, node_id=model.node_id, near=one.near)
        for folder, used in facts.models.items()
        for model in used
        if (one := unlisted.get((model.node_id, model.input_name))) is not None
    ][:MOST_NAMES]


def _cost(facts: Facts, estimate_ms: int | None) -> Cost:
    return Cost(
        seconds=None if estimate_ms is None else estimate_ms / 1000,
        steps=facts.total_steps,
        width=facts.width,
        height=facts.height,
        megapixels=round(facts.megapixels, 3),
        batch=facts.batch,
        frames=facts.frames,
        nodes=facts.nodes,
        api_nodes=sorted(facts.api_nodes)[:MOST_NAMES] or None,
        undetermined=sorted(facts.undetermined)[:MOST_NAMES] or None,
    )


async def _queue(jobs: Jobs) -> Queue | None:
    try:
        running, pending = await jobs.host.queue_length()
    except HostError:
        return None
    return Queue(running=running, pending=pending)
