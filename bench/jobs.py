"""A small job through our server, through an unguarded one, and without any, in turn."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from time import perf_counter
from typing import Any

from mcp import Client, StdioServerParameters

from bench.figures import Figure, of_times, ratio
from bench.graphs import pictures
from bench.places import OURS, UNGUARDED, Place
from bench.steps import Plain

__all__ = ["measure"]

Run = Callable[[dict[str, Any]], Awaitable[Any]]

WARM_UP = 5


async def measure(place: Place, rounds: int) -> list[Figure]:
    """Medians of *rounds* jobs each, and how they compare."""
    async with AsyncExitStack() as stack:
        runs: dict[str, Run] = {
            "ours": await stack.enter_async_context(_over_mcp(OURS, place)),
            "unguarded": await stack.enter_async_context(_over_mcp(UNGUARDED, place)),
            "script": (await stack.enter_async_context(Plain(place.host))).run,
        }
        colors = pictures()
        for _ in range(WARM_UP):
            await _round(runs, colors, 0)
        rows = [await _round(runs, colors, turn) for turn in range(rounds)]
    return _figures({name: [row[name] for row in rows] for name in runs})


async def _round(
    runs: Mapping[str, Run], colors: Iterator[dict[str, Any]], turn: int
) -> dict[str, float]:
    """Seconds of one job each; who goes first changes from round to round."""
    names = [*runs]
    start = turn % len(names)
    return {name: await _timed(runs[name], next(colors)) for name in names[start:] + names[:start]}


async def _timed(run: Run, graph: dict[str, Any]) -> float:
    started = perf_counter()
    await run(graph)
    return perf_counter() - started


def _figures(times: Mapping[str, list[float]]) -> list[Figure]:
    ours = of_times("small job: comfy-mcp-guard over stdio", times["ours"])
    unguarded = of_times("small job: unguarded SDK server over stdio", times["unguarded"])
    script = of_times("small job: script, no MCP", times["script"])
    return [
        ours,
        unguarded,
        script,
        Figure("small job: what the guard adds", ours.value - unguarded.value, "ms"),
        ratio("small job: ours / unguarded", ours, unguarded, goal=1.3),
        ratio("small job: unguarded / script", unguarded, script),
    ]


@asynccontextmanager
async def _over_mcp(arguments: tuple[str, ...], place: Place) -> AsyncGenerator[Run]:
    server = StdioServerParameters(
        command=sys.executable, args=[*arguments], env=place.environment(), cwd=place.folder
    )
    async with Client(server) as client:

        async def run(graph: dict[str, Any]) -> None:
            result = await client.call_tool("run_workflow", {"workflow": graph})
            content = result.structured_content or {}
            if result.is_error or content.get("status") not in {"completed", "success"}:
                raise RuntimeError(f"a job failed: {result.content}")

        yield run
