"""The books of ``python -m bench soak``: what was told, written down and done has to agree."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.soak.account import Books, Sample, grown, unaccounted

DONE = {"a": "completed", "b": "completed"}
RIGHT = Books(DONE, DONE, {"a": "success", "b": "success"}, (2, 1))


def test_books_that_agree_are_right() -> None:
    assert unaccounted(RIGHT, 2) == []


@pytest.mark.parametrize(
    ("books", "words"),
    [
        (replace(RIGHT, told={"a": "completed"}), "2 jobs were run, but 1 ids were told"),
        (replace(RIGHT, told={**DONE, "b": "in_progress"}), "callers: 1 jobs not completed"),
        (replace(RIGHT, journal={"a": "completed"}), "the journal: 1 jobs are missing, e.g. b"),
        (replace(RIGHT, journal={**DONE, "b": "lost"}), "the journal: 1 jobs not completed"),
        (replace(RIGHT, history={"a": "success"}), "ComfyUI's history: 1 jobs are missing"),
        (replace(RIGHT, history={**RIGHT.history, "c": "success"}), "1 jobs nobody was told of"),
        (replace(RIGHT, files=(1, 2, 3)), "3 files for 2 jobs, numbered up to 3"),
        (replace(RIGHT, files=(1, 3)), "2 files for 2 jobs, numbered up to 3"),
    ],
)
def test_a_job_lost_run_twice_or_told_wrongly_is_found(books: Books, words: str) -> None:
    assert any(words in fault for fault in unaccounted(books, 2))


def test_memory_is_judged_once_the_server_is_warm() -> None:
    samples = [Sample(0, 70_000, 8), Sample(500, 90_000, 40), Sample(1500, 91_000, 40)]

    assert grown(samples) == 1.0
    assert grown(samples[:2]) == 0.0
    assert grown([]) == 0.0
