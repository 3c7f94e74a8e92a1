"""Whose jobs a call may stop or look into, and whose files a graph may read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from comfy_mcp.guard.decide import decide
from comfy_mcp.guard.question import Effect, Run
from comfy_mcp.workflow.facts import Facts, JobFile
from tests.guard.questions import ALLOWED, ask, ask_run, policy, question

OTHERS = ["other agent", "human", "anybody else"]


@pytest.mark.parametrize(
    "tool",
    [
        *("cancel_job", "interrupt_execution", "comfy_cancel_generation"),
        *("view_output", "get_provenance", "export_output", "upload_input"),
    ],
)
@pytest.mark.parametrize("owner", OTHERS)
def test_nobody_stops_or_looks_into_the_jobs_of_others(tool: str, owner: str) -> None:
    decision = ask(ALLOWED, tool, owner=owner)
    assert (decision.effect, decision.code, decision.rule, decision.step) == (
        Effect.DENY,
        "not_owner",
        "/gpu/ownership",
        "ownership",
    )


@pytest.mark.parametrize("owner", ["mine", None])
def test_an_agent_stops_and_looks_into_its_own_jobs(owner: str | None) -> None:
    for tool in ("cancel_job", "view_output", "interrupt_execution"):
        assert ask(ALLOWED, tool, owner=owner).code == "allowed"
        assert ask(ALLOWED, tool, owner=owner, whatever_runs=True).code == "allowed"


@pytest.mark.parametrize("owner", OTHERS)
def test_whatever_reads_an_output_reads_only_the_callers_own(owner: str) -> None:
    found = policy({"tools": {"get_job": {}}})
    asked = replace(question("get_job"), owner=owner, final=True)
    assert decide(found, asked).code == "allowed"
    reading = replace(asked, reads_output=True)
    decision = decide(found, reading)
    assert (decision.code, decision.rule) == ("not_owner", "/gpu/ownership")
    assert decide(found, replace(reading, owner="mine")).code == "allowed"
    everybodys = policy({"tools": {"get_job": {}}, "gpu": {"ownership": "any"}})
    assert decide(everybodys, reading).code == "allowed"


def test_the_status_of_others_jobs_may_be_asked_for() -> None:
    assert ask(ALLOWED, "get_job", owner="human").code == "allowed"


def test_whose_job_it_is_is_judged_once_that_is_settled() -> None:
    assert ask(ALLOWED, "cancel_job", owner="human", final=False).code == "allowed"


def test_ownership_is_stronger_than_an_approval_and_weaker_than_a_denial() -> None:
    asked = {"tools": {"cancel_job": {"require_approval": True}}}
    assert ask(asked, "cancel_job", owner="human").code == "not_owner"
    denied = {"tools": {"cancel_job": {"action": "deny"}}}
    assert ask(denied, "cancel_job", owner="human").code == "denied"


def test_a_policy_may_give_everybody_every_job() -> None:
    document = {**ALLOWED, "gpu": {"ownership": "any"}}
    for tool in ("cancel_job", "view_output", "interrupt_execution"):
        assert ask(document, tool, owner="human").code == "allowed"


@pytest.mark.parametrize(
    ("gpu", "code", "rule"),
    [
        ({}, "not_owner", "/gpu/global_interrupt"),
        ({"global_interrupt": "deny"}, "not_owner", "/gpu/global_interrupt"),
        ({"global_interrupt": "approve"}, "approval_required", "/gpu/global_interrupt"),
        ({"global_interrupt": "allow"}, "allowed", "/tools/*"),
        ({"ownership": "any"}, "not_owner", "/gpu/global_interrupt"),
        ({"ownership": "any", "global_interrupt": "allow"}, "allowed", "/tools/*"),
    ],
)
def test_an_interrupt_of_whatever_runs_hits_others_only_if_the_policy_says_so(
    gpu: dict[str, Any], code: str, rule: str
) -> None:
    decision = ask(
        {**ALLOWED, "gpu": gpu}, "interrupt_execution", owner="human", whatever_runs=True
    )
    assert (decision.code, decision.rule) == (code, rule)


def test_leave_to_interrupt_whatever_runs_is_none_to_stop_a_certain_job() -> None:
    document = {**ALLOWED, "gpu": {"global_interrupt": "allow"}}
    assert ask(document, "interrupt_execution", owner="human").code == "not_owner"
    assert ask(document, "cancel_job", owner="human").code == "not_owner"


def test_the_strictest_word_that_any_file_says_counts() -> None:
    loose = {**ALLOWED, "gpu": {"ownership": "any"}}
    strict = {"default": "allow", "gpu": {"ownership": "own"}}
    one, two = policy(loose, {"default": "allow"}), policy(loose, strict)
    asked = question("cancel_job", owner="human")
    assert decide(one, asked).code == "allowed"
    assert decide(two, asked).rule == "1#/gpu/ownership"


def test_a_rule_may_say_it_for_its_tools_alone() -> None:
    document = {"tools": {"*": {}, "view_output": {"gpu": {"ownership": "any"}}}}
    assert ask(document, "view_output", owner="human").code == "allowed"
    assert ask(document, "cancel_job", owner="human").code == "not_owner"


# Files of other jobs.

FILE = JobFile("output", "sub", "x.png", "5", "LoadImage", "image")


def test_a_graph_reads_only_files_that_its_own_jobs_made() -> None:
    facts = Facts(job_files=(FILE,))
    assert ask_run({}, facts).code == "allowed"
    decision = ask_run({}, facts, foreign=(FILE,))
    assert (decision.code, decision.rule) == ("input_path", "/gpu/ownership")
    assert decision.reason == (
        "Node 5 (LoadImage) reads 'sub/x.png' [output], which no job of yours made; read only"
        " files that your own jobs made."
    )
    assert ask_run({"ownership": "any"}, facts, foreign=(FILE,)).code == "allowed"


def test_foreign_files_are_judged_before_the_nodes_that_read_them() -> None:
    facts = Facts(node_classes={"LoadImage": "5"}, api_nodes={"Cloud": "6"})
    run = Run(facts, foreign=(FILE,))
    document = {**ALLOWED, "gpu": {"deny_node_classes": ["*"]}}
    assert ask(document, "run_workflow", run=run).code == "input_path"
