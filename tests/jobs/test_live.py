"""The live view takes in events and looks in any order, and its percents stay between 0 and 100."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comfy_mcp.host import (
    Absent,
    Closed,
    Ended,
    Event,
    NodeProgress,
    NodesState,
    Pending,
    QueueChanged,
    Running,
    Started,
)
from comfy_mcp.jobs.watch import Live, Watch, after_event, after_look

pytestmark = pytest.mark.anyio


def test_a_look_tells_the_place_in_the_queue() -> None:
    assert after_look(Live(), Pending(3)) == Live(position=3)


def test_a_running_job_has_no_place_in_the_queue() -> None:
    assert after_look(Live(position=3), Running()) == Live("in_progress")


def test_the_end_of_a_job_is_not_the_live_views_business() -> None:
    assert after_look(Live("in_progress"), Ended("failed")) == Live("in_progress")
    assert after_look(Live(position=3), Absent()) == Live(position=3)


def test_nodes_and_steps_add_up() -> None:
    live = Live(total=4)
    live = after_event(live, Started("p"))
    live = after_event(live, NodesState("p", 1, "3", 5, 20))

    assert (live.status, live.percent, live.node_id) == ("in_progress", 31.2, "3")


def test_cached_nodes_are_done() -> None:
    assert after_event(Live(total=4), Started("p", cached=("1", "2"))).percent == 50


def test_a_node_that_begins_has_no_steps_yet() -> None:
    live = after_event(Live(total=4), NodeProgress("p", "3", 5, 20))

    assert after_event(live, Started("p", "3")).value == 5
    assert after_event(live, Started("p", "4")).value == 0


@pytest.mark.parametrize("event", [QueueChanged(1), Closed("p", settled=True)])
def test_other_events_change_nothing(event: Event) -> None:
    assert after_event(Live(total=4, done=2), event) == Live(total=4, done=2)


numbers = st.floats(0, 1e9, allow_nan=False)
node_ids = st.none() | st.sampled_from(["1", "2"])
events = st.one_of(
    st.builds(Started, st.just("p"), node_ids, st.just(("1",))),
    st.builds(NodeProgress, st.just("p"), st.just("1"), numbers, numbers),
    st.builds(NodesState, st.just("p"), st.integers(0, 9), node_ids, numbers, numbers),
)


@settings(max_examples=100)
@given(st.integers(0, 9), st.lists(events, max_size=8))
def test_percents_stay_between_0_and_100(total: int, told: list[Event]) -> None:
    live = Live(total=total)
    for event in told:
        live = after_event(live, event)
        assert 0 <= live.percent <= 100


async def test_who_waits_is_woken_by_a_change_and_not_by_the_same_again() -> None:
    watch = Watch("p", total=4)
    waiting = asyncio.ensure_future(watch.change(watch.version))

    watch.update(Live(total=4))
    await asyncio.sleep(0)
    assert not waiting.done()
    watch.hear(Started("p"))

    async with asyncio.timeout(10):
        await waiting


async def test_a_change_before_the_wait_is_not_missed() -> None:
    watch = Watch("p")
    since = watch.version
    watch.announce()

    async with asyncio.timeout(10):
        await watch.change(since)


@pytest.mark.parametrize("settled", [True, False])
async def test_the_end_of_a_job_has_the_follower_look(*, settled: bool) -> None:
    watch = Watch("p")

    watch.hear(Closed("p", settled=settled))

    async with asyncio.timeout(10):
        await watch.poked(60)


class Poked(Watch):
    """Counts how often a look is wanted."""

    count = 0

    def poke(self, delay: float = 0.0) -> None:
        """Count, and do as usual."""
        self.count += 1
        super().poke(delay)


async def test_a_job_that_begins_to_run_is_looked_at_once_for_that() -> None:
    watch = Poked("p")

    watch.hear(Started("p"))
    watch.hear(Started("p", "3"))
    watch.hear(NodeProgress("p", "3", 1, 20))

    assert watch.count == 1
    async with asyncio.timeout(10):
        await watch.poked(60)


async def test_a_poke_counts_once() -> None:
    watch = Watch("p")
    watch.poke()
    watch.poke()
    await watch.poked(60)

    loop = asyncio.get_running_loop()
    before = loop.time()
    await watch.poked(0.01)

    assert loop.time() > before
