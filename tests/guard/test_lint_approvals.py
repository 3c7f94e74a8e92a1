"""Questions to people that help less than they seem to: a policy's owner is warned of them."""

from __future__ import annotations

from typing import Any

import pytest

from comfy_mcp.guard.lint import warnings as all_warnings
from comfy_mcp.guard.policy import Policy
from tests.guard.questions import policy

FOLLOWED: dict[str, Any] = {"run_workflow": {}, "get_job": {}}
RUNS_ASK = {**FOLLOWED, "get_approval": {}, "cancel_job": {}, "interrupt_execution": {}}
BIG = {"path": "graph.megapixels", "op": "gt", "value": 2}


def warnings(found: Policy) -> tuple[str, ...]:
    return all_warnings(found, 0)


def asks(**keys: Any) -> dict[str, Any]:
    return {"require_approval": keys}


def test_asking_the_operator_about_anything_is_no_reason_for_a_warning() -> None:
    document = {
        "tools": {**RUNS_ASK, "run_workflow": asks(when=[BIG], channel="elicitation")},
        "classes": {"destructive": asks(channel="operator", expires=60)},
        "approvals": {"channel": "any", "max_pending": 2, "webhook": "https://h/x"},
    }
    assert warnings(policy(document)) == ()


def test_saying_how_to_ask_where_nobody_is_asked_is_no_reason_for_a_warning() -> None:
    said = {"channel": "elicitation", "expires": 60}
    tools = {**FOLLOWED, "cancel_job": {}}
    assert warnings(policy({"tools": tools, "approvals": said})) == ()


@pytest.mark.parametrize("tool", ["get_approval", "list_approvals", "cancel_approval"])
def test_asking_a_person_about_requests_to_people_is_warned_about(tool: str) -> None:
    document = {"tools": {**FOLLOWED, "get_approval": {}, tool: {"action": "require_approval"}}}
    [warning] = warnings(policy(document))
    assert warning.startswith(f"/tools/{tool}/action: a person is asked about {tool}, too")


def test_asking_a_person_even_before_looking_is_warned_about() -> None:
    tools = {**FOLLOWED, "get_approval": {}, "list_approvals": {}}
    [warning] = warnings(policy({"tools": tools, "all_tools": {"require_approval": True}}))
    assert warning.startswith("/all_tools/require_approval: ")
    assert "cancel_approval (and 3 more)" in warning


def test_a_request_that_cannot_be_followed_is_warned_about() -> None:
    document = {"tools": {**FOLLOWED, "run_workflow": asks(when=[BIG])}}
    [warning] = warnings(policy(document))
    assert 'Add "get_approval": {}' in warning
    assert "about run_workflow, but get_approval is not allowed" in warning
    document["tools"]["get_approval"] = {}
    assert warnings(policy(document)) == ()
    document["grants"] = {"ann": {"hide": ["get_app*"]}, "bob": {}, "eve": {"revoked": True}}
    [warning] = warnings(policy(document))
    assert warning.startswith("/grants/ann: a person is asked")


def test_a_question_about_a_graph_is_always_asked_where_there_is_none() -> None:
    condition = {**BIG, "path": "graph.steps"}
    document = {"tools": RUNS_ASK, "classes": {"destructive": asks(when=[BIG, condition])}}
    first, second = warnings(policy(document))
    assert first.startswith("/classes/destructive/require_approval/when/0: calls of cancel_job")
    assert second.startswith("/classes/destructive/require_approval/when/1: ")
    there = {"path": "graph.front", "op": "exists", "value": True}
    assert warnings(policy({"tools": RUNS_ASK, "all_tools": asks(when=[there])})) == ()


@pytest.mark.parametrize("channel", ["elicitation", "any"])
def test_a_client_that_may_let_destructive_calls_through_is_warned_about(channel: str) -> None:
    document = {"tools": RUNS_ASK, "classes": {"destructive": asks(channel=channel)}}
    [warning] = warnings(policy(document))
    assert warning == (
        f'/classes/destructive/require_approval: channel "{channel}" lets a client answer for its'
        " user about cancel_job (and 1 more), which can destroy work."
        ' Use "operator".'
    )


def test_a_weak_channel_of_a_whole_file_is_warned_about_where_it_counts() -> None:
    said = {"channel": "elicitation"}
    tools = {**RUNS_ASK, "run_workflow": asks(), "cancel_job": asks()}
    [warning] = warnings(policy({"tools": tools, "approvals": said}))
    assert warning.startswith("/tools/cancel_job/require_approval: ")
    word = {"gpu": {"global_interrupt": "approve"}}
    [warning] = warnings(policy({"tools": RUNS_ASK, "approvals": said, **word}))
    assert warning.startswith("/gpu/global_interrupt: ")
    assert "interrupt_execution" in warning


def test_a_weak_channel_counts_where_the_operator_is_asked_only_of_some_calls() -> None:
    here = {"path": "args.prompt_id", "op": "exists", "value": True}
    strict = asks(when=[here], channel="operator")
    document = {
        "tools": {**RUNS_ASK, "cancel_job": strict},
        "classes": {"destructive": asks(channel="any")},
    }
    [warning] = warnings(policy(document))
    assert "cancel_job (and 1 more)" in warning
    document["tools"]["cancel_job"] = asks(channel="operator")
    [warning] = warnings(policy(document))
    assert "about interrupt_execution, which" in warning


def test_what_may_not_be_called_anyway_is_no_reason_for_a_warning() -> None:
    weak = {"classes": {"destructive": asks(channel="any")}}
    assert warnings(policy({"tools": {**FOLLOWED, "get_approval": {}}, **weak})) == ()
    hidden = {"default": "allow", "hide": ["cancel_job", "int*"]}
    assert warnings(policy({"tools": RUNS_ASK, **weak}, hidden)) == ()
