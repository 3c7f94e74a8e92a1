"""The strongest effect wins, silence denies, and hidden tools do not exist."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from comfy_mcp.guard.catalog import ALIASES, TOOLS
from comfy_mcp.guard.decide import decide, listed
from comfy_mcp.guard.policy import Policy
from comfy_mcp.guard.question import Cap, Effect, Question, Run
from comfy_mcp.workflow.facts import Facts
from tests.guard.questions import ALLOWED, ask, policy, question

RUN = Run(Facts())

# Step by step.


def test_a_listed_tool_is_allowed_by_its_entry() -> None:
    decision = ask({"tools": {"get_job": {}}}, "get_job")
    assert (decision.effect, decision.code, decision.rule, decision.step, decision.grant) == (
        Effect.ALLOW,
        "allowed",
        "/tools/get_job",
        "allowed",
        "me",
    )


def test_a_tool_allowed_by_default_is_allowed_by_the_default() -> None:
    assert ask({"default": "allow"}, "get_job").rule == "/default"


@pytest.mark.parametrize("document", [{}, {"default": "deny"}, {"tools": {"view_output": {}}}])
def test_silence_denies(document: dict[str, Any]) -> None:
    decision = ask(document, "get_job")
    assert (decision.effect, decision.code, decision.rule, decision.step) == (
        Effect.DENY,
        "denied",
        "/default",
        "default",
    )
    assert decide(Policy(), question("get_job")).effect is Effect.DENY


@pytest.mark.parametrize("place", ["all_tools", "classes"])
def test_a_class_and_all_tools_allow_nothing_themselves(place: str) -> None:
    rule: dict[str, Any] = {"action": "allow"}
    document = {place: rule if place == "all_tools" else {"read": rule}}
    assert ask(document, "get_job").code == "denied"


@pytest.mark.parametrize("tool", ["make_coffee", "cancel_Job", "", "x" * 500, "\udc80"])
def test_a_tool_that_does_not_exist_is_not_listed_whatever_the_policy(tool: str) -> None:
    for document in (ALLOWED, {"default": "allow"}, {}):
        decision = ask(document, tool)
        assert (decision.effect, decision.code, decision.rule, decision.step) == (
            Effect.DENY,
            "not_listed",
            "",
            "tool",
        )
        assert len(decision.reason) < 200


def test_a_hidden_tool_gets_the_answer_of_one_that_does_not_exist() -> None:
    hidden = ask({**ALLOWED, "hide": ["get_job"]}, "get_job")
    missing = ask(ALLOWED, "make_coffee")
    assert hidden.hidden_by == "/hide/0"
    assert replace(hidden, hidden_by="", reason="", step="") == replace(missing, reason="", step="")
    assert hidden.reason.replace("get_job", "X") == missing.reason.replace("make_coffee", "X")


@pytest.mark.parametrize(
    "pattern", ["cancel_job", "comfy_cancel_generation", "cancel_*", "*", "c?*"]
)
def test_a_hide_bites_by_name_alias_and_glob_and_for_both_names(pattern: str) -> None:
    found = policy({"default": "allow", "hide": [pattern]})
    for name in ("cancel_job", "comfy_cancel_generation"):
        assert decide(found, question(name)).code == "not_listed"


def test_a_glob_fits_canonical_names_only() -> None:
    found = policy({"default": "allow", "hide": ["comfy_*"]})
    assert decide(found, question("comfy_cancel_generation")).code == "allowed"


def test_a_hide_is_stronger_than_an_entry_and_hides_even_a_denial() -> None:
    document = {"hide": ["get_job"], "tools": {"get_job": {"action": "deny", "reason": "secret"}}}
    assert ask(document, "get_job").code == "not_listed"


def test_a_denied_tool_is_told_the_policys_reason() -> None:
    decision = ask({"tools": {"get_job": {"action": "deny", "reason": "Not today."}}}, "get_job")
    assert (decision.code, decision.rule, decision.reason, decision.step) == (
        "denied",
        "/tools/get_job",
        "Not today.",
        "action",
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
    for name in ("comfy_cancel_generation", "cancel_job"):
        assert ask(document, name).limits[0].words.startswith(f"{name} ")


def test_an_approval_is_stronger_than_an_allowance_and_keeps_what_the_call_takes() -> None:
    document = {
        "tools": {"run_workflow": {"action": "allow", "rate_limit": "1/minute"}},
        "classes": {"execute": {"require_approval": {"reason": "Ask me."}}},
        "gpu": {"max_in_flight": 2, "max_seconds_per_job": 9},
    }
    decision = ask(document, "run_workflow", run=RUN)
    assert (decision.effect, decision.code, decision.rule, decision.reason) == (
        Effect.APPROVAL,
        "approval_required",
        "/classes/execute/require_approval",
        "Ask me.",
    )
    assert len(decision.limits) == 1
    assert decision.slots == (Cap("/gpu/max_in_flight", 2),)
    assert decision.job_ms == Cap("/gpu/max_seconds_per_job", 9_000)


def test_an_action_that_asks_for_approval_asks() -> None:
    decision = ask({"tools": {"get_job": {"action": "require_approval"}}}, "get_job")
    assert decision.effect is Effect.APPROVAL
    assert decision.rule == "/tools/get_job/action"
    assert decision.reason == "A person has to approve get_job first."


def test_limits_come_from_every_rule_that_fits() -> None:
    document = {
        "tools": {"get_job": {"rate_limit": "1/minute"}, "g*_job": {"rate_limit": "2/minute"}},
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
    assert decide(found, question("get_job")).rule == "0#/tools/get_job"
    assert decide(found, question("view_output")).effect is Effect.ALLOW
    assert decide(found, question("run_workflow")).rule == "0#/default"


def test_one_default_deny_is_the_default_of_all() -> None:
    found = policy({"default": "allow"}, {"default": "deny", "tools": {"get_job": {}}})
    assert decide(found, question("run_workflow")).rule == "1#/default"
    assert decide(found, question("get_job")).effect is Effect.ALLOW


def test_every_files_limit_and_cap_holds_by_itself() -> None:
    one = {"tools": {"run_workflow": {"rate_limit": "9/minute"}}, "gpu": {"max_in_flight": 3}}
    two = {"all_tools": {"rate_limit": "8/minute"}, "gpu": {"max_in_flight": 1}}
    decision = decide(policy(one, two), question("run_workflow", run=RUN))
    assert [limit.rule for limit in decision.limits] == [
        "0#/tools/run_workflow/rate_limit",
        "1#/all_tools/rate_limit",
    ]
    assert decision.slots == (Cap("0#/gpu/max_in_flight", 3), Cap("1#/gpu/max_in_flight", 1))


# What is listed.


def test_hidden_and_by_default_denied_tools_are_not_listed_but_denied_ones_are() -> None:
    found = policy(
        {"hide": ["get_job"], "tools": {"get_job": {}, "cancel_job": {"action": "deny"}}}
    )
    assert [tool for tool in TOOLS if listed(found, tool, "me", 0)] == ["cancel_job"]


def test_aliases_and_strangers_are_never_listed() -> None:
    found = policy({"default": "allow"})
    assert all(listed(found, tool, "me", 0) for tool in TOOLS)
    assert not any(listed(found, name, "me", 0) for name in [*ALIASES, "make_coffee", "*"])


# What is known so far.


def test_what_is_not_known_yet_is_not_judged() -> None:
    document = {
        "tools": {
            "run_workflow": {
                "require": [{"path": "args.workflow", "op": "eq", "value": "card"}],
                "deny_if": [{"path": "graph.steps", "op": "gt", "value": 10}],
            }
        },
        "gpu": {"max_steps": 10},
    }
    found = policy(document)
    large = Run(Facts(steps=11))
    codes = [
        decide(found, Question("run_workflow", "me")).code,
        decide(found, Question("run_workflow", "me", run=large)).code,
        decide(found, Question("run_workflow", "me", args={"workflow": "x"})).code,
        decide(found, Question("run_workflow", "me", args={"workflow": "card"}, run=large)).code,
        decide(found, question("run_workflow", args={"workflow": "card"}, run=large)).code,
    ]
    assert codes == ["allowed", "allowed", "require_failed", "allowed", "deny_if"]


def test_the_clock_is_not_judged_before_it_is_told_and_missing_in_the_end() -> None:
    found = policy(
        {**ALLOWED, "all_tools": {"require": [{"path": "time.hour", "op": "gte", "value": 0}]}}
    )
    assert decide(found, Question("get_job", "me")).code == "allowed"
    assert decide(found, Question("get_job", "me", final=True)).code == "require_failed"
    assert decide(found, question("get_job")).code == "allowed"


def test_a_run_that_nobody_measured_is_refused() -> None:
    decision = ask({**ALLOWED, "gpu": {"undetermined": "allow"}}, "run_workflow")
    assert (decision.code, decision.step) == ("undetermined", "run")
