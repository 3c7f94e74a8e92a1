"""What the journal keeps of a job is read back as it was."""

from __future__ import annotations

import json
from typing import Any

import pytest

from comfy_mcp.host import Ended, NodeFailure, OutputFile
from comfy_mcp.jobs.record import (
    MAX_TEXT,
    Overtime,
    failure_of,
    files_of,
    gpu_ms,
    made_by,
    outcome_record,
    overtime_note,
    overtime_of,
    result_of,
)
from comfy_mcp.store import JobRow
from comfy_mcp.store.protocol import MadeFile

END = Ended(
    "failed",
    (OutputFile("6", "images", "a.png", "sub", "temp"), OutputFile("9", "text", text="hello")),
    NodeFailure("re.error", "missing )", "4", "RegexReplace"),
    started_ms=1000,
    ended_ms=2500,
    cached_nodes=2,
)

ROW = JobRow(
    *("p", "ann", "here", "inline", "sha256:1", "dec_1", "in_progress", 0, 0),
    cap_ms=30_000,
    cap_rule="/gpu/max_seconds_per_job",
)


def kept(end: Ended) -> Any:
    return json.loads(json.dumps(result_of(end)))


def test_outputs_and_failure_come_back_from_json() -> None:
    assert files_of(kept(END)) == END.outputs
    assert failure_of(kept(END)) == END.failure


def test_of_a_job_that_was_not_seen_to_end_nothing_is_known() -> None:
    assert files_of({}) == ()
    assert failure_of({}) is None
    assert gpu_ms({}) is None


def test_a_long_text_is_cut() -> None:
    (file,) = files_of(kept(Ended("completed", (OutputFile("9", "text", text="x" * 50_000),))))

    assert file.text == "x" * MAX_TEXT
    assert file.characters == 50_000


def test_of_a_text_that_was_cut_twice_the_first_length_is_kept() -> None:
    cut = OutputFile("9", "text", text="x" * 50_000, characters=150_000)

    (file,) = files_of(kept(Ended("completed", (cut,))))

    assert (len(file.text or ""), file.characters) == (MAX_TEXT, 150_000)


def test_of_a_whole_text_no_length_is_kept_and_rows_without_one_are_read() -> None:
    result = kept(Ended("completed", (OutputFile("9", "text", text="hello"),)))

    assert "characters" not in result["outputs"][0]
    assert files_of(result) == (OutputFile("9", "text", text="hello"),)


@pytest.mark.parametrize(
    ("started", "ended", "known"),
    [(1000, 2500, 1500), (2500, 1000, 0), (None, 1, None), (1, None, None)],
)
def test_time_on_the_gpu_is_never_negative(
    started: int | None, ended: int | None, known: int | None
) -> None:
    assert gpu_ms({"started_ms": started, "ended_ms": ended}) == known


@pytest.mark.parametrize("took_ms", [1500, 0, None])
def test_the_audit_row_of_an_end_names_job_decision_grant_and_time(took_ms: int | None) -> None:
    assert outcome_record(ROW, "failed", took_ms) == {
        "kind": "job",
        "prompt_id": "p",
        "decision_id": "dec_1",
        "grant": "ann",
        "outcome": "failed",
        "gpu_ms": took_ms,
    }


def test_files_of_a_job_are_those_it_made_each_once() -> None:
    files = (
        OutputFile("6", "images", "a.png", "sub", "temp"),
        OutputFile("7", "images", "a.png", "sub", "temp"),
        OutputFile("7", "images", "a.png", "sub", "output"),
        OutputFile("8", "images", "b.png", "", "input"),
        OutputFile("9", "text", text="hello"),
    )

    assert made_by(kept(Ended("cancelled", files))) == (
        MadeFile("temp", "sub", "a.png"),
        MadeFile("output", "sub", "a.png"),
    )
    assert made_by({}) == ()


def test_why_a_job_was_stopped_is_read_back_from_what_was_noted() -> None:
    noted = json.loads(json.dumps(overtime_note(ROW)))

    assert overtime_of(noted) == Overtime("/gpu/max_seconds_per_job", 30_000)
    assert overtime_of({}) is None


def test_all_texts_of_a_job_together_are_kept_within_bounds() -> None:
    texts = tuple(OutputFile("1", "text", text="x" * 20_000) for _ in range(50))

    kept = files_of(result_of(Ended("completed", texts)))

    assert len(kept) == 50
    assert sum(len(file.text or "") for file in kept) == 200_000
