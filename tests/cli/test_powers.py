"""What an agent may do is told in words that agree with the decision."""

from __future__ import annotations

import json
from typing import Any

from comfy_mcp.cli.powers import Caller, Power, callers, powers
from comfy_mcp.guard.catalog import TOOLS
from comfy_mcp.guard.loading import load, parse

NOW = 1_800_000_000_000


def known(**policy: Any) -> dict[str, Caller]:
    loaded = parse(json.dumps({"version": "1", **policy}), "test")
    return {caller.name: caller for caller in callers(loaded.policy, "local", NOW)}


def under(**policy: Any) -> dict[str, Power]:
    loaded = parse(json.dumps({"version": "1", **policy}), "test")
    return {power.tool: power for power in powers(loaded.policy, "alice", NOW)}


def test_the_built_in_policy_allows_every_tool_but_one_within_limits() -> None:
    found = powers(load(()).policy, "alice", NOW)

    assert [power.tool for power in found] == list(TOOLS)
    allowed = {one.tool for one in found if one.listed and one.words.startswith("allowed")}
    assert allowed == set(TOOLS) - {"free_memory"}
    assert "10 times per minute; at most 4 unfinished jobs" in found[0].words


def test_a_sweep_says_that_its_runs_count_as_runs() -> None:
    words = under(tools={"run_workflow": {}, "run_sweep": {"rate_limit": "2/hour"}})
    assert "2 times per hour" in words["run_sweep"].words
    assert "each of its runs is judged and counted as run_workflow, too" in words["run_sweep"].words
    assert "each of its runs" not in words["run_workflow"].words


def test_what_reads_outputs_says_whose() -> None:
    found = under(tools={"*": {}})
    for tool in ("view_output", "get_provenance", "export_output", "cancel_job"):
        assert found[tool].words.startswith("allowed; own jobs only")
    assert found["upload_input"].words == "allowed; of outputs only those of own jobs"
    assert under(tools={"*": {}}, gpu={"ownership": "any"})["upload_input"].words == "allowed"


def test_what_is_not_listed_is_denied_by_default() -> None:
    power = under(tools={"get_job": {}})["run_workflow"]

    assert not power.listed
    assert power.words.startswith("denied by /default: ")


def test_a_denial_gives_its_rule_and_the_owners_reason() -> None:
    rule = {"action": "deny", "reason": "The GPU is rented out."}
    power = under(tools={"run_workflow": rule})["run_workflow"]

    assert power.listed
    assert power.words == "denied by /tools/run_workflow: The GPU is rented out."


def test_a_hidden_tool_says_where_it_is_hidden() -> None:
    power = under(tools={"get_job": {}}, hide=["get_*"])["get_job"]

    assert not power.listed
    assert power.words == "hidden by /hide/0: it seems not to exist"


def test_what_needs_a_person_says_where_and_how_long_and_is_limited_all_the_same() -> None:
    rule = {"action": "require_approval", "rate_limit": "2/minute", "reason": "Ask Ada."}
    power = under(tools={"run_workflow": rule}, approvals={"expires": 600})["run_workflow"]

    assert power.words == (
        "only after a person's yes, on the terminal or the console's page, within 10 min 0 s: Ask"
        " Ada; run_workflow may be called 2 times per minute;"
        " some need a person (/tools/run_workflow/action)"
    )


def test_destructive_tools_say_that_they_are_for_own_jobs() -> None:
    found = under(tools={"cancel_job": {"rate_limit": "2/minute"}})

    assert found["cancel_job"].words == (
        "allowed; own jobs only; cancel_job may be called 2 times per minute"
    )


def test_clear_queue_is_for_own_jobs_whatever_the_policy_says_of_others() -> None:
    found = under(tools={"clear_queue": {}, "cancel_job": {}}, gpu={"ownership": "any"})

    assert found["clear_queue"].words == "allowed; own jobs only"
    assert found["cancel_job"].words == "allowed"


def test_without_grants_only_the_caller_of_the_server_is_told() -> None:
    assert list(known(tools={"get_job": {}})) == ["local"]


def test_every_caller_that_the_policy_names_is_told_with_what_it_says() -> None:
    found = known(
        tools={"get_job": {}},
        grants={
            "ann": {"match": {"stdio": "anns-agent"}, "description": "Ann's.", "tags": ["staff"]},
            "bob": {"revoked": True},
            "eve": {"expires_at": "2020-01-01T00:00:00Z"},
        },
    )

    assert {name: caller.known for name, caller in found.items()} == {
        "local": False,
        "anns-agent": True,
        "bob": False,
        "eve": False,
    }
    assert "does not know it (no_grant)" in found["local"].words
    assert found["anns-agent"].words == "Grant ann (/grants/ann). Ann's. Tags: staff."
    assert "It is revoked. Every call is refused (no_grant)." in found["bob"].words
    assert "It ended on 2020-01-01 00:00 UTC." in found["eve"].words


def test_a_run_says_what_it_has_to_fit_into() -> None:
    found = under(
        tools={"run_workflow": {}, "get_job": {}},
        gpu={
            "max_steps": 60,
            "max_megapixels": 4.2,
            "max_queue_depth": 9,
            "max_in_flight": 1,
            "max_seconds_per_job": 90,
            "output_prefix": "agents/{grant}/",
        },
    )

    assert found["run_workflow"].words == (
        "allowed; at most steps 60, megapixels 4.2; while ComfyUI has fewer than 9 jobs;"
        " at most 1 unfinished job; at most 90 s for each; saved below agents/alice/"
    )
    assert found["get_job"].words == "allowed"


def test_rules_about_what_a_call_says_are_named() -> None:
    named = {"path": "args.workflow", "op": "eq", "value": "txt2img", "name": "known workflows"}
    late = {"path": "time.hour", "op": "gte", "value": 22}
    large = {"path": "graph.megapixels", "op": "gt", "value": 2}
    rule = {"require": [named], "deny_if": [late], "require_approval": {"when": [large]}}
    found = under(tools={"run_workflow": rule, "get_job": {}})

    assert found["run_workflow"].words == (
        "allowed; only if: known workflows; not if: /tools/run_workflow/deny_if/0;"
        " some need a person (/tools/run_workflow/require_approval)"
    )


def test_jobs_of_others_are_left_alone_unless_the_policy_says_otherwise() -> None:
    found = under(tools={"cancel_job": {}}, gpu={"ownership": "any"})

    assert found["cancel_job"].words == "allowed"
