"""A call is charged once in each account, so that every limit which names it holds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from comfy_mcp.guard.decide import AppliedLimit, Question, decide
from comfy_mcp.guard.policy import Limit, Place, Policy, PolicyFile, Rule

UNIT = 1_000_000


def limit(where: str, **keys: object) -> Limit:
    values: dict[str, object] = {
        "counter": "c",
        "amount": UNIT,
        "most": 10 * UNIT,
        "window_ms": 60_000,
        **keys,
    }
    return Limit(where, **values)  # type: ignore[arg-type]


def applied(*limits: Limit, reason: str | None = None) -> tuple[AppliedLimit, ...]:
    rule = Rule("/tools/get_job", Place.TOOL, "get_job", reason=reason, limits=limits)
    decision = decide(Policy((PolicyFile(rules=(rule,)),)), Question("get_job", "me"))
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
def test_the_order_of_limits_does_not_matter(limits: list[Limit], random: object) -> None:
    mixed = list(limits)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    strip = {(a.counter, a.per_grant, a.amount, a.most, a.rule) for a in applied(*mixed)}
    assert strip == {(a.counter, a.per_grant, a.amount, a.most, a.rule) for a in applied(*limits)}
