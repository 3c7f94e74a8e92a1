"""Work is done in order and whole in one thread, and nobody waits for his turn for ever."""

from __future__ import annotations

import asyncio
import threading

import pytest

from comfy_mcp.errors import StateError
from comfy_mcp.store.worker import Worker

pytestmark = pytest.mark.anyio


class Gate:
    """Work that says when it began and goes on when it is let."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.let = threading.Event()
        self.ended = threading.Event()

    def __call__(self) -> str:
        """Be the work."""
        self.began.set()
        self.let.wait(10)
        self.ended.set()
        return "through"


async def under_way(worker: Worker, gate: Gate) -> asyncio.Task[str]:
    task = asyncio.create_task(worker.run(gate))
    assert await asyncio.to_thread(gate.began.wait, 10)
    return task


async def test_all_work_is_done_in_one_other_thread_in_order() -> None:
    worker, done = Worker(5), list[int]()

    def work(number: int) -> int:
        done.append(number)
        return threading.get_ident()

    threads = await asyncio.gather(*(worker.run(lambda n=n: work(n)) for n in range(50)))
    await worker.close(lambda: None)
    assert done == list(range(50))
    assert len(set(threads)) == 1
    assert threading.get_ident() not in threads


async def test_what_work_raises_is_raised() -> None:
    worker = Worker(5)
    with pytest.raises(ZeroDivisionError):
        await worker.run(lambda: 1 // 0)
    await worker.close(lambda: None)


async def test_work_under_way_is_ended_though_its_asker_is_gone() -> None:
    worker, gate = Worker(5), Gate()
    task = await under_way(worker, gate)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not gate.ended.is_set()
    gate.let.set()
    await worker.close(lambda: None)
    assert gate.ended.is_set()


async def test_work_not_begun_is_dropped_with_its_asker() -> None:
    worker, gate, late = Worker(5), Gate(), Gate()
    first = await under_way(worker, gate)
    second = asyncio.create_task(worker.run(late))
    await asyncio.wait([second], timeout=0.01)

    second.cancel()
    await asyncio.wait([second], timeout=5)
    gate.let.set()
    assert await first == "through"
    await worker.close(lambda: None)
    assert not late.began.is_set()


async def test_work_that_waited_too_long_for_its_turn_is_not_done() -> None:
    worker, gate, late = Worker(5), Gate(), Gate()
    first = await under_way(worker, gate)
    worker._patience_s = 0.01
    second = asyncio.create_task(worker.run(late))
    await asyncio.wait([second], timeout=0.02)

    gate.let.set()
    assert await first == "through"
    with pytest.raises(StateError, match="too busy"):
        await second
    assert not late.began.is_set()
    await worker.close(lambda: None)


async def test_closing_does_the_last_thing_after_all_that_was_asked() -> None:
    worker, order = Worker(5), list[str]()
    asked = [asyncio.create_task(worker.run(lambda: order.append("asked"))) for _ in range(3)]
    await asyncio.wait(asked, timeout=0)

    await worker.close(lambda: order.append("last"))
    assert order == ["asked", "asked", "asked", "last"]
    with pytest.raises(StateError, match="closed"):
        await worker.run(lambda: None)


async def test_closing_does_not_wait_for_ever() -> None:
    worker, gate, last = Worker(5), Gate(), Gate()
    last.let.set()
    task = await under_way(worker, gate)
    worker._patience_s = 0.02

    await asyncio.wait_for(worker.close(lambda: last() and None), 5)
    assert not last.began.is_set()
    gate.let.set()
    assert await task == "through"
    assert await asyncio.to_thread(last.ended.wait, 10)


async def test_what_goes_wrong_at_the_end_is_told() -> None:
    worker = Worker(5)

    def last() -> None:
        raise StateError("no")

    with pytest.raises(StateError, match="no"):
        await worker.close(last)
