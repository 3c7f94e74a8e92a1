"""Grants: who may call at all, and how a grant narrows what the files allow."""

from __future__ import annotations

from typing import Any

import pytest

from comfy_mcp.guard.catalog import TOOLS
from comfy_mcp.guard.decide import decide, grant_of, listed, prefix_for, tallies, wanted
from comfy_mcp.guard.policy import Denials, Grant, Layer, Policy, PolicyFile
from comfy_mcp.guard.question import Effect, Prefix, Run
from comfy_mcp.workflow.facts import Facts
from tests.guard.questions import ALLOWED, NOON_MS, ask, policy, question

TIME = "2026-01-05T12:00:00Z"


def grants(**entries: dict[str, Any]) -> dict[str, Any]:
    return {**ALLOWED, "grants": entries}


def test_a_policy_without_grants_takes_callers_at_their_word() -> None:
    assert grant_of(policy(ALLOWED), "anybody", NOON_MS) == "anybody"
    assert ask(ALLOWED, "get_job", identity="anybody").grant == "anybody"


def test_a_caller_goes_by_the_id_of_its_grant() -> None:
    document = grants(ann={"match": {"stdio": "ann-laptop"}}, bob={})
    assert ask(document, "get_job", identity="ann-laptop").grant == "ann"
    assert ask(document, "get_job", identity="bob").grant == "bob"
    assert grant_of(policy(document), "ann-laptop", NOON_MS) == "ann"


@pytest.mark.parametrize(
    ("entries", "identity", "rule"),
    [
        ({}, "me", "/grants"),
        ({"ann": {}}, "me", "/grants"),
        ({"me": {"match": {"stdio": "other"}}}, "me", "/grants"),
        ({"me": {"revoked": True}}, "me", "/grants/me/revoked"),
        ({"me": {"expires_at": TIME}}, "me", "/grants/me/expires_at"),
    ],
    ids=["no grants at all", "another", "another name", "revoked", "expired this moment"],
)
def test_whoever_the_policy_does_not_know_may_do_nothing(
    entries: dict[str, Any], identity: str, rule: str
) -> None:
    document = grants(**entries)
    for tool in (*TOOLS, "make_coffee"):
        decision = ask(document, tool, identity=identity)
        assert (decision.effect, decision.code, decision.rule, decision.step) == (
            Effect.DENY,
            "no_grant",
            rule,
            "identity",
        )
        assert decision.grant == identity
    found = policy(document)
    assert grant_of(found, identity, NOON_MS) is None
    assert not any(listed(found, tool, identity, NOON_MS) for tool in TOOLS)


def test_a_grant_counts_until_its_time_is_over() -> None:
    found = policy(grants(me={"expires_at": TIME}))
    assert grant_of(found, "me", NOON_MS - 1) == "me"
    assert listed(found, "get_job", "me", NOON_MS - 1)
    assert not listed(found, "get_job", "me", NOON_MS)


def test_a_grant_that_one_of_several_files_revokes_is_revoked() -> None:
    found = policy(grants(me={}), {"grants": {"me": {"revoked": True}}})
    assert decide(found, question("get_job")).rule == "1#/grants/me/revoked"


def test_every_files_word_about_a_grant_counts() -> None:
    found = policy(
        grants(me={"hide": ["view_output"]}),
        {"grants": {"me": {"default": "allow", "tools": {"get_job": {"action": "deny"}}}}},
    )
    codes = {tool: decide(found, question(tool)).code for tool in ("view_output", "get_job")}
    assert codes == {"view_output": "not_listed", "get_job": "denied"}
    assert decide(found, question("cancel_job")).code == "allowed"


def test_a_name_that_several_grants_have_means_none_of_them() -> None:
    one, two = (
        Grant(f"/grants/{name}", name, "me", Layer(default_allow=True)) for name in ("a", "b")
    )
    found = Policy((PolicyFile(layer=Layer(default_allow=True), grants=(one, two)),))
    assert decide(found, question("get_job")).code == "no_grant"
    assert wanted(found, "run_workflow", "me") == frozenset()


@pytest.mark.parametrize(
    ("entry", "tool", "code", "rule"),
    [
        ({"tools": {"get_job": {}}}, "cancel_job", "denied", "/grants/me/default"),
        ({"default": "deny"}, "get_job", "denied", "/grants/me/default"),
        ({"default": "deny", "tools": {"get_*": {}}}, "get_job", "allowed", "/tools/*"),
        ({"default": "allow", "tools": {"get_job": {}}}, "cancel_job", "allowed", "/tools/*"),
        ({}, "cancel_job", "allowed", "/tools/*"),
        ({"hide": ["cancel_*"]}, "cancel_job", "not_listed", ""),
        (
            {"all_tools": {"action": "deny"}},
            "get_job",
            "denied",
            "/grants/me/all_tools",
        ),
        (
            {"all_tools": {"require": [{"path": "args.a", "op": "exists", "value": True}]}},
            "get_job",
            "require_failed",
            "/grants/me/all_tools/require/0",
        ),
    ],
)
def test_a_grant_narrows(entry: dict[str, Any], tool: str, code: str, rule: str) -> None:
    decision = ask(grants(me=entry), tool)
    assert (decision.code, decision.rule) == (code, rule)


def test_a_grant_allows_nothing_that_the_files_do_not() -> None:
    document = {"tools": {"get_job": {}}, "grants": {"me": {"tools": {"*": {}}}}}
    assert ask(document, "cancel_job").rule == "/default"


def test_a_grants_gpu_block_can_only_be_stricter() -> None:
    strict = {"gpu": {"queue_jump": "deny", "max_steps": 5}}
    loose = {"gpu": {"queue_jump": "allow", "max_steps": 500}}
    base = {**ALLOWED, "gpu": {"queue_jump": "approve", "max_steps": 50}}

    def said(entry: dict[str, Any], facts: Facts, *, front: bool = False) -> tuple[str, str]:
        run = Run(facts, front=front)
        decision = ask({**base, "grants": {"me": entry}}, "run_workflow", run=run)
        return decision.code, decision.rule

    assert said(strict, Facts(steps=6)) == ("gpu_limit", "/grants/me/gpu/max_steps")
    assert said(loose, Facts(steps=51)) == ("gpu_limit", "/gpu/max_steps")
    assert said(strict, Facts(), front=True) == ("denied", "/grants/me/gpu/queue_jump")
    assert said(loose, Facts(), front=True) == ("approval_required", "/gpu/queue_jump")


def test_conditions_know_the_caller() -> None:
    rule = {
        "require": [
            {"path": "grant.tags", "op": "contains", "value": "staff"},
            {"path": "grant.id", "op": "eq", "value": "me"},
            {"path": "grant.transport", "op": "eq", "value": "stdio"},
        ]
    }
    staff = {**grants(me={"tags": ["staff", "video"]}), "all_tools": rule}
    guest = {**grants(me={"tags": ["guest"]}), "all_tools": rule}
    assert ask(staff, "get_job").code == "allowed"
    assert ask(guest, "get_job").rule == "/all_tools/require/0"
    assert ask(staff, "get_job", transport="http").rule == "/all_tools/require/2"


# What is asked before a decision.


def test_a_prefix_is_filled_in_with_the_callers_id_and_the_longest_is_told() -> None:
    document = {
        **ALLOWED,
        "gpu": {"output_prefix": "agents/"},
        "grants": {"ann": {"match": {"stdio": "me"}, "gpu": {"output_prefix": "agents/{grant}/"}}},
    }
    found = policy(document)
    assert prefix_for(found, "run_workflow", "me") == Prefix(
        "/grants/ann/gpu/output_prefix", "agents/ann/"
    )
    assert prefix_for(found, "run_workflow", "stranger") is None
    assert prefix_for(found, "make_coffee", "me") is None
    assert prefix_for(policy(ALLOWED), "run_workflow", "me") is None


@pytest.mark.parametrize(
    ("identity", "folder"),
    [("me-2.x", "me-2.x"), ("..", "__"), ("a/../b", "a____b"), (".", "_"), ("a.", "a_")],
)
def test_a_name_in_a_prefix_leads_nowhere(identity: str, folder: str) -> None:
    found = policy({**ALLOWED, "gpu": {"output_prefix": "{grant}/"}})
    told = prefix_for(found, "run_workflow", identity)
    assert told is not None
    assert told.text == f"{folder}/"


def test_the_facts_that_a_grants_rules_need_are_wanted_for_it_alone() -> None:
    found = policy(grants(me={"gpu": {"max_steps": 5}}, you={}))
    assert "steps" in wanted(found, "run_workflow", "me")
    assert "steps" not in wanted(found, "run_workflow", "you")
    assert wanted(found, "run_workflow", "stranger") == frozenset()


def test_refusals_are_counted_by_every_file_that_says_so() -> None:
    one, two = {"max": 3, "window": "minute"}, {"max": 9, "window": 60, "cooldown": 5}
    assert tallies(policy(ALLOWED), "me") == ()
    assert tallies(policy({"denials": one}, ALLOWED, {"denials": two}), "me") == (
        Denials("0#/denials", 3, 60_000, 60_000),
        Denials("2#/denials", 9, 60_000, 5_000),
    )
