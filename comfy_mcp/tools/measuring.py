"""What has to be known of a run before it is judged: its graph, and what surrounds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from comfy_mcp.errors import HostError
from comfy_mcp.guard.question import Run
from comfy_mcp.tools.app import App, Caller
from comfy_mcp.workflow import Graph, digest

if TYPE_CHECKING:
    from comfy_mcp.jobs.manager import Jobs

__all__ = ["Measured", "measured"]


@dataclass(frozen=True, slots=True)
class Measured:
    """A run ready to be judged, and the graph's digest and shape."""

    run: Run
    digest: str
    shape: str


async def measured(
    app: App,
    caller: Caller,
    jobs: Jobs,
    graph: Graph,
    *,
    front: bool,
    wanted: frozenset[str] | None = None,
) -> Measured:
    """Measure *graph*, the one that will be sent, as far as some rule in force wants it.

    *wanted* names facts to be measured instead.

    What the host cannot tell is left out: the guard then takes it for undetermined.

    Raises:
        StateError: the journal cannot be read.
    """
    from comfy_mcp.workflow.measure import asked, measure, shape  # noqa: PLC0415 - start-up stays light

    wanted = app.gate.wanted(caller.call()) if wanted is None else wanted
    async with app.preparing:
        question = await anyio.to_thread.run_sync(asked, graph, wanted)
    known = await jobs.host.known(question)
    async with app.preparing:
        facts = await anyio.to_thread.run_sync(measure, graph, known)
        kind = await anyio.to_thread.run_sync(shape, graph, facts)
        sent = await anyio.to_thread.run_sync(lambda: digest(graph.to_json()))
    run = Run(
        facts=facts,
        queue_depth=await _queue_depth(jobs) if "queue_depth" in wanted else None,
        foreign=await jobs.foreign(facts.job_files, caller.grant) if facts.job_files else (),
        estimate_ms=await jobs.estimate(kind) if "estimate" in wanted else None,
        front=front,
    )
    return Measured(run, sent, kind)


async def _queue_depth(jobs: Jobs) -> int | None:
    try:
        return await jobs.host.queue_depth()
    except HostError:
        return None
