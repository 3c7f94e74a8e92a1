"""A job's moves are a closed table: every status is reached, and ends are ends."""

from __future__ import annotations

import pytest

from comfy_mcp.jobs import MOVES, ends, may_move
from comfy_mcp.jobs.table import shown
from comfy_mcp.store import FINAL

ENDS = {status for status, moves in MOVES.items() if not moves}


def test_every_move_leads_to_a_status_of_the_table() -> None:
    assert {new for moves in MOVES.values() for new in moves} <= MOVES.keys()


def test_every_status_is_reached_from_the_first_one() -> None:
    reached, open_ones = {"submitting"}, ["submitting"]
    while open_ones:
        fresh = MOVES[open_ones.pop()] - reached
        reached |= fresh
        open_ones += fresh

    assert reached == MOVES.keys()


def test_from_every_status_an_end_is_one_move_away() -> None:
    assert all(moves & ENDS for status, moves in MOVES.items() if status not in ENDS)


def test_the_ends_are_those_that_the_journal_never_changes() -> None:
    assert ENDS == FINAL
    assert all(ends(status) for status in FINAL)


@pytest.mark.parametrize("end", sorted(FINAL))
def test_an_end_has_no_moves(end: str) -> None:
    assert not any(may_move(end, status) for status in MOVES)


def test_only_a_job_on_its_way_in_can_be_refused() -> None:
    assert [old for old in MOVES if may_move(old, "refused")] == ["submitting"]


def test_no_job_moves_to_where_it_is_or_to_a_status_that_is_none() -> None:
    assert not any(may_move(status, status) for status in MOVES)
    assert not may_move("nonsense", "completed")
    assert not may_move("pending", "nonsense")


def test_callers_see_the_words_of_comfyui() -> None:
    assert shown("submitting") == shown("stopping") == "pending"
    assert shown("in_progress") == "in_progress"
