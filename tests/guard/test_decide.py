"""The strongest effect wins, order has no meaning, silence denies, and a decision cannot fail."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comfy_mcp.guard.catalog import ALIASES, TOOLS
from comfy_mcp.guard.decide import Decision, Effect, Question, decide, listed
from comfy_mcp.guard.parse import read_policy
from comfy_mcp.guard.policy import Action, Gpu, Hide, Limit, Place, Policy, PolicyFile, Rule

FORCE = {Effect.ALLOW: 0, Effect.APPROVAL: 1, Effect.DENY: 2}


def policy(*documents: dict[str, Any]) -> Policy:
    names = [""] if len(documents) == 1 else [f"{at}#" for at in range(len(documents))]
    read = [
        read_policy(json.dumps({"version": "1", **document}), name)
        for document, name in zip(documents, names, strict=True)
    ]
    assert not any(found for _, found in read)
    return Policy(tuple(file for file, _ in read))


def ask(document: dict[str, Any], tool: str, owner: str | None = None) -> Decision:
    return decide(policy(document), Question(tool, "me", owner))


ALLOWED: dict[str, Any] = {"tools": {"*": {}}}


# Step by step.


def test_a_listed_tool_is_allowed_by_its_entry() -> None:
    decision = ask({"tools": {"get_job": {}}}, "get_job")
    assert (decision.effect, decision.code, decision.rule) == (
        Effect.ALLOW,
        "allowed",
        "/tools/get_job",
    )


def test_a_tool_allowed_by_default_is_allowed_by_the_default() -> None:
    assert ask({"default": "allow"}, "get_job").rule == "/default"


@pytest.mark.parametrize("document", [{}, {"default": "deny"}, {"tools": {"view_output": {}}}])
def test_silence_denies(document: dict[str, Any]) -> None:
    decision = ask(document, "get_job")
    assert (decision.effect, decision.code, decision.rule) == (Effect.DENY, "denied", "/default")
    assert decide(Policy(), Question("get_job", "me")).effect is Effect.DENY


@pytest.mark.parametrize("place", ["all_tools", "classes"])
def test_a_class_and_all_tools_allow_nothing_themselves(place: str) -> None:
    rule: dict[str, Any] = {"action": "allow"}
    document = {place: rule if place == "all_tools" else {"read": rule}}
    assert ask(document, "get_job").code == "denied"


def test_a_tool_that_does_not_exist_is_not_listed_whatever_the_policy() -> None:
    for document in (ALLOWED, {"default": "allow"}, {}):
        decision = ask(document, "make_coffee")
        assert (decision.effect, decision.code, decision.rule) == (Effect.DENY, "not_listed", "")


def test_a_hidden_tool_gets_the_answer_of_one_that_does_not_exist() -> None:
    hidden = ask({**ALLOWED, "hide": ["get_job"]}, "get_job")
    missing = ask(ALLOWED, "make_coffee")
    assert hidden.hidden_by == "/hide/0"
    assert replace(hidden, hidden_by="", reason="") == replace(missing, reason="")
    assert hidden.reason.replace("get_job", "X") == missing.reason.replace("make_coffee", "X")


@pytest.mark.parametrize(
    "pattern", ["cancel_job", "comfy_cancel_generation", "cancel_*", "*", "c?*"]
)
def test_a_hide_bites_by_name_alias_and_glob_and_for_both_names(pattern: str) -> None:
    found = policy({"default": "allow", "hide": [pattern]})
    for name in ("cancel_job", "comfy_cancel_generation"):
        assert decide(found, Question(name, "me")).code == "not_listed"


def test_a_glob_fits_canonical_names_only() -> None:
    found = policy({"default": "allow", "hide": ["comfy_*"]})
    assert decide(found, Question("comfy_cancel_generation", "me")).code == "allowed"


def test_a_hide_is_stronger_than_an_entry_and_hides_even_a_denial() -> None:
    document = {"hide": ["get_job"], "tools": {"get_job": {"action": "deny", "reason": "secret"}}}
    assert ask(document, "get_job").code == "not_listed"


def test_a_denied_tool_is_told_the_policys_reason() -> None:
    decision = ask({"tools": {"get_job": {"action": "deny", "reason": "Not today."}}}, "get_job")
    assert (decision.code, decision.rule, decision.reason) == (
        "denied",
        "/tools/get_job",
        "Not today.",
    )


@pytest.mark.parametrize(
    "document",
    [
        {"tools": {"get_job": {}, "get_*": {"action": "deny"}}},
        {"tools": {"get_job": {}}, "classes": {"read": {"action": "deny"}}},
        {"tools": {"get_job": {"require_approval": True}}, "all_tools": {"action": "deny"}},
        {"default": "allow", "tools": {"get_job": {"action": "deny"}}},
    ],
)
def test_one_denial_is_enough_wherever_it_stands(document: dict[str, Any]) -> None:
    assert ask(document, "get_job").code == "denied"


def test_a_rule_under_an_alias_and_one_under_the_name_both_apply() -> None:
    document = {
        "tools": {
            "comfy_cancel_generation": {"rate_limit": "1/minute"},
            "cancel_job": {"rate_limit": "2/minute"},
        }
    }
    for name in ("cancel_job", "comfy_cancel_generation"):
        decision = ask(document, name)
        assert {limit.most // 1_000_000 for limit in decision.limits} == {1, 2}


def test_an_agent_reads_the_name_it_used() -> None:
    document = {"tools": {"cancel_job": {"rate_limit": "1/minute"}}}
    decision = ask(document, "comfy_cancel_generation")
    assert decision.limits[0].words.startswith("comfy_cancel_generation ")


@pytest.mark.parametrize(
    "tool", ["cancel_job", "interrupt_execution", "comfy_cancel_generation", "view_output"]
)
@pytest.mark.parametrize("owner", ["other agent", "human", "anybody else"])
def test_nobody_stops_or_looks_into_the_jobs_of_others(tool: str, owner: str) -> None:
    decision = ask(ALLOWED, tool, owner)
    assert (decision.effect, decision.code, decision.rule) == (
        Effect.DENY,
        "not_owner",
        "/gpu/ownership",
    )


@pytest.mark.parametrize("owner", ["mine", None])
def test_an_agent_stops_and_looks_into_its_own_jobs(owner: str | None) -> None:
    for tool in ("cancel_job", "view_output"):
        assert ask(ALLOWED, tool, owner).code == "allowed"


def test_the_status_of_others_jobs_may_be_asked_for() -> None:
    assert ask(ALLOWED, "get_job", "human").code == "allowed"


def test_ownership_is_stronger_than_an_approval_and_weaker_than_a_denial() -> None:
    asked = {"tools": {"cancel_job": {"require_approval": True}}}
    assert ask(asked, "cancel_job", "human").code == "not_owner"
    denied = {"tools": {"cancel_job": {"action": "deny"}}}
    assert ask(denied, "cancel_job", "human").code == "denied"


def test_an_approval_is_stronger_than_an_allowance_and_keeps_the_limits() -> None:
    document = {
        "tools": {"run_workflow": {"action": "allow", "rate_limit": "1/minute"}},
        "classes": {"execute": {"require_approval": {"reason": "Ask me."}}},
        "gpu": {"max_in_flight": 2},
    }
    decision = ask(document, "run_workflow")
    assert (decision.effect, decision.code, decision.rule, decision.reason) == (
        Effect.APPROVAL,
        "approval_required",
        "/classes/execute",
        "Ask me.",
    )
    assert len(decision.limits) == 1
    assert decision.max_in_flight == (("/gpu/max_in_flight", 2),)


def test_only_calls_that_start_a_job_are_counted_in_flight() -> None:
    document = {**ALLOWED, "gpu": {"max_in_flight": 0}}
    assert ask(document, "run_workflow").max_in_flight == (("/gpu/max_in_flight", 0),)
    assert ask(document, "get_job").max_in_flight == ()
    assert ask({**ALLOWED, "gpu": {}}, "run_workflow").max_in_flight == ()


def test_limits_come_from_every_rule_that_fits() -> None:
    document = {
        "tools": {"get_job": {"rate_limit": "1/minute"}, "g*": {"rate_limit": "2/minute"}},
        "classes": {
            "read": {"rate_limit": "3/minute"},
            "execute": {"rate_limit": "9/minute"},
        },
        "all_tools": {"rate_limit": "4/minute"},
    }
    found = ask(document, "get_job").limits
    assert sorted(limit.most // 1_000_000 for limit in found) == [1, 2, 3, 4]


# Several files.


def test_what_any_file_lists_is_allowed_unless_another_says_no() -> None:
    found = policy({"tools": {"get_job": {}}}, {"tools": {"view_output": {}}})
    assert decide(found, Question("get_job", "me")).rule == "0#/tools/get_job"
    assert decide(found, Question("view_output", "me")).effect is Effect.ALLOW
    assert decide(found, Question("run_workflow", "me")).rule == "0#/default"


def test_one_default_deny_is_the_default_of_all() -> None:
    found = policy({"default": "allow"}, {"default": "deny", "tools": {"get_job": {}}})
    assert decide(found, Question("run_workflow", "me")).rule == "1#/default"
    assert decide(found, Question("get_job", "me")).effect is Effect.ALLOW


def test_every_files_limit_and_cap_holds_by_itself() -> None:
    one = {"tools": {"run_workflow": {"rate_limit": "9/minute"}}, "gpu": {"max_in_flight": 3}}
    two = {"all_tools": {"rate_limit": "8/minute"}, "gpu": {"max_in_flight": 1}}
    decision = decide(policy(one, two), Question("run_workflow", "me"))
    assert [limit.rule for limit in decision.limits] == [
        "0#/tools/run_workflow/rate_limit",
        "1#/all_tools/rate_limit",
    ]
    assert decision.max_in_flight == (("0#/gpu/max_in_flight", 3), ("1#/gpu/max_in_flight", 1))


# What is listed.


def test_hidden_and_by_default_denied_tools_are_not_listed_but_denied_ones_are() -> None:
    found = policy(
        {"hide": ["get_job"], "tools": {"get_job": {}, "cancel_job": {"action": "deny"}}}
    )
    assert [tool for tool in TOOLS if listed(found, tool)] == ["cancel_job"]


def test_aliases_and_strangers_are_never_listed() -> None:
    found = policy({"default": "allow"})
    assert all(listed(found, tool) for tool in TOOLS)
    assert not any(listed(found, name) for name in [*ALIASES, "make_coffee", "*"])


# For any policy.

names = st.sampled_from([*TOOLS, *ALIASES, "*", "cancel_*", "?un_workflow", "make_coffee", "[z-a]"])
pointers = st.text(max_size=4)
limits = st.builds(
    Limit,
    pointers,
    st.sampled_from(["a", "b"]),
    st.integers(0, 9),
    st.integers(0, 9),
    st.sampled_from([1, 1000, 90_000]),
    st.booleans(),
    st.booleans(),
)
rules = st.one_of(
    st.builds(
        Rule,
        pointers,
        st.just(Place.TOOL),
        names,
        st.sampled_from(Action),
        st.none() | st.text(max_size=3),
        st.lists(limits, max_size=3).map(tuple),
    ),
    st.builds(
        Rule,
        pointers,
        st.just(Place.CLASS),
        st.sampled_from(["read", "write", "execute", "destructive"]),
        st.sampled_from(Action),
    ),
    st.builds(Rule, pointers, st.just(Place.ALL), st.just("*"), st.sampled_from(Action)),
)
hides = st.builds(Hide, pointers, names)
gpus = st.none() | st.builds(Gpu, pointers, st.none() | st.integers(0, 3))
files = st.builds(
    PolicyFile,
    where=pointers,
    default_allow=st.booleans(),
    hide=st.lists(hides, max_size=1).map(tuple),
    rules=st.lists(rules, max_size=5).map(tuple),
    gpu=gpus,
    lists=st.booleans(),
)
policies = st.lists(files, max_size=3).map(lambda found: Policy(tuple(found)))
questions = st.builds(
    Question,
    st.one_of(st.sampled_from([*TOOLS, *ALIASES]), st.text()),
    st.text(),
    st.sampled_from([None, "mine", "other agent", "human"]) | st.text(),
)


def holds(decision: Decision) -> dict[tuple[Any, ...], tuple[int, int]]:
    """Amount and maximum of every account a call is charged in."""
    return {
        (limit.counter, limit.per_grant, limit.window_ms, limit.calendar): (
            limit.amount,
            limit.most,
        )
        for limit in decision.limits
    }


def assert_no_weaker(after: Decision, before: Decision) -> None:
    assert FORCE[after.effect] >= FORCE[before.effect]
    if after.effect is not Effect.DENY:
        for account, (amount, most) in holds(before).items():
            assert holds(after)[account][0] >= amount
            assert holds(after)[account][1] <= most
        assert set(before.max_in_flight) <= set(after.max_in_flight)


@given(policies, questions)
@settings(max_examples=300)
def test_every_question_has_an_answer(found: Policy, question: Question) -> None:
    decision = decide(found, question)
    assert decision.reason or decision.effect is not Effect.ALLOW
    assert decision.effect is not Effect.DENY or decision.limits == ()
    assert (decision.code == "allowed") == (decision.effect is Effect.ALLOW)
    assert decide(found, question) == decision


@given(policies, questions, rules)
@settings(max_examples=300)
def test_one_more_rule_never_weakens_a_refusal(
    found: Policy, question: Question, rule: Rule
) -> None:
    before = decide(found, question)
    widens = (
        rule.place is Place.TOOL and before.code == "denied" and before.rule.endswith("/default")
    )
    if not found.files or widens:
        return
    first, *rest = found.files
    more = Policy((replace(first, rules=(*first.rules, rule)), *rest))
    assert_no_weaker(decide(more, question), before)


@given(policies, questions, files)
@settings(max_examples=300)
def test_one_more_file_only_narrows_what_was_listed(
    found: Policy, question: Question, file: PolicyFile
) -> None:
    before = decide(found, question)
    if before.code == "denied" and before.rule.endswith("/default"):
        return
    assert_no_weaker(decide(Policy((*found.files, file)), question), before)


@given(policies, questions, files)
@settings(max_examples=300)
def test_a_file_without_tools_allows_nothing_that_was_denied(
    found: Policy, question: Question, file: PolicyFile
) -> None:
    before = decide(found, question)
    rules = tuple(rule for rule in file.rules if rule.place is not Place.TOOL)
    if found.files:
        more = Policy((*found.files, replace(file, rules=rules)))
        assert_no_weaker(decide(more, question), before)


@given(policies, questions, st.randoms(use_true_random=False))
@settings(max_examples=300)
def test_neither_the_order_of_files_nor_of_entries_matters(
    found: Policy, question: Question, random: Any
) -> None:
    def mixed(values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(random.sample(values, len(values)))

    other = Policy(
        tuple(
            replace(file, rules=mixed(file.rules), hide=mixed(file.hide))
            for file in mixed(found.files)
        )
    )
    one, two = decide(found, question), decide(other, question)
    assert (one.effect, one.code, holds(one)) == (two.effect, two.code, holds(two))
    assert sorted(one.max_in_flight) == sorted(two.max_in_flight)


@given(policies, st.sampled_from([*TOOLS]))
def test_what_may_be_called_is_listed_and_what_is_not_listed_may_not(
    found: Policy, tool: str
) -> None:
    decision = decide(found, Question(tool, "me"))
    if decision.effect is not Effect.DENY:
        assert listed(found, tool)
    if not listed(found, tool):
        assert decision.effect is Effect.DENY


@given(policies, st.sampled_from([*ALIASES]))
def test_an_alias_fares_as_its_tool(found: Policy, alias: str) -> None:
    one = decide(found, Question(alias, "me"))
    two = decide(found, Question(ALIASES[alias], "me"))
    assert (one.effect, one.code, one.rule, holds(one)) == (
        two.effect,
        two.code,
        two.rule,
        holds(two),
    )
