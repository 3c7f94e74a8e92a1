"""A policy that cannot mean what it says is refused; one that is only odd is warned about."""

from __future__ import annotations

import json
from typing import Any

from comfy_mcp.errors import Fault
from comfy_mcp.guard.lint import faults, warnings
from comfy_mcp.guard.parse import read_policy
from comfy_mcp.guard.policy import Policy


def policy(*documents: dict[str, Any]) -> Policy:
    alone = len(documents) == 1
    read = [
        read_policy(json.dumps({"version": "1", **document}), "" if alone else f"{at}#")
        for at, document in enumerate(documents)
    ]
    assert not any(found for _, found in read)
    return Policy(tuple(file for file, _ in read))


def limits(*found: dict[str, Any]) -> dict[str, Any]:
    return {"limits": [{"counter": "c", "window": 60, "max": 9, **limit} for limit in found]}


def places(found: tuple[Fault, ...]) -> list[str]:
    return [fault.where for fault in found]


FOLLOWED = {"run_workflow": {}, "get_job": {}}


def test_a_useful_policy_has_no_faults_and_no_warnings() -> None:
    found = policy({"tools": FOLLOWED})
    assert faults(found) == ()
    assert warnings(found) == ()


def test_a_policy_that_allows_nothing_is_warned_about() -> None:
    for document in (
        {},
        {"default": "deny"},
        {"default": "allow", "hide": ["*"]},
        {"all_tools": {"action": "allow"}},
        {"tools": {"*": {"action": "deny"}}},
    ):
        [warning] = warnings(policy(document))
        assert warning.startswith("Nothing is allowed")


def test_a_tool_that_needs_a_person_is_allowed_enough() -> None:
    assert warnings(policy({"tools": {"get_job": {"require_approval": True}}})) == ()


def test_jobs_that_nobody_can_follow_are_warned_about() -> None:
    [warning] = warnings(policy({"tools": {"run_workflow": {}}}))
    assert "get_job is not" in warning


def test_an_unknown_name_is_a_warning_under_default_deny() -> None:
    found = policy({"tools": {**FOLLOWED, "cancle_job": {}}, "hide": ["nothing_*"]})
    assert faults(found) == ()
    first, second = sorted(warnings(found))
    assert first.startswith("/hide/0: ")
    assert second.startswith("/tools/cancle_job: ")
    assert 'Did you mean "cancel_job"?' in second


def test_an_unknown_name_is_an_error_under_default_allow() -> None:
    found = policy(
        {"default": "allow", "hide": ["cancle_job"], "tools": {"comfy_*": {"action": "deny"}}}
    )
    assert places(faults(found)) == ["/hide/0", "/tools/comfy_*"]
    assert faults(found)[0].fix == 'Did you mean "cancel_job"?'
    assert warnings(found) == ()


def test_one_file_that_denies_by_default_makes_unknown_names_harmless() -> None:
    found = policy({"default": "allow", "hide": ["cancle_job"]}, {"tools": FOLLOWED})
    assert faults(found) == ()
    assert warnings(found)[0].startswith("0#/hide/0: ")


def test_a_name_for_a_tool_to_come_is_only_a_warning() -> None:
    found = policy({"default": "allow", "hide": ["cancel_interrupt"]})
    assert faults(found) == ()
    [warning] = warnings(found)
    assert "cancel_approval" in warning


def test_a_glob_that_fits_a_tool_and_an_alias_are_known_names() -> None:
    found = policy({"default": "allow", "hide": ["c*", "?iew_output", "comfy_cancel_generation"]})
    assert faults(found) == ()
    assert warnings(found) == ()


def test_a_counter_has_one_window_and_one_algorithm() -> None:
    for other in ({"window": 61}, {"algorithm": "fixed"}):
        found = policy({"tools": FOLLOWED, "all_tools": limits({}, other)})
        [fault] = faults(found)
        assert fault.where == "/all_tools/limits/1"
        assert "/all_tools/limits/0" in fault.cause


def test_a_counter_at_odds_in_two_files_is_found() -> None:
    first = {"tools": FOLLOWED, "all_tools": limits({})}
    second = {"classes": {"read": limits({"window": "hour"})}}
    assert places(faults(policy(first, second))) == ["1#/classes/read/limits/0"]


def test_a_counter_may_be_shared_with_other_maxima_and_scopes() -> None:
    found = policy(
        {
            "tools": {"run_workflow": limits({"max": 5}), "get_job": limits({"increment": 2})},
            "all_tools": limits({"window": "minute", "scope": "global"}),
        }
    )
    assert faults(found) == ()


def test_one_call_cannot_count_twice_in_one_counter() -> None:
    found = policy(
        {"tools": {"get_job": limits({"increment": 2})}, "classes": {"read": limits({})}}
    )
    [fault] = faults(found)
    assert fault.where == "/tools/get_job/limits/0"
    assert "/classes/read/limits/0" in fault.cause
