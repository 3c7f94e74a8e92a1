"""A queue is told in the order in which it will run, by our ids, whatever route it came from."""

from __future__ import annotations

from typing import Any

import pytest

from comfy_mcp.host import Pending, Running
from comfy_mcp.host.aliases import Aliases, tag
from comfy_mcp.host.queue_view import of_jobs, of_queue, place_in
from comfy_mcp.host.standing import Queued, QueueView
from comfy_mcp.host.wire import JobItem, Queue


def item(number: Any, prompt_id: Any, extra: Any = None) -> list[Any]:
    return [number, prompt_id, {}, extra or {}, []]


def view(running: list[list[Any]], pending: list[list[Any]]) -> QueueView:
    return of_queue(Queue(queue_running=running, queue_pending=pending), Aliases())


def test_a_position_follows_the_order_of_running_and_not_of_listing() -> None:
    heap = [item(-3.0, "c"), item(0, "a"), item(-1, "d"), item(4, "b"), item(2, "e")]

    places = {
        name: found.position
        for name in "abcde"
        if isinstance(found := place_in(view([], heap), name), Pending)
    }

    assert places == {"c": 1, "d": 2, "a": 3, "e": 4, "b": 5}


def test_jobs_of_one_number_run_in_the_order_of_their_ids() -> None:
    assert place_in(view([], [item(1, "b"), item(1, "a")]), "b") == Pending(2)


def test_a_running_job_is_running_even_if_its_id_waits_once_more() -> None:
    assert place_in(view([item(0, "a")], [item(1, "a")]), "a") == Running()


def test_a_job_in_neither_list_is_in_no_queue() -> None:
    assert place_in(view([item(0, "a")], [item(1, "b")]), "c") is None


@pytest.mark.parametrize("odd", [[], [1], ["x", "b"], [None, "b"], [[], "b"], [1, None], [1, 5]])
def test_an_odd_neighbour_in_the_queue_does_no_harm(odd: list[Any]) -> None:
    assert place_in(view([odd], [odd, item(7, "a")]), "a") in (Pending(1), Pending(2))


def test_when_a_job_came_is_told_where_comfyui_tells_it() -> None:
    told = view([item(0, "a", {"create_time": 1_795_000_000_000})], [item(1, "b")])

    assert told.running == (Queued("a", 0, 1_795_000_000_000),)
    assert told.pending == (Queued("b", 1, None),)


def test_a_job_that_carries_our_tag_is_told_by_our_id_and_known_from_then_on() -> None:
    aliases = Aliases()
    queue = Queue(
        queue_running=[item(0, "theirs-1", tag("ours-1"))],
        queue_pending=[item(2, "a", tag("ours-2")), item(1, "b", tag("ours-3"))],
    )

    told = of_queue(queue, aliases, by_tag=True)

    assert [job.prompt_id for job in told.running] == ["ours-1"]
    assert [job.prompt_id for job in told.pending] == ["ours-3", "ours-2"]
    assert aliases.theirs("ours-2") == "a"


def test_where_comfyui_keeps_ids_a_copied_tag_tells_nothing() -> None:
    queue = Queue(queue_running=[], queue_pending=[item(1, "theirs", tag("ours"))])

    assert [job.prompt_id for job in of_queue(queue, Aliases()).pending] == ["theirs"]


@pytest.mark.parametrize("other", ["theirs-2", "ours"])
def test_a_tag_that_is_there_twice_or_beside_its_own_id_tells_nothing(other: str) -> None:
    aliases = Aliases()
    queue = Queue(
        queue_running=[item(0, other, tag("ours"))],
        queue_pending=[item(1, "theirs-1", tag("ours"))],
    )

    told = of_queue(queue, aliases, by_tag=True)

    assert [job.prompt_id for job in (*told.running, *told.pending)] == [other, "theirs-1"]
    assert not aliases.knows("ours")


def test_ties_are_broken_by_comfyuis_own_ids_and_not_by_ours() -> None:
    queue = Queue(
        queue_running=[],
        queue_pending=[item(1, "b", tag("1-ours")), item(1, "a", tag("2-ours"))],
    )

    assert [job.prompt_id for job in of_queue(queue, Aliases(), by_tag=True).pending] == [
        "2-ours",
        "1-ours",
    ]


def test_the_light_list_says_the_same_as_the_queue() -> None:
    jobs = [
        JobItem(id="a", status="in_progress", priority=0),
        JobItem(id="c", status="pending", priority=2, create_time=1_795_000_000_000),
        JobItem(id="b", status="pending", priority=-1),
    ]

    told = of_jobs(jobs, Aliases())

    assert [job.prompt_id for job in told.running] == ["a"]
    assert told.pending == (Queued("b", -1), Queued("c", 2, 1_795_000_000_000))


def test_where_jobs_have_no_numbers_they_stand_in_the_order_in_which_they_came() -> None:
    jobs = [
        JobItem(id="a", status="pending", create_time=1_795_000_002),
        JobItem(id="b", status="pending", create_time=1_795_000_001),
    ]

    told = of_jobs(jobs, Aliases())

    assert [(job.prompt_id, job.created_ms) for job in told.pending] == [
        ("b", 1_795_000_001_000),
        ("a", 1_795_000_002_000),
    ]
