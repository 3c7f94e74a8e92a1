"""One answer for all who ask at about the same time, and none that is older than was wanted."""

from __future__ import annotations

import asyncio

import pytest

from comfy_mcp.errors import HostError, HostTimeout
from comfy_mcp.host.recent import Recent

pytestmark = pytest.mark.anyio


class Source:
    """Answers with how often it was asked, when it is let."""

    def __init__(self) -> None:
        self.now = 0.0
        self.epoch = 0
        self.asked = 0
        self.open = asyncio.Event()
        self.open.set()
        self.error: HostError | None = None

    async def answer(self) -> int:
        """The number of this question."""
        self.asked += 1
        self.now += 1
        number = self.asked
        await self.open.wait()
        if self.error is not None:
            raise self.error
        return number


@pytest.fixture
def source() -> Source:
    """A source that answers at once."""
    return Source()


@pytest.fixture
def recent(source: Source) -> Recent[int]:
    """Its answers."""
    return Recent(source.answer, lambda: source.now, lambda: source.epoch)


async def test_who_comes_later_gets_an_answer_of_its_own(recent: Recent[int]) -> None:
    assert [await recent.get(), await recent.get()] == [1, 2]


async def test_an_answer_that_is_new_enough_is_shared(recent: Recent[int]) -> None:
    await recent.get()

    assert await recent.get(1.0) == 1
    assert await recent.get(0.5) == 2


async def test_many_who_ask_together_cost_two_questions(
    source: Source, recent: Recent[int]
) -> None:
    source.open.clear()
    first = asyncio.create_task(recent.get())
    await asyncio.sleep(0)
    others = [asyncio.create_task(recent.get()) for _ in range(64)]
    await asyncio.sleep(0)
    source.open.set()

    assert await first == 1
    assert set(await asyncio.gather(*others)) == {2}


async def test_who_waited_for_an_answer_that_failed_shares_the_failure(
    source: Source, recent: Recent[int]
) -> None:
    source.open.clear()
    source.error = HostTimeout("no")
    tasks = [asyncio.create_task(recent.get()) for _ in range(9)]
    await asyncio.sleep(0)
    source.open.set()

    told = await asyncio.gather(*tasks, return_exceptions=True)

    assert all(isinstance(each, HostTimeout) for each in told)
    assert source.asked == 2
    source.error = None
    assert await recent.get() == 3


async def test_an_answer_of_before_a_restart_is_not_handed_out(
    source: Source, recent: Recent[int]
) -> None:
    await recent.get()
    assert recent.lately(10) == 1
    source.epoch += 1

    assert recent.lately(10) is None
    assert await recent.get(10) == 2


async def test_who_stops_waiting_does_not_keep_others_from_the_answer(
    source: Source, recent: Recent[int]
) -> None:
    source.open.clear()
    first = asyncio.create_task(recent.get())
    await asyncio.sleep(0)
    second = asyncio.create_task(recent.get())
    await asyncio.sleep(0)
    first.cancel()
    source.open.set()

    assert await second == 2
