"""A policy that cannot mean what it says is refused; one that is only odd is warned about."""

from __future__ import annotations

import json
from typing import Any

from comfy_mcp.errors import Fault
from comfy_mcp.guard.lint import faults
from comfy_mcp.guard.lint import warnings as all_warnings
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


def warnings(found: Policy, now_ms: int = 0) -> tuple[str, ...]:
    return all_warnings(found, now_ms)


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
        assert "Nothing is allowed" in " ".join(warnings(policy(document)))


def test_a_tool_that_needs_a_person_is_allowed_enough() -> None:
    found = policy({"tools": {"get_job": {"require_approval": True}, "get_approval": {}}})
    assert warnings(found) == ()


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


def test_the_counters_of_grants_have_one_window_and_one_algorithm_too() -> None:
    ann = {"ann": {"all_tools": limits({"window": 61})}}
    found = policy({"tools": FOLLOWED, "all_tools": limits({}), "grants": ann})
    [fault] = faults(found)
    assert fault.where == "/grants/ann/all_tools/limits/0"
    assert "/all_tools/limits/0" in fault.cause


def test_a_call_counts_once_in_the_counters_of_its_own_grant_only() -> None:
    grants = {name: {"all_tools": limits({"increment": at})} for at, name in ((2, "a"), (3, "b"))}
    assert faults(policy({"tools": FOLLOWED, "grants": grants})) == ()
    found = policy({"tools": FOLLOWED, "all_tools": limits({}), "grants": grants})
    assert places(faults(found)) == [
        "/grants/a/all_tools/limits/0",
        "/grants/b/all_tools/limits/0",
    ]


def test_one_call_cannot_take_two_numbers_or_be_refunded_twice_over() -> None:
    for one, other in (
        ({"increment_from": "graph.steps"}, {"increment_from": "graph.frames"}),
        ({"increment_from": "graph.steps"}, {"refund": "not_accepted"}),
        ({"refund": "failed"}, {}),
    ):
        found = policy({"tools": FOLLOWED, "all_tools": limits(one, other)})
        assert places(faults(found)) == ["/all_tools/limits/1"]


def test_gpu_and_graph_are_one_space() -> None:
    same = limits({"increment_from": "graph.steps"}, {"increment_from": "gpu.steps"})
    assert faults(policy({"tools": {"run_workflow": same, "get_job": {}}})) == ()


def prefixed(text: str) -> dict[str, Any]:
    return {"gpu": {"output_prefix": text}}


def test_output_prefixes_that_cannot_hold_together_are_refused() -> None:
    run = {"run_workflow": prefixed("b/"), "get_job": prefixed("c/")}
    found = policy({"tools": run, **prefixed("a/")})
    [fault] = faults(found)
    assert fault.where == "/tools/run_workflow/gpu/output_prefix"
    assert "/gpu/output_prefix" in fault.cause
    assert places(faults(policy(prefixed("a/"), prefixed("b/")))) == ["1#/gpu/output_prefix"]


def test_output_prefixes_may_narrow_each_other() -> None:
    ann = {"ann": prefixed("agents/ann/night/"), "bob": prefixed("agents/bob/")}
    found = policy({**prefixed("agents/{grant}/"), "grants": ann}, prefixed("agents/"))
    assert faults(found) == ()
    ann["bob"] = prefixed("agents/ann/")
    found = policy({**prefixed("agents/{grant}/"), "grants": ann})
    assert places(faults(found)) == ["/grants/bob/gpu/output_prefix"]


def test_two_files_cannot_give_one_name_to_two_grants() -> None:
    one = {"grants": {"ann": {"match": {"stdio": "laptop"}}}}
    other = {"grants": {"bob": {"match": {"stdio": "laptop"}}}}
    [fault] = faults(policy(one, other))
    assert fault.where == "1#/grants/bob"
    assert "0#/grants/ann" in fault.cause
    assert faults(policy(one, {"grants": {"ann": {}}})) == ()


def test_a_typing_error_fails_open_in_a_grant_that_inherits() -> None:
    for grant, refused in (
        ({"hide": ["cancle_job"]}, True),
        ({"tools": {"cancle_job": {"action": "deny"}}, "default": "allow"}, True),
        ({"tools": {"cancle_job": {}, "get_job": {}}, "default": "deny"}, False),
    ):
        found = policy({"tools": FOLLOWED, "grants": {"ann": grant}})
        assert bool(faults(found)) is refused
        assert any("cancle_job" in warning for warning in warnings(found)) is not refused


# Warnings of what is only odd.


def test_a_grant_that_is_over_is_warned_about_from_its_last_millisecond() -> None:
    ann = {"expires_at": "1970-01-01T00:00:01Z"}
    found = policy({"tools": FOLLOWED, "grants": {"ann": ann, "bob": {}}})
    assert warnings(found, 999) == ()
    [warning] = warnings(found, 1000)
    assert warning.startswith("/grants/ann: this grant has expired (1970-01-01T00:00:01+00:00)")
    assert warning.endswith("may do nothing. Remove it, or write a later time.")


def test_a_grant_that_is_revoked_is_as_it_should_be() -> None:
    old = {"revoked": True, "expires_at": "1970-01-01T00:00:01Z"}
    found = policy({"tools": FOLLOWED, "grants": {"old": old, "bob": {}}})
    assert warnings(found, 2000) == ()


def test_a_grant_with_tools_and_no_default_is_warned_about() -> None:
    ann = {"tools": {"run_workflow": {}, "get_job": {}}}
    found = policy({"tools": FOLLOWED, "grants": {"ann": ann}})
    [warning] = warnings(found)
    assert "/grants/ann: " in warning
    assert "only get_job, run_workflow may be used" in warning
    for default in ("allow", "deny"):
        said = {**ann, "default": default}
        assert warnings(policy({"tools": FOLLOWED, "grants": {"ann": said}})) == ()


def test_a_grant_cannot_list_what_no_file_allows() -> None:
    ann = {"tools": {**FOLLOWED, "cancel_job": {}}, "default": "deny"}
    [warning] = warnings(policy({"tools": FOLLOWED, "grants": {"ann": ann}}))
    assert warning.startswith("/grants/ann/tools/cancel_job: no file allows cancel_job")
    assert warnings(policy({"default": "allow", "grants": {"ann": ann}})) == ()


def test_what_each_grant_can_do_is_looked_at() -> None:
    grants: dict[str, Any] = {
        "ann": {},
        "bob": {"hide": ["get_job"]},
        "eve": {"hide": ["*"]},
    }
    first, second = sorted(warnings(policy({"tools": FOLLOWED, "grants": grants})))
    assert first.startswith("/grants/bob: run_workflow is allowed but get_job is not")
    assert second.startswith("/grants/eve: nothing is allowed")
    del grants["ann"], grants["bob"]
    [warning] = warnings(policy({"tools": FOLLOWED, "grants": grants}))
    assert warning.startswith("Nothing is allowed")
    [warning] = warnings(policy({"tools": FOLLOWED, "grants": {}}))
    assert warning.startswith("Nothing is allowed")


def test_a_rule_for_what_is_hidden_is_warned_about() -> None:
    found = policy({"tools": {**FOLLOWED, "ca*b": {}}, "hide": ["comfy_cancel_generation"]})
    assert [w for w in warnings(found) if "never counts" in w] == [
        '/tools/ca*b: "hide" removes ca*b, so this rule never counts.'
    ]
    assert warnings(policy({"tools": FOLLOWED}, {"default": "allow", "hide": ["get_job"]})) != ()


def test_a_rule_that_allows_what_another_of_the_file_denies_is_warned_about() -> None:
    deny = {"classes": {"destructive": {"action": "deny"}}}
    document = {"tools": {**FOLLOWED, "cancel_job": {}}, **deny}
    [warning] = warnings(policy(document))
    assert warning.startswith("/tools/cancel_job: /classes/destructive denies cancel_job")
    assert warnings(policy({"tools": {**FOLLOWED, "cancel_job": {}}}, deny)) == ()


STEPS = {"path": "graph.steps", "op": "lte", "value": 30}


def test_a_rule_about_graphs_where_there_are_none_is_warned_about() -> None:
    def told(**keys: Any) -> list[str]:
        return [warning.split(":")[0] for warning in warnings(policy({"tools": FOLLOWED, **keys}))]

    assert told(all_tools={"require": [STEPS]}) == ["/all_tools/require/0"]
    assert told(all_tools={"deny_if": [STEPS]}) == []
    assert told(classes={"read": {"deny_if": [STEPS]}}) == ["/classes/read/deny_if/0"]
    assert told(classes={"execute": {"deny_if": [STEPS], "require": [STEPS]}}) == []
    steps = limits({"increment_from": "graph.steps"})
    assert told(classes={"read": steps}) == ["/classes/read/limits/0"]
    assert told(classes={"execute": steps}) == []
    assert told(classes={"read": limits({"refund": "failed"})}) == ["/classes/read/limits/0"]
    assert told(classes={"read": limits({"increment_from": "args.n"})}) == []
    assert told(classes={"read": {"gpu": {"max_steps": 1}}}) == ["/classes/read/gpu"]
    assert told(classes={"destructive": {"gpu": {"ownership": "any"}}}) == []


def test_a_requirement_of_nothing_is_warned_about() -> None:
    empty = {"conditions": []}
    document = {"tools": FOLLOWED, "all_tools": {"require": [empty], "deny_if": []}}
    [warning] = warnings(policy(document))
    assert warning.startswith("/all_tools/require/0: ")


def test_a_budget_of_gpu_time_without_a_bound_for_one_job_is_warned_about() -> None:
    time = {"gpu_seconds": [{"window": "hour", "max": 600}]}
    [warning] = warnings(policy({"tools": FOLLOWED, "gpu": time}))
    assert warning.startswith("/gpu/gpu_seconds: ")
    assert "300 s" in warning
    bounded = {"all_tools": {"gpu": {"max_seconds_per_job": 60}}}
    assert warnings(policy({"tools": FOLLOWED, "gpu": time, **bounded})) == ()
    grants = {"ann": {"gpu": time}, "bob": {"gpu": {"max_seconds_per_job": 60}}}
    [warning] = warnings(policy({"tools": FOLLOWED, "grants": grants}))
    assert warning.startswith("/grants/ann/gpu/gpu_seconds: ")


def test_a_list_that_allows_nothing_is_warned_about() -> None:
    block = {"allow_node_classes": [], "allow_models": {"loras": [], "*": ["a"]}}
    first, second = warnings(policy({"tools": FOLLOWED, "gpu": block}))
    assert first.startswith("/gpu/allow_node_classes: ")
    assert second.startswith("/gpu/allow_models/loras: ")


def test_a_sweep_without_runs_is_warned_of() -> None:
    (told,) = warnings(policy({"tools": {"run_sweep": {}, "get_job": {}}}))
    assert told.startswith("run_sweep is allowed but run_workflow is not: each run of a sweep")
    assert warnings(policy({"tools": {"run_*": {}, "get_job": {}}})) == ()
