"""Pages of jobs: order, what others may see, and cursors that hold while the queue moves."""

from __future__ import annotations

import base64
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_mcp.errors import WorkflowError
from comfy_mcp.host.standing import FinishedJob, Queued
from comfy_mcp.jobs.listing import (
    Entry,
    Viewer,
    finished_entry,
    page_of,
    queued_entry,
    read_cursor,
    row_entry,
)
from comfy_mcp.store.protocol import JobRow

ANN = Viewer("ann", now_ms=100_000)


def row(seq: int, status: str = "completed", grant: str = "ann", created_ms: int = 0) -> JobRow:
    return JobRow(
        prompt_id=f"job-{seq:04}",
        grant=grant,
        host="here",
        workflow="secret-name",
        digest="",
        decision_id="",
        status=status,
        created_ms=created_ms,
        changed_ms=created_ms,
        running_ms=90_000,
        gpu_ms=2_500,
        seq=seq,
    )


def waiting(prompt_id: str, number: float, position: int) -> Entry:
    return queued_entry(Queued(prompt_id, number, 40_000), "pending", position, None, ANN)


def walk(entries: list[Entry], limit: int) -> list[str]:
    """All pages, one after the other."""
    found: list[str] = []
    cursor = None
    for _ in range(1 + len(entries)):
        page = page_of(entries, cursor, limit)
        found += [job.prompt_id for job in page.jobs]
        if page.next_cursor is None:
            return found
        cursor = read_cursor(page.next_cursor)
    raise AssertionError("pages without end")


def test_first_what_runs_then_what_waits_in_its_order_then_the_newest_that_ended() -> None:
    entries = [
        row_entry(row(1, created_ms=1), ANN),
        row_entry(row(2, "failed", created_ms=2), ANN),
        waiting("b", 2, 2),
        waiting("a", -1, 1),
        queued_entry(Queued("z", 9), "in_progress", None, None, ANN),
        row_entry(row(3, "submitting", created_ms=3), ANN),
    ]

    page = page_of(entries, None, 10)

    assert [job.prompt_id for job in page.jobs] == [
        "z",
        "a",
        "b",
        "job-0003",
        "job-0002",
        "job-0001",
    ]
    assert page.next_cursor is None
    assert [job.queue_position for job in page.jobs] == [None, 1, 2, None, None, None]


def test_of_another_grants_job_there_is_its_status_and_nothing_else() -> None:
    theirs = row(1, "in_progress", "bob")

    jobs = [
        row_entry(theirs, ANN).job,
        queued_entry(Queued("job-0001", 1, 5), "in_progress", None, theirs, ANN).job,
    ]

    for job in jobs:
        assert (job.status, job.owner) == ("in_progress", "other agent")
        assert (job.workflow, job.age_s, job.running_s) == (None, None, None)
    assert "secret" not in page_of([row_entry(theirs, ANN)], None, 1).model_dump_json()


def test_of_ones_own_it_says_how_long_it_waited_and_ran() -> None:
    running = row_entry(row(1, "in_progress", created_ms=70_000), ANN).job
    ended = row_entry(row(2, created_ms=70_000), ANN).job

    assert (running.age_s, running.running_s) == (30, 10)
    assert (ended.age_s, ended.running_s) == (30, 2.5)
    assert row_entry(row(3, "pending"), ANN).job.running_s is None


def test_what_comfyui_alone_knows_is_a_persons() -> None:
    job = finished_entry(FinishedJob("x", "cancelled", 40_000), ANN).job

    assert (job.owner, job.status, job.age_s) == ("human", "cancelled", 60)


@pytest.mark.parametrize(
    ("status", "shown"), [("refused", "failed"), ("submitting", "pending"), ("stopping", "pending")]
)
def test_words_of_ours_are_told_in_those_that_callers_know(status: str, shown: str) -> None:
    assert row_entry(row(1, status), ANN).job.status == shown


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["completed", "pending"])), max_size=30),
    st.integers(1, 7),
)
def test_pages_have_every_job_once_and_in_order(
    given_rows: list[tuple[int, str]], limit: int
) -> None:
    """Also those that were submitted within one millisecond."""
    times = sorted(created_ms for created_ms, _ in given_rows)
    entries = [
        row_entry(row(seq, status, created_ms=created_ms), ANN)
        for seq, (created_ms, (_, status)) in enumerate(zip(times, given_rows, strict=True))
    ]

    assert walk(entries, limit) == [job.prompt_id for job in page_of(entries, None, 100).jobs]
    assert len(set(walk(entries, limit))) == len(entries)


def test_jobs_of_one_millisecond_come_newest_first_as_the_journal_reads_them() -> None:
    entries = [row_entry(row(seq, created_ms=5), ANN) for seq in (9, 10, 11)]

    assert walk(entries, 1) == ["job-0011", "job-0010", "job-0009"]


def test_a_page_goes_on_where_the_last_one_ended_though_the_queue_moved_meanwhile() -> None:
    first = page_of([waiting(name, at, at) for at, name in enumerate("abcd", 1)], None, 2)
    assert first.next_cursor is not None

    moved = [waiting(name, number, number - 2) for number, name in enumerate("cde", 3)]
    page = page_of(moved, read_cursor(first.next_cursor), 2)

    assert [job.prompt_id for job in first.jobs] == ["a", "b"]
    assert [job.prompt_id for job in page.jobs] == ["c", "d"]


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "not a cursor",
        "ünïcode",
        "=" * 50,
        encoded("[]"),
        encoded("{}"),
        encoded("[2,0,0,1,null]"),
        encoded('[3,0,0,"a",null]'),
        encoded('[-1,0,0,"a",null]'),
        encoded('[2,NaN,0,"a",null]'),
        encoded('[2,Infinity,0,"a",null]'),
        encoded('[2,0,0,"a",-1]'),
        encoded(f'[2,0,0,"a",{2**63}]'),
        encoded(f'[2,0,0,"{"a" * 300}",null]'),
        encoded("[" * 5_000),
    ],
)
def test_what_is_no_cursor_is_refused_in_words(text: str) -> None:
    with pytest.raises(WorkflowError, match="next_cursor"):
        read_cursor(text)


@given(st.text(max_size=60))
def test_no_text_breaks_the_reading_of_a_cursor(text: str) -> None:
    with suppress(WorkflowError):
        read_cursor(text)
