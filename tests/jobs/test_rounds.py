"""Cancelling A as it ends, B next in the queue: B never dies, and no cancel is told wrongly."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from comfy_mcp.embedded import EmbeddedHost, Faults
from tests.jobs.offices import Office

pytestmark = pytest.mark.anyio

log = logging.getLogger(__name__)

ROUNDS = 60
REAL = os.environ.get("COMFYUI_TEST_HOST")
PLACES = ["0.3.64", "0.33", *(["real"] if REAL else [])]

Start = Callable[..., Awaitable[EmbeddedHost]]
Hire = Callable[..., Office]
MakeGraph = Callable[..., Any]


@pytest.fixture
async def history() -> Any:
    """What ComfyUI itself says of a job: its last message, or that it has no entry."""
    async with aiohttp.ClientSession() as session:

        async def ask(url: str, prompt_id: str) -> str:
            async with session.get(f"{url}/api/history/{prompt_id}") as answer:
                entries = await answer.json()
            if prompt_id not in entries:
                return "no entry"
            last: str = entries[prompt_id]["status"]["messages"][-1][0]
            return last

        yield ask


TRUE = {
    ("cancelled", "execution_interrupted"),
    ("cancelled", "no entry"),
    ("already_finished", "execution_success"),
}
"""What may be told, and what ComfyUI then says."""


@pytest.mark.parametrize("place", PLACES)
async def test_a_cancel_of_a_job_that_is_about_to_end_never_hits_the_next_one(
    embedded: Start,
    office: Hire,
    graph: MakeGraph,
    history: Callable[[str, str], Awaitable[str]],
    place: str,
) -> None:
    url = REAL or ""
    if place != "real":
        url = (await embedded(place, Faults(node_ms=2))).url
    here = office(url)
    colors = iter(int.from_bytes(os.urandom(3)) for _ in range(10 * ROUNDS))
    told: Counter[tuple[str, str, str]] = Counter()
    length = await _usual_length(here, graph, colors)

    for turn in range(ROUNDS):
        first = await here.run(graph("medium", n1={"color": next(colors)}))
        second = await here.run(graph("medium", n1={"color": next(colors)}))
        await asyncio.sleep(length * turn / ROUNDS)  # the moments of the race

        report = await here.stop(first, 20)
        async with asyncio.timeout(30):
            job = await here.wait(second, 25)

        said = await history(url, first)
        told[report.outcome, said, job.status] += 1
        assert (report.outcome, said) in TRUE
        assert job.status == "completed"
        assert await history(url, second) == "execution_success"
        settled = "cancelled" if report.outcome == "cancelled" else "completed"
        assert (await here.row(first)).status == settled

    log.info("%s: %s", place, dict(told))
    assert sum(told.values()) == ROUNDS


async def _usual_length(here: Office, graph: MakeGraph, colors: Any) -> float:
    """Seconds that a job runs; the first one warms the host up."""
    lengths = [0.0]
    for _ in range(4):
        job = await here.wait(await here.run(graph("medium", n1={"color": next(colors)})))
        lengths.append(job.timings.running or 0.0)
    return sum(lengths[2:]) / 3
