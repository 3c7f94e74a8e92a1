"""Jobs whose process is gone are followed by the next one: ends, budgets and caps still hold."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from comfy_mcp.embedded import EmbeddedHost, Faults
from tests.jobs.offices import QUICK, RULE, Office, told_to_stop

pytestmark = pytest.mark.anyio

Start = Callable[..., Awaitable[EmbeddedHost]]
Hire = Callable[..., Office]
MakeGraph = Callable[..., Any]
Leave = Callable[..., Awaitable[str]]

ROOT = Path(__file__).parents[2]
DEAF = Faults(deaf_ms=60_000)
SLOWLY = Faults(node_ms=60_000)


@pytest.fixture
async def leave(tmp_path: Path) -> Leave:
    """Has another process submit a job; it is killed, without a word, as soon as that runs."""

    async def submit(
        comfy: EmbeddedHost, name: str, cap_ms: int = 0, step: str = "submitted"
    ) -> str:
        words = (comfy.url, str(tmp_path / "state"), name, str(cap_ms), step)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.jobs.leaver", *words),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(60):
                made = (await process.stdout.readline()).decode().strip()
                await comfy.until(lambda it: it.running is not None, 60)
        finally:
            process.kill()
            await process.communicate()
        assert made
        return made

    return submit


async def test_the_end_of_a_job_whose_process_was_killed_is_written_down_and_settled(
    embedded: Start, office: Hire, leave: Leave
) -> None:
    comfy = await embedded(faults=SLOWLY)
    made = await leave(comfy, "small")
    comfy.faults = Faults()
    await comfy.until(lambda it: made in it.finished)
    here = office(comfy.url)
    assert (await here.row(made)).status != "completed"

    await here.jobs.adopt()

    row = await here.settled(made, "completed")
    assert await here.used() == row.gpu_ms
    assert await here.store.unfinished(host="here") == ()
    assert len(await here.ends()) == 1


async def test_the_cap_of_a_job_whose_process_was_killed_holds(
    embedded: Start, office: Hire, leave: Leave
) -> None:
    # Without an answer its process does not follow it: nobody else could stop it at its cap.
    comfy = await embedded(faults=Faults(node_ms=60_000, answer_delay_ms=60_000))
    made = await leave(comfy, "slow", 300, "sending")
    here = office(comfy.url)

    await here.jobs.adopt()
    await comfy.until(lambda it: told_to_stop(it) > 0)
    comfy.faults = Faults()

    row = await here.settled(made, "cancelled")
    job = await here.get(made)
    assert here.leaves.asked == [made]
    assert job.error is not None
    assert RULE in job.error.message
    assert await here.used() == row.gpu_ms


async def test_time_that_a_job_ran_before_it_was_adopted_counts(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=SLOWLY)
    here, there = office(comfy.url), office(comfy.url)
    made = await here.capped(graph("slow"), 60_000)
    first = await here.until(made, lambda row: row.running_ms is not None)
    await here.jobs.close()

    await there.jobs.adopt()
    await there.get(made)

    assert (await there.row(made)).running_ms == first.running_ms


async def test_jobs_of_all_grants_are_adopted_and_those_of_another_comfyui_are_not(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=SLOWLY)
    here, there = office(comfy.url), office(comfy.url, label="there")
    mine = [await here.run(graph(), "ann"), await here.run(graph("medium"), "bob")]
    other = await there.run(graph())
    for each in (here, there):
        await each.jobs.close()
    comfy.faults = Faults()
    await comfy.until(lambda it: len(it.finished) == 3)
    next_one = office(comfy.url)

    await next_one.jobs.adopt()

    for made in mine:
        await next_one.settled(made, "completed")
    assert (await next_one.row(other)).status in {"pending", "in_progress"}


async def test_a_job_that_is_left_behind_later_is_adopted_later(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=SLOWLY)
    here, there = office(comfy.url), office(comfy.url, pace=replace(QUICK, sweep=0.05))
    await there.jobs.adopt()
    made = await here.run(graph())
    await here.jobs.close()
    comfy.faults = Faults()

    await there.settled(made, "completed")


async def test_who_waits_for_an_adopted_job_is_told_as_soon_as_for_any_other(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=SLOWLY)
    here, there = office(comfy.url), office(comfy.url, pace=replace(QUICK, live=3600))
    made = await here.run(graph("medium"))
    await comfy.until(lambda it: it.running == made)
    await here.jobs.close()
    await there.jobs.adopt()
    watch = there.jobs._followers.known(made)
    assert watch is not None
    await there.until(made, lambda _: watch.live.status == "in_progress")

    waiting = asyncio.ensure_future(there.wait(made, 60))
    await there.until(made, lambda _: watch.waiting > 0)
    comfy.faults = Faults()
    async with asyncio.timeout(20):
        job = await waiting

    assert job.status == "completed"


async def test_an_adopted_job_that_nobody_waits_for_is_not_looked_at_whenever_the_queue_changes(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=DEAF)
    here, there = office(comfy.url), office(comfy.url, pace=replace(QUICK, live=3600))
    running = await here.run(graph())
    await comfy.until(lambda it: it.running == running)
    made = await here.run(graph("medium"))
    await here.jobs.close()

    def looks() -> int:
        return sum(each.path == f"/jobs/{made}" for each in comfy.seen)

    await there.jobs.host.stats()  # what was sent before has arrived
    comfy.seen.clear()
    await there.jobs.adopt()
    await comfy.until(lambda _: looks() == 1)
    await there.wait(await there.run(graph(n1={"color": 1})), 0.3)

    assert looks() == 1


async def test_a_job_that_was_adopted_while_it_was_submitted_is_followed_as_ones_own(
    embedded: Start, office: Hire, graph: MakeGraph
) -> None:
    comfy = await embedded(faults=SLOWLY)
    here = office(comfy.url, pace=replace(QUICK, live=3600, forget=60))
    made, permit = await here.admit(graph())
    await here.jobs.adopt()

    await here.submit(graph(), made, permit)
    waiting = asyncio.ensure_future(here.wait(made))
    await here.until(made, lambda _: bool(here.told))
    comfy.faults = Faults()
    job = await waiting

    assert job.status == "completed"
    assert here.told[-1].total == 2


async def test_adopting_bears_a_journal_that_cannot_be_read_and_a_host_that_is_away(
    embedded: Start, office: Hire, graph: MakeGraph, caplog: pytest.LogCaptureFixture
) -> None:
    comfy = await embedded(faults=DEAF)
    here, there = office(comfy.url), office(comfy.url)
    made = await here.run(graph())
    await here.jobs.close()
    await comfy.stop()

    await there.jobs.adopt()
    await here.store.close()
    await here.jobs.adopt()

    assert "cannot be read" in caplog.text
    await comfy.start()
    await comfy.restart()
    await there.settled(made, "lost")


class Slow:
    """A ComfyUI that has every job in its queue, and answers a look only when it is let go."""

    def __init__(self) -> None:
        self.asked: set[str] = set()
        self.at_once = 0
        self.most = 0
        self.let_go = asyncio.Event()
        self.changed = asyncio.Event()

    async def look(self, request: web.Request) -> web.Response:
        """Answer that the job runs."""
        self.asked.add(request.match_info["made"])
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        self.changed.set()
        await self.let_go.wait()
        self.at_once -= 1
        made = request.match_info["made"]
        return web.json_response({"id": made, "status": "in_progress", "priority": 0})

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until *condition* holds; asked at every look."""
        async with asyncio.timeout(20):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
async def slow() -> AsyncIterator[tuple[Slow, str]]:
    """A slow ComfyUI and where it listens."""
    host = Slow()
    app = web.Application()
    app.router.add_get("/api/jobs/{made}", host.look)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield host, f"http://127.0.0.1:{runner.addresses[0][1]}"
    host.let_go.set()
    await runner.cleanup()


async def test_adopted_jobs_are_looked_at_a_few_at_a_time(
    office: Hire, graph: MakeGraph, slow: tuple[Slow, str]
) -> None:
    host, url = slow
    here = office(url, pace=replace(QUICK, live=3600))
    made = {(await here.admit(graph()))[0] for _ in range(12)}

    await here.jobs.adopt()
    await host.until(lambda: host.at_once == 4)
    host.let_go.set()
    await host.until(lambda: host.asked == made)

    assert host.most == 4
