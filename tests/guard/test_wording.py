"""A limit reads as a sentence a person would say."""

from __future__ import annotations

import pytest

from comfy_mcp.guard.policy import Limit, Place, Rule
from comfy_mcp.guard.wording import limit_in_words

UNIT = 1_000_000


def words(
    *,
    place: Place = Place.TOOL,
    match: str = "run_workflow",
    amount: int = UNIT,
    most: int = 10 * UNIT,
    window_s: int = 60,
    calendar: bool = False,
    per_grant: bool = True,
) -> str:
    limit = Limit("/l", "credits", amount, most, window_s * 1000, calendar, per_grant)
    return limit_in_words(Rule("/r", place, match, limits=(limit,)), limit, "run_workflow")


def test_a_plain_limit_of_a_tool() -> None:
    assert words() == "run_workflow may be called 10 times per minute"


@pytest.mark.parametrize(
    ("window_s", "said"),
    [(1, "second"), (3600, "hour"), (86_400, "day"), (604_800, "week"), (90, "90 seconds")],
)
def test_windows_have_their_usual_names(window_s: int, said: str) -> None:
    assert words(window_s=window_s) == f"run_workflow may be called 10 times per {said}"


def test_one_call_is_once_and_none_is_not_at_all() -> None:
    assert words(most=UNIT) == "run_workflow may be called once per minute"
    assert words(most=0) == "run_workflow may not be called at all"


def test_a_limit_of_several_tools_says_that_they_share_it() -> None:
    assert words(match="run_*").startswith("all tools named run_* together may be called")
    assert words(place=Place.CLASS, match="read").startswith("all read tools together may")
    assert words(place=Place.ALL, match="*").startswith("all tools together may")


def test_a_shared_account_and_a_calendar_window_are_said() -> None:
    said = words(per_grant=False, calendar=True, window_s=86_400)
    assert said == (
        "run_workflow may be called 10 times per calendar day (UTC) by all agents together"
    )


def test_an_amount_is_said_without_needless_zeros() -> None:
    assert words(amount=2_500_000, most=100 * UNIT) == (
        'run_workflow may take 100 from "credits" per minute and one call takes 2.5'
    )
