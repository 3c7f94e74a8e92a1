"""run_sweep and get_sweep: many variants of one workflow, judged as a whole."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import anyio
from pydantic import Field

from comfy_mcp.errors import JobNotFound, WorkflowError
from comfy_mcp.guard.call import Granted
from comfy_mcp.outputs.seen import MOST_FRAMES
from comfy_mcp.store.protocol import NewSweep, SweepRow
from comfy_mcp.tools.app import App, Caller
from comfy_mcp.tools.ids import PromptId
from comfy_mcp.tools.order import MOST_NOTES, Order, filled_from, referred
from comfy_mcp.tools.run import PATIENCE, Wait
from comfy_mcp.tools.source import Source, source_of
from comfy_mcp.tools.sweep_matter import RUN, SweepMatter
from comfy_mcp.tools.sweep_table import Sweep, as_table, cursor_of
from comfy_mcp.workflow import digest
from comfy_mcp.workflow.axes import MOST_RUNS, variants

if TYPE_CHECKING:
    from comfy_mcp.jobs.job import Job
    from comfy_mcp.jobs.manager import Jobs

__all__ = ["get_sweep", "run_sweep"]

MOST_NODES = 20_000
"""Nodes of all runs together: each graph is filled, measured and kept by itself."""

MOST_BYTES = 32 * 1024 * 1024

AGAIN = (
    "This is the sweep of an earlier call with the same idempotency_key: nothing was submitted now."
)
SENDING = "Some runs have not been sent to ComfyUI yet: ask get_sweep."

SweepId = Annotated[str, Field(pattern=r"^swp_[A-Za-z0-9]{1,60}$")]


async def run_sweep(
    app: App,
    caller: Caller,
    *,
    workflow: Annotated[
        str | dict[str, Any] | None, Field(description="As for run_workflow")
    ] = None,
    from_prompt_id: PromptId | None = None,
    params: Annotated[dict[str, Any], Field(description="Of all runs")] = {},  # noqa: B006 - pydantic copies it
    axes: Annotated[
        dict[str, list[Any]] | list[dict[str, Any]],
        Field(description='{"steps": [10, 20], "seed": [1, 2]}: a grid; or a list of params'),
    ] = {},  # noqa: B006 - pydantic copies it
    max_runs: Annotated[int, Field(ge=1, le=MOST_RUNS, description="More is refused")] = 12,
    wait_seconds: Wait = 40,
    idempotency_key: Annotated[
        str | None, Field(pattern=r"^[!-~]{1,128}$", description="As for run_workflow")
    ] = None,
) -> Sweep:
    """Run variants of a workflow, all or none, and wait for one table of their results."""
    began = asyncio.get_running_loop().time()
    jobs = await app.jobs()
    changes = variants(params, axes, max_runs)
    source = await source_of(app, caller, workflow, from_prompt_id)
    await anyio.to_thread.run_sync(_must_be_small, source, len(changes))
    orders = await _orders(app, caller, source, params, changes)
    asked = {
        "workflow": workflow,
        "params": params,
        "axes": axes,
        "from_prompt_id": from_prompt_id,
    }
    sweep = NewSweep(
        sweep_id=f"swp_{app.new_prompt_id().replace('-', '')[:16]}",
        grant=caller.grant,
        host=jobs.label,
        workflow=source.name,
        key=idempotency_key or "",
        request=await anyio.to_thread.run_sync(digest, asked) if idempotency_key else "",
    )
    matter = SweepMatter(app, caller, jobs, orders=orders, sweep=sweep, names=changes)
    call = await matter.judged()
    warnings = list(source.notes[:MOST_NOTES])

    def left() -> float:
        return max(0.0, wait_seconds - (asyncio.get_running_loop().time() - began))

    async with app.gate.admit_many(call, matter) as granted:
        sweep_id = sweep.sweep_id
        if granted.sweep is not None:
            sweep_id = granted.sweep.sweep_id
            warnings = [AGAIN]
        else:
            sending = app.keep(_sent(app, jobs, caller, matter.orders, granted))
            # A client that times out has read at least this, and can ask get_sweep.
            await caller.say(0.0, f"submitting {len(matter.orders)} runs as {sweep_id}")
            await asyncio.wait([sending], timeout=max(PATIENCE, left()))
            if not sending.done():
                warnings.append(SENDING)
    return await _told(app, caller, sweep_id, left(), warnings=warnings)


async def get_sweep(
    app: App,
    caller: Caller,
    sweep_id: SweepId,
    wait_seconds: Annotated[Wait, Field(description="Wait so long for its end")] = 0,
    cursor: Annotated[
        str | None, Field(pattern=r"^[0-9]{1,4}$", description="next_cursor of the page before")
    ] = None,
) -> Sweep:
    """All runs of a sweep in one table: what each changed, its status, its outputs or error."""
    async with caller.admitted(app, caller.call()):
        return await _told(app, caller, sweep_id, wait_seconds, begin=cursor_of(cursor))


def _must_be_small(source: Source, count: int) -> None:
    from comfy_mcp.workflow import canonical  # noqa: PLC0415 - start-up stays light

    nodes, size = len(source.graph.nodes), len(canonical(source.graph.to_json()))
    if nodes * count > MOST_NODES or size * count > MOST_BYTES:
        raise WorkflowError(
            f"{count} runs of a graph with {nodes} nodes ({size} bytes) are too much at once:"
            f" {MOST_NODES} nodes and {MOST_BYTES // 1024**2} MiB in all are allowed. Run them in"
            " parts."
        )


async def _orders(
    app: App,
    caller: Caller,
    source: Source,
    params: Mapping[str, Any],
    changes: Sequence[Mapping[str, Any]],
) -> list[Order]:
    """Every run with its parameters in place.

    Raises:
        WorkflowError: one of them cannot be sent; it says which.
    """
    runner, prefix = replace(caller, tool=RUN), app.gate.prefix(caller.call())
    texts = {f"{at} {name}": value for at, one in enumerate(changes) for name, value in one.items()}
    files = await referred(app, runner, source, {**source.values, **params, **texts})
    orders: list[Order] = []
    for number, change in enumerate(changes, 1):
        try:
            given = {**params, **change}
            made = filled_from(app, runner, source, given, files=files, prefix=prefix)
            orders.append(await made)
        except WorkflowError as error:
            if len(changes) == 1:
                raise
            raise WorkflowError(
                f"Run {number} of {len(changes)}: {error} Nothing was run.",
                node_id=error.node_id,
                input_name=error.input_name,
            ) from error
    return orders


async def _sent(
    app: App, jobs: Jobs, caller: Caller, orders: Sequence[Order], granted: Granted
) -> None:
    """Queue all runs in their order; what becomes of each is in the journal."""
    from comfy_mcp.jobs.sweeping import Ready, send  # noqa: PLC0415 - start-up stays light

    runs = [
        Ready(order.filled.graph, order.prompt_id, leave.submit, order.told())
        for order, leave in zip(orders, granted.variants, strict=True)
        if leave.submit is not None
    ]
    if len(runs) != len(orders):
        raise AssertionError("a variant was admitted without a permit")

    async def withdrawn() -> str | None:
        return await app.gate.withdrawn(granted.call)

    await send(jobs, runs, caller.grant, granted.note, withdrawn)


async def _told(
    app: App,
    caller: Caller,
    sweep_id: str,
    seconds: float,
    *,
    begin: int = 0,
    warnings: Sequence[str] = (),
) -> Sweep:
    """The sweep as it is once all its runs have ended, or *seconds* are over."""
    from comfy_mcp.jobs.sweeping import look, wait_all  # noqa: PLC0415 - start-up stays light

    jobs = await app.jobs()
    row = await jobs.store.sweep(sweep_id, grant=caller.grant)
    if row is None:
        raise JobNotFound(f"You have no sweep {sweep_id}; list_jobs tells which job is of which.")
    rows = await jobs.store.sweep_jobs(sweep_id)
    total = max(1, len(rows))

    async def tell(done: int, part: float) -> None:
        percent = min(100.0, 100 * (done + part) / total)
        await caller.say(percent, f"{done} of {total} runs have ended")

    if row.host == jobs.label:
        await wait_all(jobs, rows, caller.grant, seconds, tell)
        rows = await jobs.store.sweep_jobs(sweep_id)
    found, trouble = await look(jobs, rows, caller.grant)
    told = [*warnings, *([trouble] if trouble else [])]
    table = as_table(row, found, _changed(row), begin=begin, warnings=told)
    return table.model_copy(update={"next": _next(table, found, app, caller)})


def _next(table: Sweep, found: Sequence[Job], app: App, caller: Caller) -> str | None:
    """The first that fits of what the caller can do about its sweep."""

    def may(tool: str) -> bool:
        return app.gate.listed(caller.identity, tool)

    if table.counts.keys() & {"pending", "in_progress"} and may("get_sweep"):
        return f'Not finished: get_sweep("{table.sweep_id}", wait_seconds=40)'
    pictures = [out.uri for job in found for out in job.outputs if out.kind == "image"]
    return _see(pictures) if pictures and may("view_output") else None


def _see(pictures: Sequence[str]) -> str:
    """Few pictures stand on one sheet; of many the first ones."""
    if len(pictures) == 1:
        return f'See it: view_output("{pictures[0]}")'
    which = "all" if len(pictures) <= MOST_FRAMES else f"the first {MOST_FRAMES}"
    uris = ", ".join(f'"{uri}"' for uri in pictures[:MOST_FRAMES])
    return f"See {which} on one sheet: view_output([{uris}])"


def _changed(row: SweepRow) -> list[dict[str, Any]]:
    """What each run changed; empty where that was forgotten."""
    try:
        return list(json.loads(row.data)["runs"]) if row.data else []
    except (ValueError, KeyError, TypeError):
        return []
