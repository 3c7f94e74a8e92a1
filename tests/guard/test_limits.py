"""A call is charged once in each account, so that every limit which names it holds."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_mcp.guard.decide import decide
from comfy_mcp.guard.policy import Layer, Limit, Path, Place, Policy, PolicyFile, Rule
from comfy_mcp.guard.question import AppliedLimit, Cap, Decision, Run
from comfy_mcp.workflow.facts import Facts
from tests.guard.questions import ALLOWED, ask, policy, question

UNIT = 1_000_000


def limit(where: str, **keys: object) -> Limit:
    values: dict[str, object] = {
        "counter": "c",
        "amount": UNIT,
        "most": 10 * UNIT,
        "window_ms": 60_000,
        **keys,
    }
    return Limit(where, **values)  # type: ignore[arg-type]  # of mixed types


def judged(*limits: Limit, reason: str | None = None, **keys: Any) -> Decision:
    rule = Rule("/tools/get_job", Place.TOOL, "get_job", reason=reason, limits=limits)
    found = Policy((PolicyFile(layer=Layer(rules=(rule,))),))
    return decide(found, question("get_job", **keys))


def applied(*limits: Limit, reason: str | None = None, **keys: Any) -> tuple[AppliedLimit, ...]:
    decision = judged(*limits, reason=reason, **keys)
    assert decision.code == "allowed"
    return decision.limits


def test_a_limit_is_applied_as_it_is_written() -> None:
    written = limit("/a", calendar=True, per_grant=False, name="n", reason="enough")
    assert applied(written) == (
        AppliedLimit(
            rule="/a",
            counter="c",
            per_grant=False,
            amount=UNIT,
            most=10 * UNIT,
            window_ms=60_000,
            calendar=True,
            words="get_job may be called 10 times per calendar minute (UTC) by all agents together",
            name="n",
            reason="enough",
        ),
    )


def test_the_rules_reason_stands_in_for_a_limit_without_one() -> None:
    [found] = applied(limit("/a"), reason="slowly")
    assert found.reason == "slowly"


def test_two_limits_on_one_account_are_one_charge_under_the_smaller_maximum() -> None:
    [found] = applied(limit("/a"), limit("/b", most=3 * UNIT))
    assert (found.rule, found.amount, found.most) == ("/b", UNIT, 3 * UNIT)


def test_of_two_refunds_of_one_account_the_rarer_counts() -> None:
    for one, other, rarer in [
        ("failed", "never", "never"),
        ("failed", "not_accepted", "not_accepted"),
        ("not_accepted", "never", "never"),
    ]:
        [found] = applied(limit("/a", refund=one), limit("/b", refund=other))
        assert found.refund == rarer


def test_a_grants_account_is_not_everybodys() -> None:
    found = applied(limit("/a"), limit("/b", per_grant=False), limit("/c", counter="d"))
    assert [each.rule for each in found] == ["/a", "/b", "/c"]


written = st.builds(
    limit,
    st.sampled_from(["/a", "/b", "/c", "/d"]),
    counter=st.sampled_from(["c", "d"]),
    amount=st.integers(1, 5),
    most=st.integers(0, 5),
    window_ms=st.sampled_from([1000, 2000]),
    per_grant=st.booleans(),
    calendar=st.booleans(),
)


@given(st.lists(written, max_size=6))
def test_every_written_limit_is_held_by_the_charge_on_its_account(limits: list[Limit]) -> None:
    found = applied(*limits)
    accounts = [(a.counter, a.per_grant, a.window_ms, a.calendar) for a in found]
    assert len(accounts) == len(set(accounts))
    for each in limits:
        key = (each.counter, each.per_grant, each.window_ms, each.calendar)
        charge = found[accounts.index(key)]
        assert charge.amount >= each.amount
        assert charge.most <= each.most


@given(st.lists(written, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_limits_does_not_matter(limits: list[Limit], random: Random) -> None:
    mixed = list(limits)
    random.shuffle(mixed)
    strip = {(a.counter, a.per_grant, a.amount, a.most, a.rule) for a in applied(*mixed)}
    assert strip == {(a.counter, a.per_grant, a.amount, a.most, a.rule) for a in applied(*limits)}


# Amounts that come with the call.

IN_ARGS = Path("args.n", "args", ("n",))


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        (3, 3 * UNIT),
        (2.5, 2_500_000),
        (0.1, 100_000),
        (0.1234567, 123_457),
        (0.000001, 1),
        (0.0000019, 2),
        (Decimal("1.5"), 1_500_000),
        (1e12, 10**18),
        (1e13, 10**18 + 1),
        (10**400, 10**18 + 1),
        (1e300, 10**18 + 1),
    ],
)
def test_an_amount_is_rounded_up_to_millionths_and_bounded(value: object, amount: int) -> None:
    [found] = applied(limit("/a", amount_from=IN_ARGS), args={"n": value})
    assert found.amount == amount


@pytest.mark.parametrize(
    "value",
    [0, 0.0, -0.0, -1, -90, 0.0000001, float("nan"), float("inf"), True, "5", None, [], {}],
)
def test_what_is_no_amount_is_refused(value: object) -> None:
    decision = judged(limit("/a", amount_from=IN_ARGS), args={"n": value})
    assert (decision.code, decision.rule, decision.step) == (
        "invalid_args",
        "/a/increment_from",
        "amounts",
    )


@pytest.mark.parametrize("args", [{}, None, {"m": 1}])
def test_a_missing_amount_is_refused(args: dict[str, Any] | None) -> None:
    assert judged(limit("/a", amount_from=IN_ARGS), args=args).code == "invalid_args"


@pytest.mark.parametrize(("items", "code"), [([1], "allowed"), ([1, 2], "invalid_args"), ([], "")])
def test_an_amount_is_one_number(items: list[int], code: str) -> None:
    many = Path("args.n[*]", "args", ("n", None))
    found = judged(limit("/a", amount_from=many), args={"n": items})
    assert found.code == (code or "invalid_args")


def test_an_amount_that_is_not_known_yet_takes_nothing() -> None:
    [found] = applied(limit("/a", amount_from=IN_ARGS), args=None, final=False)
    assert found.amount == 0


def counted_steps(facts: Facts, **keys: Any) -> Decision:
    one = {"counter": "s", "window": "hour", "max": 100, "increment_from": "graph.total_steps"}
    document = {"tools": {"run_workflow": {"limits": [{**one, **keys}]}}}
    return ask(document, "run_workflow", run=Run(facts))


def test_steps_of_the_graph_are_counted_and_none_cost_nothing() -> None:
    assert counted_steps(Facts(total_steps=40)).limits[0].amount == 40 * UNIT
    assert counted_steps(Facts(total_steps=0)).limits[0].amount == 0
    assert counted_steps(Facts(total_steps=1)).limits[0].refund == "not_accepted"
    assert counted_steps(Facts(total_steps=1), refund="failed").limits[0].refund == "failed"
    assert counted_steps(Facts(total_steps=-1)).code == "invalid_args"


def test_an_amount_of_the_graph_is_refused_where_there_is_no_graph() -> None:
    path = Path("graph.steps", "graph", ("steps",))
    assert judged(limit("/a", amount_from=path)).code == "invalid_args"


def test_a_fixed_and_a_counted_amount_of_one_account_take_the_larger() -> None:
    pair = limit("/a", amount=5 * UNIT), limit("/b", amount_from=IN_ARGS)
    assert applied(*pair, args={"n": 3})[0].amount == 5 * UNIT
    assert applied(*pair, args={"n": 7})[0].amount == 7 * UNIT


@given(st.floats() | st.integers() | st.text() | st.none() | st.booleans())
def test_no_amount_is_negative_or_without_bound(value: object) -> None:
    decision = judged(limit("/a", amount_from=IN_ARGS), args={"n": value})
    assert decision.code in {"allowed", "invalid_args"}
    assert all(1 <= one.amount <= 10**18 + 1 for one in decision.limits)


# GPU time.


def budgeted(gpu: dict[str, Any], estimate_ms: int | None = None) -> tuple[AppliedLimit, ...]:
    run = Run(Facts(), estimate_ms=estimate_ms)
    return ask({**ALLOWED, "gpu": gpu}, "run_workflow", run=run).limits


HOUR = {"window": "hour", "max": 1000}


def test_a_budget_of_gpu_time_is_settled_afterwards() -> None:
    [found] = budgeted({"gpu_seconds": [HOUR]}, 20_000)
    assert found == AppliedLimit(
        rule="/gpu/gpu_seconds/0",
        counter="gpu_seconds/3600",
        per_grant=True,
        amount=20 * UNIT,
        most=1000 * UNIT,
        window_ms=3_600_000,
        calendar=False,
        words="run_workflow may use 1000 s of GPU time per hour",
        refund="settled",
        of_run=True,
    )


@pytest.mark.parametrize(
    ("gpu", "estimate_ms", "seconds"),
    [
        ({}, 20_000, 20),
        ({}, 2_000_000, 2000),
        ({}, None, 300),
        ({"max_seconds_per_job": 60}, None, 60),
        ({"max_seconds_per_job": 60}, 20_000, 20),
        ({"max_seconds_per_job": 5000}, None, 1000),
    ],
    ids=[
        *("what such runs took", "even if it never fits", "300 s", "what a job may run"),
        *("what such runs took, below the cap", "at most the whole budget"),
    ],
)
def test_a_run_reserves(gpu: dict[str, Any], estimate_ms: int | None, seconds: int) -> None:
    [found] = budgeted({**gpu, "gpu_seconds": [HOUR]}, estimate_ms)
    assert found.amount == seconds * UNIT


def test_budgets_of_one_window_are_one_account_and_calendars_another() -> None:
    found = budgeted(
        {
            "gpu_seconds": [
                HOUR,
                {"window": 3600, "max": 500},
                {"window": "hour", "max": 100, "scope": "global"},
                {"window": "hour", "max": 100, "algorithm": "fixed"},
                {"window": "day", "max": 9000},
            ]
        },
        1,
    )
    assert [(one.counter, one.per_grant, one.most // UNIT, one.rule[-1]) for one in found] == [
        ("gpu_seconds/3600", True, 500, "1"),
        ("gpu_seconds/3600", False, 100, "2"),
        ("gpu_seconds/3600/fixed", True, 100, "3"),
        ("gpu_seconds/86400", True, 9000, "4"),
    ]


def test_a_budget_can_be_looked_at_before_the_run_is_known() -> None:
    document = {**ALLOWED, "gpu": {"gpu_seconds": [HOUR], "max_in_flight": 2}}
    decision = ask(document, "run_workflow", args=None, final=False)
    assert [one.amount for one in decision.limits] == [300 * UNIT]
    assert decision.slots == (Cap("/gpu/max_in_flight", 2),)


def test_all_caps_on_slots_count_and_the_shortest_time() -> None:
    document = {
        "tools": {"run_workflow": {"gpu": {"max_in_flight": 1, "max_seconds_per_job": 60}}},
        "gpu": {"max_in_flight": 0, "max_seconds_per_job": 0.5},
        "grants": {"me": {"gpu": {"max_in_flight": 5, "max_seconds_per_job": 10}}},
    }
    decision = decide(policy(document), question("run_workflow", run=Run(Facts())))
    assert decision.slots == (
        Cap("/gpu/max_in_flight", 0),
        Cap("/grants/me/gpu/max_in_flight", 5),
        Cap("/tools/run_workflow/gpu/max_in_flight", 1),
    )
    assert decision.job_ms == Cap("/gpu/max_seconds_per_job", 500)
