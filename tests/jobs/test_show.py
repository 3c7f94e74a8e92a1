"""A caller sees all of its own jobs, of others' only how they stand, and of nobody's more."""

from __future__ import annotations

from typing import Any

import pytest

from comfy_mcp.host import Absent, Ended, NodeFailure, OutputFile, Pending, Running
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.jobs.record import result_of
from comfy_mcp.jobs.show import from_journal, from_live, from_sight
from comfy_mcp.jobs.watch import Live
from comfy_mcp.settings import Address
from comfy_mcp.store import JobRow

HOST = ComfyHost(Address("http://gpu:8188"), now_ms=lambda: 0)
END = Ended(
    "failed",
    (OutputFile("6", "images", "a.png"),),
    NodeFailure("E", "cannot open /home/ann/secret/x.png", "4", "LoadImage"),
    started_ms=2_000,
    ended_ms=5_500,
)


def row(status: str = "pending", **result: Any) -> JobRow:
    return JobRow("p", "ann", "here", "inline", "sha256:1", "dec_1", status, 1_000, 6_000, result)


def test_a_finished_job_shows_its_owner_everything() -> None:
    job = from_journal(row("failed", **result_of(END)), "ann", HOST, 99_000)

    assert (job.owner, job.workflow) == ("mine", "inline")
    assert [each.filename for each in job.outputs] == ["a.png"]
    assert job.error is not None
    assert (job.error.node_id, job.error.node_type) == ("4", "LoadImage")
    assert (job.timings.since_submit, job.timings.running) == (5.0, 3.5)


def test_an_error_does_not_tell_where_files_lie() -> None:
    job = from_journal(row("failed", **result_of(END)), "ann", HOST, 99_000)

    assert job.error is not None
    assert "/home/ann" not in job.error.message
    assert "x.png" in job.error.message


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled", "lost", "refused"])
def test_a_finished_job_shows_others_its_status_and_nothing_else(status: str) -> None:
    job = from_journal(row(status, **result_of(END), warnings=["w"]), "bob", HOST, 99_000)

    assert job.model_dump(exclude_defaults=True) == {
        "prompt_id": "p",
        "status": "failed" if status == "refused" else status,
        "owner": "other agent",
    }


@pytest.mark.parametrize("status", ["cancelled", "lost", "refused"])
def test_a_job_that_ended_without_running_does_not_grow_older(status: str) -> None:
    times = {from_journal(row(status), "ann", HOST, now).timings for now in (6_000, 99_000)}

    assert [each.since_submit for each in times] == [5.0]


@pytest.mark.parametrize("status", ["lost", "refused"])
def test_a_job_that_never_ran_to_an_end_says_what_to_do(status: str) -> None:
    job = from_journal(row(status), "ann", HOST, 0)

    assert job.error is not None
    assert job.error.type == status
    assert job.error.hint


STOPPED = {"stopped_by": {"rule": "/gpu/max_seconds_per_job", "cap_ms": 30_000}}


def test_a_job_that_the_policy_stopped_says_so_and_by_which_rule() -> None:
    job = from_journal(row("cancelled", **STOPPED), "ann", HOST, 0)

    assert job.error is not None
    assert job.error.type == "overtime"
    assert job.error.message == (
        "It was stopped after 30 s: the policy allows no job to run longer"
        " (rule /gpu/max_seconds_per_job)."
    )
    assert job.error.hint
    assert job.warnings == []


def test_a_job_that_ended_by_itself_before_the_policys_stop_reached_it_is_not_told_as_stopped() -> (
    None
):
    job = from_journal(row("completed", **STOPPED), "ann", HOST, 0)

    assert (job.status, job.error, job.warnings) == ("completed", None, [])


def test_a_job_that_is_being_stopped_by_the_policy_says_so_to_its_owner_only() -> None:
    mine = from_live(row("in_progress", **STOPPED), "ann", Running(), None, 0)
    others = from_live(row("in_progress", **STOPPED), "bob", Running(), None, 0)

    assert [text for text in mine.warnings if "30 s" in text and "being stopped" in text]
    assert others.warnings == []


def test_a_job_that_somebody_cancelled_has_no_error() -> None:
    assert from_journal(row("cancelled"), "ann", HOST, 0).error is None


def test_what_was_dropped_is_shown_at_the_end_as_well() -> None:
    job = from_journal(row("completed", warnings=["node 4"]), "ann", HOST, 0)

    assert job.warnings == ["ComfyUI dropped an output: node 4"]


def test_a_look_is_newer_than_what_events_said() -> None:
    live = Live("in_progress", total=2, done=1)

    job = from_live(row(), "ann", Pending(4), live, 3_000)

    assert (job.status, job.queue_position, job.progress) == ("pending", 4, None)


def test_without_a_look_what_events_said_is_shown() -> None:
    live = Live("in_progress", total=4, done=1, node_id="3", value=5, most=20)

    job = from_live(row(), "ann", None, live, 3_000)

    assert job.status == "in_progress"
    assert job.progress is not None
    assert job.progress.model_dump() == {"percent": 31.2, "node_id": "3", "step": 5, "steps": 20}
    assert job.timings.since_submit == 2.0


def test_a_node_of_one_step_shows_no_steps() -> None:
    live = Live("in_progress", total=4, done=1, node_id="3", value=0, most=1)

    job = from_live(row(), "ann", None, live, 3_000)

    assert job.progress is not None
    assert (job.progress.step, job.progress.steps) == (None, None)


def test_a_job_of_unknown_size_shows_no_progress() -> None:
    assert from_live(row(), "ann", Running(), Live("in_progress"), 0).progress is None
    assert from_live(row(), "ann", Running(), None, 0).progress is None


@pytest.mark.parametrize("status", ["submitting", "stopping"])
def test_without_look_and_events_the_journals_word_is_shown_as_comfyui_would_say_it(
    status: str,
) -> None:
    assert from_live(row(status), "ann", None, None, 0).status == "pending"
    assert from_live(row(status), "ann", Absent(), None, 0).status == "pending"


def test_an_unfinished_job_shows_others_its_status_and_place_only() -> None:
    live = Live("pending", position=3, total=4, done=1)

    job = from_live(row(warnings=["w"]), "bob", None, live, 3_000)

    assert job.model_dump(exclude_defaults=True) == {
        "prompt_id": "p",
        "status": "pending",
        "owner": "other agent",
        "queue_position": 3,
    }


@pytest.mark.parametrize(
    ("seen", "status", "position"),
    [(Pending(2), "pending", 2), (Running(), "in_progress", None), (END, "failed", None)],
)
def test_a_persons_job_shows_its_status_and_place_only(
    seen: Any, status: str, position: int | None
) -> None:
    job = from_sight("p", seen)

    assert (job.status, job.owner, job.queue_position) == (status, "human", position)
    assert (job.outputs, job.error, job.workflow) == ([], None, None)
