"""A limit reads as a sentence a person would say."""

from __future__ import annotations

import pytest

from comfy_mcp.guard.policy import GpuSeconds, Limit, Path, Place, Rule
from comfy_mcp.guard.wording import (
    budget_in_words,
    limit_in_words,
    node_in_words,
    number_in_words,
    undetermined_in_words,
)
from comfy_mcp.workflow.facts import FACTS, Unknown

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


def test_an_amount_that_comes_with_the_call_is_named() -> None:
    path = Path("graph.total_steps", "graph", ("total_steps",))
    limit = Limit("/l", "steps", UNIT, 5000 * UNIT, 3_600_000, amount_from=path)
    rule = Rule("/r", Place.TOOL, "run_workflow", limits=(limit,))
    assert limit_in_words(rule, limit, "run_workflow") == (
        'run_workflow may take 5000 from "steps" per hour and one call takes its graph.total_steps'
    )


def test_a_budget_of_gpu_time() -> None:
    own = GpuSeconds("/b", 90_500_000, 3_600_000)
    shared = GpuSeconds("/b", 60 * UNIT, 86_400_000, per_grant=False, calendar=True)
    assert budget_in_words(own, "run_workflow") == (
        "run_workflow may use 90.5 s of GPU time per hour"
    )
    assert budget_in_words(shared, "run_workflow") == (
        "run_workflow may use 60 s of GPU time per calendar day (UTC), shared by all agents"
    )


@pytest.mark.parametrize(
    ("fact", "number", "said"),
    [
        ("steps", 50, "50 steps"),
        ("width", 2048, "2048 pixels of width"),
        ("megapixels", 4.2, "4.2 megapixels"),
        ("megapixels", 2.0, "2 megapixels"),
        ("megapixels", 0.000001, "0.000001 megapixels"),
        ("bytes", 10**400, "more than 1000000000000000 bytes of JSON"),
    ],
)
def test_a_number_is_said_with_what_it_counts(fact: str, number: float, said: str) -> None:
    assert number_in_words(fact, number) == said


def test_a_node_is_named_by_id_and_class_and_odd_names_are_quoted_and_cut() -> None:
    assert node_in_words("3", "KSampler") == "node 3 (KSampler)"
    assert node_in_words("3", "K", first=True) == "Node 3 (K)"
    odd = node_in_words("1\n2", "x" * 999)
    assert odd.isprintable()
    assert len(odd) < 120


@pytest.mark.parametrize("fact", sorted({*FACTS, "queue_depth", "estimate", "folders"}))
def test_why_a_fact_is_unknown_says_what_to_do(fact: str) -> None:
    fed = Unknown("3", "KSampler", "steps", "it comes from a custom node")
    said = undetermined_in_words(fact, fed)
    assert said.startswith("The ")
    assert said.endswith(
        " of this run cannot be determined: steps of node 3 (KSampler) cannot be foreseen,"
        " it comes from a custom node. Write a plain value there."
    )
    assert "node 7 (Odd) is a custom node" in undetermined_in_words(
        fact, Unknown("7", "Odd", "", "")
    )
    assert undetermined_in_words(fact, "nobody knows").endswith("determined: nobody knows.")
