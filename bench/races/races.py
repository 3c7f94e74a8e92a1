"""The races: each submits jobs, stops them at a bad moment, and says what every job was told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter

from bench.races.edge import Edge
from bench.races.graphs import long, short, small
from bench.races.stage import Stage
from bench.races.verdicts import REFUSED, Report, Trial

__all__ = ["RACES", "Race"]

Race = Callable[[Stage, int], Awaitable[Report]]

ONLY_GLOBAL = "global_interrupt_only"
BEHIND = frozenset({ONLY_GLOBAL})
"""Why a ComfyUI that is too old does not stop a job that others wait behind."""

LOOK = 0.01
RUNNING_SECONDS = 20.0


async def at_once(stage: Stage, count: int) -> Report:
    """A cancel as soon as the submit is answered: of jobs of three lengths, or behind another."""
    trials: list[Trial] = []
    for turn in range(count):
        graph = (small, short, long, small)[turn % 4]
        ahead = await _ahead(stage) if turn % 4 == 3 else None  # noqa: PLR2004 - every fourth
        mark = stage.mark("at-once")
        prompt_id = await stage.mine.submit(graph(mark))
        told = await stage.mine.cancel(prompt_id)
        trials.append(Trial(mark, await stage.status(prompt_id), (told,)))
        if ahead is not None:
            trials.append(await _survived(stage, *ahead))
    return await stage.judged("cancel right after submit", count, trials)


async def at_the_end(stage: Stage, count: int) -> Report:
    """A cancel of A as it ends, with B next in the queue: B is never hit."""
    trials: list[Trial] = []
    edge = await _edge(stage)
    for _ in range(count):
        first, second = stage.mark("a"), stage.mark("b")
        prompt_id = await stage.mine.submit(short(first))
        started = perf_counter()
        behind = await stage.other.submit(short(second))
        await asyncio.sleep(max(0.0, edge.delay - (perf_counter() - started)))
        told = await stage.mine.cancel(prompt_id)
        status = await stage.status(prompt_id)
        trials.append(Trial(first, status, (told,), refusals=_refusals(stage)))
        trials.append(await _survived(stage, second, behind, other=True))
        edge = edge.after(too_late=status == "completed")
    return await stage.judged("cancel of A as it ends, B next", count, trials)


async def interrupts(stage: Stage, count: int) -> Report:
    """Interrupts with cleanup of a job that runs, with another agent's job behind it."""
    trials: list[Trial] = []
    for turn in range(count):
        first, second = stage.mark("slow"), stage.mark("next")
        prompt_id = await stage.mine.submit(long(first))
        behind = await stage.other.submit(small(second))
        await _running(stage, prompt_id)
        told = await stage.mine.interrupt(prompt_id if turn % 2 else None)
        if told == f"{REFUSED}:{ONLY_GLOBAL}" and stage.old:
            trials.append(await _without(stage, second, behind))
            told = await stage.mine.interrupt(prompt_id)
        else:
            trials.append(await _survived(stage, second, behind, other=True))
        trials.append(Trial(first, await stage.status(prompt_id), (told,), must="cancelled"))
    return await stage.judged("interrupt with cleanup", count, trials)


async def doubles(stage: Stage, count: int) -> Report:
    """Two servers of one agent cancel at once; somebody else tries the same and is refused."""
    trials: list[Trial] = []
    for turn in range(count):
        mark = stage.mark("double")
        ahead = await _ahead(stage) if turn % 3 == 1 else None
        graph = long(mark) if turn % 3 == 2 else small(mark)  # noqa: PLR2004 - each third another
        prompt_id = await stage.mine.submit(graph)
        if turn % 3 == 2:  # noqa: PLR2004 - see above
            await _running(stage, prompt_id)
        one, two, stranger = await asyncio.gather(
            stage.mine.cancel(prompt_id),
            stage.mine_too.cancel(prompt_id),
            stage.other.cancel(prompt_id),
        )
        status = await stage.status(prompt_id)
        trials.append(Trial(mark, status, (one, two), refuse=stranger))
        if ahead is not None:
            trials.append(await _survived(stage, *ahead))
    return await stage.judged("two cancels at once", count, trials)


async def strangers(stage: Stage, count: int) -> Report:
    """Somebody else interrupts "whatever runs" while an agent's job does: it runs on."""
    trials: list[Trial] = []
    for _ in range(count):
        mark = stage.mark("kept")
        prompt_id = await stage.mine.submit(short(mark))
        stranger = await stage.other.interrupt(None)
        status = await stage.status(prompt_id)
        if stranger == "nothing_runs":
            stranger = f"{REFUSED}:nothing_runs"
        trials.append(Trial(mark, status, must="completed", refuse=stranger))
    return await stage.judged("interrupt of whatever runs, by another", count, trials)


RACES: Mapping[str, tuple[Race, int]] = {
    "at_once": (at_once, 300),
    "at_the_end": (at_the_end, 300),
    "interrupts": (interrupts, 100),
    "doubles": (doubles, 100),
    "strangers": (strangers, 100),
}
"""Each race, and how often it is run."""


def _refusals(stage: Stage) -> frozenset[str]:
    return BEHIND if stage.old else frozenset()


async def _edge(stage: Stage) -> Edge:
    """How long the short job takes, measured once it is warm."""
    seconds = 0.0
    for _ in range(2):
        mark = stage.mark("warm")
        prompt_id = await stage.mine.submit(short(mark))
        started = perf_counter()
        await stage.status(prompt_id)
        seconds = perf_counter() - started
    return Edge(seconds)


async def _running(stage: Stage, prompt_id: str) -> None:
    """Until ComfyUI works on it; a job that ended already shows in the verdict."""
    async with asyncio.timeout(RUNNING_SECONDS):
        while (await stage.mine.job(prompt_id))["status"] == "pending":  # noqa: ASYNC110 - only looking tells
            await asyncio.sleep(LOOK)


async def _ahead(stage: Stage) -> tuple[str, str]:
    """A job that the next one waits behind: its mark and its id."""
    mark = stage.mark("ahead")
    return mark, await stage.mine.submit(short(mark))


async def _survived(stage: Stage, mark: str, prompt_id: str, *, other: bool = False) -> Trial:
    """A job that nobody stopped."""
    status = await stage.status(prompt_id, stage.other if other else None)
    return Trial(mark, status, must="completed")


async def _without(stage: Stage, mark: str, prompt_id: str) -> Trial:
    """The job behind is taken away by its owner, so that nothing else can be hit."""
    told = await stage.other.cancel(prompt_id)
    return Trial(mark, await stage.status(prompt_id, stage.other), (told,), must="cancelled")
