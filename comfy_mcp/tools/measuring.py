"""What has to be known of a run before it is judged: its graph, and what surrounds it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import anyio

from comfy_mcp.errors import HostError
from comfy_mcp.guard.question import Run
from comfy_mcp.tools.app import App, Caller
from comfy_mcp.workflow import Facts, Graph, digest

if TYPE_CHECKING:
    from comfy_mcp.jobs.manager import Jobs

__all__ = ["Measured", "measured", "measured_together"]


@dataclass(frozen=True, slots=True)
class Measured:
    """A run ready to be judged, and the graph's digest and shape."""

    run: Run
    digest: str
    shape: str


@dataclass(frozen=True, slots=True)
class _Looked:
    """What a graph asks for, its shape and its digest."""

    facts: Facts
    shape: str
    digest: str


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
    wanted = app.gate.wanted(caller.call()) if wanted is None else wanted
    looked = await _looked(app, jobs, graph, wanted)
    depth = await _queue_depth(jobs) if "queue_depth" in wanted else None
    return await _surrounded(jobs, caller, looked, wanted, depth, front=front)


async def measured_together(
    app: App, caller: Caller, jobs: Jobs, graphs: Sequence[Graph], wanted: frozenset[str]
) -> list[Measured]:
    """As `measured`, for variants of one graph: what only seeds tell apart is measured once.

    Raises:
        StateError: the journal cannot be read.
    """
    depth = await _queue_depth(jobs) if "queue_depth" in wanted else None
    known: dict[str, asyncio.Task[_Looked]] = {}

    async def one(graph: Graph) -> Measured:
        async with app.preparing:
            kind, size, sent = await anyio.to_thread.run_sync(_without_seeds, graph)
        if kind not in known:
            known[kind] = asyncio.ensure_future(_looked(app, jobs, graph, wanted))
        like = await asyncio.shield(known[kind])
        own = _Looked(replace(like.facts, bytes=size), like.shape, sent)
        return await _surrounded(jobs, caller, own, wanted, depth, front=False)

    try:
        return list(await asyncio.gather(*map(one, graphs)))
    finally:
        for task in known.values():
            task.cancel()


def _without_seeds(graph: Graph) -> tuple[str, int, str]:
    """What a graph has in common with those that only start elsewhere; its bytes and its digest."""
    from comfy_mcp.workflow import canonical  # noqa: PLC0415 - start-up stays light
    from comfy_mcp.workflow.nodes import is_own  # noqa: PLC0415 - start-up stays light

    written = graph.to_json()
    size, sent = len(canonical(written)), digest(written)
    for node in graph.nodes.values():
        if not is_own(node.class_type):
            # What another class does with its seed is its own business.
            continue
        inputs = cast("dict[str, object]", written[node.id]["inputs"])
        for name in ("seed", "noise_seed"):
            if type(inputs.get(name)) is int:
                inputs[name] = 0
    return digest(written), size, sent


async def _looked(app: App, jobs: Jobs, graph: Graph, wanted: frozenset[str]) -> _Looked:
    from comfy_mcp.workflow.measure import asked, measure, shape  # noqa: PLC0415 - start-up stays light

    async with app.preparing:
        question = await anyio.to_thread.run_sync(asked, graph, wanted)
    known = await jobs.host.known(question)
    async with app.preparing:
        facts = await anyio.to_thread.run_sync(measure, graph, known)
        kind = await anyio.to_thread.run_sync(shape, graph, facts)
        sent = await anyio.to_thread.run_sync(lambda: digest(graph.to_json()))
    return _Looked(facts, kind, sent)


async def _surrounded(
    jobs: Jobs,
    caller: Caller,
    looked: _Looked,
    wanted: frozenset[str],
    depth: int | None,
    *,
    front: bool,
) -> Measured:
    facts = looked.facts
    run = Run(
        facts=facts,
        queue_depth=depth,
        foreign=await jobs.foreign(facts.job_files, caller.grant) if facts.job_files else (),
        estimate_ms=await jobs.estimate(looked.shape) if "estimate" in wanted else None,
        front=front,
    )
    return Measured(run, looked.digest, looked.shape)


async def _queue_depth(jobs: Jobs) -> int | None:
    try:
        return await jobs.host.queue_depth()
    except HostError:
        return None
