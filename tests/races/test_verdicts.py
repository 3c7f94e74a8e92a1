"""The judge of the races: what was said of a job against what ComfyUI did with it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.races.edge import Edge
from bench.races.graphs import long, mark_of, short, small
from bench.races.truth import ended
from bench.races.verdicts import Trial, faults, report


@pytest.mark.parametrize(
    ("trial", "did"),
    [
        (Trial("m", "cancelled", ("cancelled",)), ()),
        (Trial("m", "cancelled", ("cancelled",)), ("interrupted",)),
        (Trial("m", "completed", ("already_finished",)), ("success",)),
        (Trial("m", "cancelled", ("already_finished", "cancelled")), ()),
        (Trial("m", "completed", must="completed"), ("success",)),
        (
            Trial("m", "completed", ("refused:old",), refusals=frozenset({"old"})),
            ("success",),
        ),
        (Trial("m", "completed", refuse="refused:not_owner"), ("success",)),
    ],
)
def test_what_is_true_is_no_fault(trial: Trial, did: tuple[str, ...]) -> None:
    assert faults(trial, did) == []


@pytest.mark.parametrize(
    ("trial", "did", "words"),
    [
        (Trial("m", "cancelled", ("cancelled",)), ("success",), "told as cancelled"),
        (Trial("m", "completed", ("cancelled",)), ("success",), "a stop said cancelled"),
        (Trial("m", "completed"), ("success", "success"), "success and success"),
        (Trial("m", "cancelled"), ("interrupted", "success"), "interrupted and success"),
        (Trial("m", "completed"), (), "in ComfyUI: nothing"),
        (Trial("m", "in_progress", ("still_running",)), (), "is in_progress in the end"),
        (Trial("m", "lost", ("not_found",)), (), "is lost in the end"),
        (Trial("m", "completed", ("still_running",)), ("success",), "a stop said still_running"),
        (Trial("m", "completed", ("refused:old",)), ("success",), "a stop said refused:old"),
        (Trial("m", "cancelled", ("already_finished",)), (), "nobody cancelled it"),
        (Trial("m", "cancelled", must="completed"), ("interrupted",), "had to be completed"),
        (Trial("m", "cancelled", refuse="cancelled"), ("interrupted",), "somebody else stopped"),
    ],
)
def test_what_is_not_true_is_a_fault(trial: Trial, did: tuple[str, ...], words: str) -> None:
    assert any(words in fault for fault in faults(trial, did))


def test_a_report_counts_what_was_said_and_what_was_done() -> None:
    trials = [
        Trial("a", "cancelled", ("cancelled",)),
        Trial("b", "completed", ("already_finished",)),
        Trial("c", "completed", must="completed"),
    ]

    found = report("race", 2, trials, {"b": ("success",), "c": ("success",)}, left=0)

    assert found.violations == ()
    assert found.line() == (
        "race  2: already_finished [success] 1, behind completed 1, cancelled [nothing] 1;"
        " violations 0"
    )


def test_a_report_names_the_job_and_what_was_left_behind() -> None:
    found = report(
        "race", 1, [Trial("a", "completed", ("cancelled",))], {"a": ("success",)}, left=2
    )

    assert found.violations == (
        "2 jobs were left in ComfyUI's queue",
        "a a stop said cancelled, but in ComfyUI: success (told ('cancelled',))",
    )


def test_the_delay_follows_the_end_of_the_job() -> None:
    def of(true_end: float, edge: Edge) -> Edge:
        for _ in range(400):
            edge = edge.after(too_late=edge.delay > true_end)
        return edge

    assert of(0.2, Edge(0.05)).seconds == pytest.approx(0.2, rel=0.3)
    assert of(0.02, Edge(0.05)).seconds == pytest.approx(0.02, rel=0.3)


def test_the_delays_fall_on_both_sides_of_the_edge() -> None:
    delays = {Edge(1.0, turn).delay for turn in range(8)}

    assert min(delays) < 1.0 < max(delays)


@pytest.mark.parametrize("graph", [small, short, long])
def test_a_job_is_told_by_its_mark(graph: Callable[[str], object]) -> None:
    assert mark_of(graph("0a1b-x-7")) == "0a1b-x-7"


@pytest.mark.parametrize("graph", [None, [], {"1": 2}, {"1": {"inputs": {"filename_prefix": "x"}}}])
def test_a_job_of_somebody_else_has_no_mark(graph: object) -> None:
    assert mark_of(graph) is None


@pytest.mark.parametrize(
    ("messages", "word"),
    [
        (["execution_start", "execution_success"], "success"),
        (["execution_start", "execution_interrupted"], "interrupted"),
        (["execution_start", "execution_error"], "error"),
    ],
)
def test_the_messages_of_the_history_say_how_a_job_ended(messages: list[str], word: str) -> None:
    status: dict[str, object] = {
        "status_str": "success",
        "messages": [[name, {}] for name in messages],
    }

    assert ended(status) == word
