"""What an agent may do is told in words that agree with the decision."""

from __future__ import annotations

import json
from typing import Any

from comfy_mcp.cli.powers import Power, powers
from comfy_mcp.guard.catalog import TOOLS
from comfy_mcp.guard.loading import load, parse


def under(**policy: Any) -> dict[str, Power]:
    loaded = parse(json.dumps({"version": "1", **policy}), "test")
    return {power.tool: power for power in powers(loaded.policy, "alice")}


def test_the_built_in_policy_allows_every_tool_within_limits() -> None:
    found = powers(load(()).policy, "alice")

    assert [power.tool for power in found] == list(TOOLS)
    assert all(power.listed and power.words.startswith("allowed") for power in found)
    assert "10 times per minute; at most 4 unfinished jobs" in found[0].words


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


def test_an_approval_that_cannot_be_asked_for_is_no_permission() -> None:
    power = under(tools={"run_workflow": {"action": "require_approval"}})["run_workflow"]

    assert power.words.startswith("refused: ")
    assert "cannot ask a person" in power.words


def test_destructive_tools_say_that_they_are_for_own_jobs() -> None:
    found = under(tools={"cancel_job": {"rate_limit": "2/minute"}})

    assert found["cancel_job"].words == (
        "allowed; own jobs only; cancel_job may be called 2 times per minute"
    )
