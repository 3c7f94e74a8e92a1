"""Jobs as the page shows them, from rows and looks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from comfy_mcp.console.comfyui import ComfyUI
from comfy_mcp.console.jobs_shown import Shelf, as_objects
from comfy_mcp.host import Absent, Ended, NodeFailure, OutputFile
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.jobs.record import result_of
from comfy_mcp.settings import Address
from comfy_mcp.store.protocol import JobRow
from tests.oversight.asked import HOST, NASTY, NOW

THERE = ComfyUI(reachable=True)


def row(prompt_id: str = "job-1", status: str = "pending", **more: Any) -> JobRow:
    """A job of the journal."""
    known: dict[str, Any] = {
        "prompt_id": prompt_id,
        "grant": "alice",
        "host": HOST,
        "workflow": "txt2img",
        "digest": "d",
        "decision_id": "dec_1",
        "status": status,
        "created_ms": NOW,
        "changed_ms": NOW,
    }
    return JobRow(**{**known, **more})


def shown(shelf: Shelf, comfyui: ComfyUI = THERE, after_ms: int = 10_000) -> list[dict[str, Any]]:
    """What the page gets."""
    host = ComfyHost(Address(HOST), now_ms=lambda: NOW)
    return as_objects(shelf, comfyui, host, NOW + after_ms)


def test_what_runs_comes_first_then_what_waits_in_its_order_then_what_has_ended() -> None:
    waiting = tuple(row(f"waits-{number}", seq=number) for number in (1, 2, 3))
    runs = row("runs", seq=4)
    over = row("over", "completed", seq=5)
    queue = ComfyUI(reachable=True, running=("runs",), pending=("waits-3", "human", "waits-1"))

    told = shown(Shelf((*waiting, runs), (over,)), queue)

    assert [one["prompt_id"] for one in told] == ["runs", "waits-3", "waits-1", "waits-2", "over"]
    assert [one["position"] for one in told] == [None, 1, 3, None, None]
    assert told[0]["status"] == "in_progress"


@pytest.mark.parametrize("status", ["submitting", "stopping"])
def test_a_job_on_its_way_in_or_out_waits(status: str) -> None:
    assert shown(Shelf((row(status=status),)))[0]["status"] == "pending"


def test_how_far_a_job_is_is_what_its_server_wrote_down() -> None:
    progress = {"percent": 42.5, "node_id": "3", "value": 8.0, "max": 20.0, "more": "x"}
    one = row(status="in_progress", running_ms=NOW, progress=progress, shape="s")

    told = shown(Shelf((one,), (), {"s": 20_000}))[0]

    assert told["progress"] == {
        **{key: progress[key] for key in ("percent", "node_id", "value", "max")},
        "estimated": False,
    }
    assert told["seconds"] == 10


@pytest.mark.parametrize(
    ("after_ms", "percent"), [(0, 0), (10_000, 50), (19_900, 95), (99_000, 95)]
)
def test_else_it_is_guessed_from_how_long_such_jobs_took_and_never_said_to_be_done(
    after_ms: int, percent: int
) -> None:
    one = row(status="in_progress", running_ms=NOW, shape="s")

    told = shown(Shelf((one,), (), {"s": 20_000}), after_ms=after_ms)[0]

    assert (told["progress"]["percent"], told["progress"]["estimated"]) == (percent, True)


@pytest.mark.parametrize("estimates", [{}, {"s": 0}, {"other": 9}])
def test_without_anything_to_go_by_nothing_is_guessed(estimates: dict[str, int]) -> None:
    one = row(status="in_progress", running_ms=NOW, shape="s")

    assert shown(Shelf((one,), (), estimates))[0]["progress"] is None


@pytest.mark.parametrize("percent", ["many", None, -5, 500])
def test_progress_that_is_none_does_no_harm(percent: object) -> None:
    one = row(status="in_progress", progress={"percent": percent, "node_id": NASTY})

    told = shown(Shelf((one,)))[0]["progress"]

    assert 0 <= told["percent"] <= 100
    assert told["node_id"].isprintable()


def test_an_end_that_was_seen_is_shown_before_it_is_written_down() -> None:
    files = tuple(OutputFile("9", "images", f"a{number}.png") for number in range(6))
    seen = Ended("completed", files, None, NOW + 1_000, NOW + 3_500)
    comfyui = replace(THERE, seen=(("job-1", seen),))

    told = shown(Shelf((row(status="in_progress", running_ms=NOW),)), comfyui)[0]

    assert (told["status"], told["seconds"]) == ("completed", 2.5)
    assert [one["number"] for one in told["outputs"]] == [0, 1, 2, 3]


@pytest.mark.parametrize(("place", "status"), [("running", "in_progress"), ("pending", "pending")])
def test_a_job_that_is_back_in_the_queue_has_not_ended(place: str, status: str) -> None:
    ended = (("job-1", Ended("completed")),)
    comfyui = replace(THERE, seen=ended, **{place: ("job-1",)})

    assert shown(Shelf((row(),)), comfyui)[0]["status"] == status


def test_a_job_that_is_nowhere_says_so_only_while_comfyui_answers() -> None:
    nowhere = (("job-1", Absent()),)

    there = shown(Shelf((row(),)), replace(THERE, seen=nowhere))[0]
    away = shown(Shelf((row(),)), ComfyUI(seen=nowhere))[0]

    assert there["error"].startswith("ComfyUI has this job no more.")
    assert away["error"] is None


def test_a_failure_is_one_clean_text_with_its_node() -> None:
    failure = NodeFailure("ValueError", NASTY, "7", "KSampler")
    ended = Ended("failed", (), failure, NOW, NOW + 5)
    one = row(status="failed", result=result_of(ended), workflow=NASTY)

    told = shown(Shelf((), (one,)))[0]

    assert told["status"] == "failed"
    assert told["error"].isprintable()
    assert told["error"].endswith("(node 7)")
    assert told["workflow"].isprintable()


def test_a_job_that_comfyui_never_took_has_failed() -> None:
    one = row(status="refused", result={"refusal": "No such node."})

    told = shown(Shelf((), (one,)))[0]

    assert (told["status"], told["error"], told["outputs"]) == ("failed", "No such node.", [])


def test_texts_and_files_are_told_apart() -> None:
    files = (
        OutputFile("9", "text", text="words"),
        OutputFile("9", "images", "clip.mp4"),
        OutputFile("9", "images", NASTY + ".png"),
    )
    one = row(status="completed", result=result_of(Ended("completed", files)))

    told = shown(Shelf((), (one,)))[0]["outputs"]

    assert [one["kind"] for one in told] == ["text", "video", "image"]
    assert all(one["filename"].isprintable() for one in told)
