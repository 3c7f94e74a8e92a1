"""`policy test` runs calls through the real gate, and a wrong expectation is always told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from comfy_mcp.cli import run

CARD: dict[str, Any] = {"tool": "run_workflow", "args": {"workflow": "color_card"}}
LOOK: dict[str, Any] = {"tool": "get_job", "args": {"prompt_id": "b0c2"}}
STOP: dict[str, Any] = {"tool": "cancel_job", "args": {"prompt_id": "b0c2"}}
ALLOW: dict[str, Any] = {"expect": "allow"}


class Bench:
    """A folder with a policy and its tests."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys
        self.policy(tools={"run_workflow": {}, "get_job": {}, "cancel_job": {}})

    def policy(self, **policy: Any) -> None:
        """Write the policy."""
        path = self.folder / "policy.json"
        path.write_text(json.dumps({"version": "1", "default": "deny", **policy}))
        path.chmod(0o600)

    def try_calls(self, *calls: dict[str, Any]) -> tuple[int, str]:
        """Run one test; exit status and what is printed."""
        return self.try_tests({"name": "a test", "calls": list(calls)})

    def try_tests(self, *tests: dict[str, Any], words: tuple[str, ...] = ()) -> tuple[int, str]:
        """Run tests; exit status and what is printed."""
        path = self.folder / "cases.json"
        path.write_text(json.dumps({"policy": "policy.json", "tests": list(tests)}))
        status = run(["policy", "test", str(path), *words])
        told = self._capsys.readouterr()
        return status, told.out + told.err


@pytest.fixture
def bench(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Bench:
    """A policy that allows three tools without limits."""
    return Bench(tmp_path, capsys)


def test_what_goes_as_expected_passes(bench: Bench) -> None:
    status, told = bench.try_calls({**CARD, **ALLOW}, {**LOOK, **ALLOW, "code": "allowed"})

    assert status == 0
    assert told.startswith("ok    a test\n")
    assert told.endswith("cases.json: 1 of 1 passed.\n")


def test_a_failure_is_told_with_the_decisions_reason_and_rule(bench: Bench) -> None:
    rule = {"action": "deny", "reason": "The GPU is rented out."}
    bench.policy(tools={"run_workflow": rule, "get_job": {}})

    status, told = bench.try_calls({**LOOK, **ALLOW}, {**CARD, **ALLOW})

    assert status == 1
    assert told.splitlines()[:3] == [
        "FAIL  a test",
        "      call 2, run_workflow: expected allow, got deny",
        "        denied, rule /tools/run_workflow: The GPU is rented out.",
    ]
    assert "0 of 1 passed, 1 failed." in told


@pytest.mark.parametrize(
    ("key", "value"),
    [("expect", "deny"), ("code", "denied"), ("rule", "/tools/get_job"), ("retry_after_s", 3)],
)
def test_every_expectation_can_fail(key: str, value: object, bench: Bench) -> None:
    status, told = bench.try_calls({**CARD, **ALLOW, key: value})

    assert status == 1
    assert f"expected {value}" in told


def test_the_clock_stands_until_a_call_moves_it(bench: Bench) -> None:
    bench.policy(tools={"get_job": {"rate_limit": "2/minute"}})

    status, told = bench.try_calls(
        {**LOOK, **ALLOW, "times": 2},
        {**LOOK, "expect": "deny", "code": "rate_limited", "retry_after_s": 60},
        {**LOOK, "after": 59.999, "expect": "deny", "retry_after_s": 0.001},
        {**LOOK, "after": 0.001, **ALLOW},
    )

    assert status == 0, told


def test_each_of_many_calls_has_to_be_as_expected(bench: Bench) -> None:
    bench.policy(tools={"get_job": {"rate_limit": "2/minute"}})

    status, told = bench.try_calls({**LOOK, **ALLOW, "times": 5})

    assert status == 1
    assert "(time 3 of 5)" in told


def test_every_test_has_a_state_of_its_own(bench: Bench) -> None:
    bench.policy(tools={"get_job": {"rate_limit": "1/day"}})

    status, _ = bench.try_tests({"name": "one", **LOOK, **ALLOW}, {"name": "two", **LOOK, **ALLOW})

    assert status == 0


def test_a_time_sets_clock_and_zone(bench: Bench) -> None:
    late = {"path": "time.hour", "op": "gte", "value": 22}
    bench.policy(tools={"get_job": {"deny_if": [late]}})

    status, told = bench.try_calls(
        {**LOOK, "at": "2026-03-01T21:59:59+09:00", **ALLOW},
        {**LOOK, "after": 1, "expect": "deny", "code": "deny_if"},
        {**LOOK, "at": "2026-03-01T14:00:00Z", **ALLOW},
    )

    assert status == 0, told


def test_time_never_goes_back(bench: Bench) -> None:
    status, told = bench.try_calls({**LOOK, "at": "2000-01-01T00:00:00Z", **ALLOW})

    assert status == 1
    assert "time only goes on" in told


def test_a_job_holds_its_slot_until_it_ends(bench: Bench) -> None:
    bench.policy(tools={"run_workflow": {}}, gpu={"max_in_flight": 1})

    status, told = bench.try_calls(
        {**CARD, "job_seconds": 20, **ALLOW},
        {**CARD, "after": 19, "expect": "deny", "code": "in_flight"},
        {**CARD, "after": 1, **ALLOW},
        {**CARD, "after": 1_000_000, "expect": "deny", "code": "in_flight"},
    )

    assert status == 0, told


def test_a_job_that_is_too_long_is_stopped_by_the_policy(bench: Bench) -> None:
    bench.policy(tools={"run_workflow": {}}, gpu={"max_in_flight": 1, "max_seconds_per_job": 10})

    status, told = bench.try_calls(
        {**CARD, "job_seconds": 1_000, **ALLOW}, {**CARD, "after": 10, **ALLOW}
    )

    assert status == 0, told


def test_gpu_time_is_settled_when_the_job_ends(bench: Bench) -> None:
    budget = [{"window": "hour", "max": 100}]
    bench.policy(tools={"run_workflow": {}}, gpu={"gpu_seconds": budget, "max_seconds_per_job": 60})

    status, told = bench.try_calls(
        {**CARD, "job_seconds": 10, **ALLOW},
        {**CARD, "expect": "deny", "code": "budget_exhausted"},
        {**CARD, "after": 10, "job_seconds": 50, **ALLOW},
        {**CARD, "after": 60, "expect": "deny", "code": "budget_exhausted"},
    )

    assert status == 0, told


def test_numbers_can_be_given_in_place_of_measured_ones(bench: Bench) -> None:
    bench.policy(tools={"run_workflow": {}}, gpu={"max_steps": 50})

    status, told = bench.try_calls(
        {**CARD, **ALLOW},
        {**CARD, "facts": {"steps": 51}, "expect": "deny", "rule": "/gpu/max_steps"},
    )

    assert status == 0, told


def test_the_queue_is_what_the_test_says_or_its_own_jobs(bench: Bench) -> None:
    bench.policy(tools={"run_workflow": {}}, gpu={"max_queue_depth": 1})

    status, told = bench.try_calls(
        {**CARD, "queue_depth": 9, "expect": "deny", "code": "queue_full"},
        {**CARD, **ALLOW},
        {**CARD, "expect": "deny", "code": "queue_full"},
    )

    assert status == 0, told


def test_partner_nodes_are_those_that_the_test_names(bench: Bench) -> None:
    nodes = {"1": {"class_type": "VeoNode", "inputs": {}}}
    graph = {"tool": "run_workflow", "args": {"workflow": nodes}}
    bench.policy(tools={"run_workflow": {}})

    status, told = bench.try_calls(
        {**graph, "partner_nodes": ["VeoNode"], "expect": "deny", "code": "api_node"},
        {**graph, "partner_nodes": [], **ALLOW},
    )

    assert status == 0, told


def test_owners_and_callers_are_those_of_the_call(bench: Bench) -> None:
    bench.policy(tools={"cancel_job": {}}, grants={"ann": {}})

    status, told = bench.try_calls(
        {**STOP, "grant": "ann", **ALLOW},
        {**STOP, "grant": "ann", "owner": "human", "expect": "deny", "code": "not_owner"},
        {**STOP, "grant": "eve", "expect": "deny", "code": "no_grant"},
    )

    assert status == 0, told


def test_hidden_and_unknown_tools_are_not_listed(bench: Bench) -> None:
    bench.policy(tools={"get_job": {}, "cancel_job": {}}, hide=["cancel_*"])

    status, told = bench.try_calls(
        {**STOP, "expect": "deny", "code": "not_listed", "rule": "/hide/0"},
        {"tool": "rm", "expect": "deny", "code": "not_listed"},
    )

    assert status == 0, told


def test_an_approval_is_an_effect_of_its_own(bench: Bench) -> None:
    bench.policy(tools={"run_workflow": {"action": "require_approval"}})

    assert bench.try_calls({**CARD, "expect": "require_approval"})[0] == 0
    assert bench.try_calls({**CARD, "expect": "deny"})[0] == 1


def test_every_rule_that_asks_a_person_is_met_by_the_same_call(bench: Bench) -> None:
    bench.policy(
        tools={"run_workflow": {"require_approval": True}},
        classes={"execute": {"require_approval": {"reason": "Execute asks, too."}}},
    )

    status, told = bench.try_calls({**CARD, "expect": "require_approval"})

    assert (status, "note:" in told) == (0, False), told


def test_a_workflow_that_cannot_be_sent_is_no_decision(bench: Bench) -> None:
    status, told = bench.try_calls(
        {"tool": "run_workflow", "args": {"workflow": "no_such"}, "expect": "deny"}
    )

    assert status == 1
    assert "cannot be sent, whatever the policy says" in told


def test_rules_that_no_test_meets_are_noted_and_are_no_failure(bench: Bench) -> None:
    bench.policy(
        tools={"get_job": {"rate_limit": "9/minute"}, "run_workflow": {}},
        gpu={"max_steps": 50, "max_in_flight": 2},
        hide=["cancel_job"],
    )

    status, told = bench.try_calls({**LOOK, **ALLOW})

    noted = [line.strip() for line in told.splitlines() if line.startswith("      /")]
    assert status == 0
    assert noted == ["/hide/0", "/tools/run_workflow", "/gpu/max_steps", "/gpu/max_in_flight"]


def test_what_shapes_or_ends_a_job_is_met_without_a_refusal(bench: Bench) -> None:
    bench.policy(tools={"run_workflow": {}}, gpu={"output_prefix": "x/", "max_seconds_per_job": 9})

    status, told = bench.try_calls({**CARD, **ALLOW})

    assert (status, "note:" in told) == (0, False)


def test_without_a_policy_the_built_in_one_is_tested(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = tmp_path / "cases.json"
    cases.write_text(json.dumps({"tests": [{"name": "one", **CARD, **ALLOW}]}))

    assert run(["policy", "test", str(cases)]) == 0, capsys.readouterr().out


def test_programs_read_json(bench: Bench) -> None:
    status, told = bench.try_tests(
        {"name": "good", **LOOK, **ALLOW},
        {"name": "bad", **LOOK, "expect": "deny"},
        words=("--json",),
    )

    (report,) = json.loads(told)
    assert status == 1
    assert (report["passed"], report["failed"]) == (1, 1)
    assert [one["passed"] for one in report["tests"]] == [True, False]


def test_a_file_or_policy_that_cannot_be_used_is_misuse(bench: Bench) -> None:
    bench.policy(tols={})
    assert bench.try_calls({**LOOK, **ALLOW})[0] == 2

    status, told = bench.try_calls({**LOOK, "expects": "allow"})
    assert status == 2
    assert 'Did you mean "expect"?' in told


def test_nothing_of_the_callers_own_is_used(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COMFY_MCP_STATE", str(tmp_path / "mine"))
    monkeypatch.setenv("COMFYUI_HOST", "ftp://nonsense")

    assert bench.try_calls({**CARD, **ALLOW})[0] == 0
    assert not (tmp_path / "mine").exists()


def test_a_sweep_is_let_in_as_a_whole_and_its_jobs_end_one_by_one(bench: Bench) -> None:
    tools = {"run_workflow": {"rate_limit": "9/hour"}, "run_sweep": {}, "get_job": {}}
    bench.policy(tools=tools, gpu={"max_in_flight": 3, "max_width": 1000})

    def sweep(*widths: int) -> dict[str, Any]:
        args = {"workflow": "color_card", "axes": {"width": list(widths)}}
        return {"tool": "run_sweep", "args": args, "job_seconds": 10}

    told = bench.try_calls(
        {**sweep(64, 128, 256), **ALLOW, "rule": "/tools/run_sweep"},
        {"after": 9, **sweep(64), "expect": "deny", "code": "in_flight"},
        {"after": 1, **sweep(64, 2000), "expect": "deny", "rule": "/gpu/max_width"},
        {**sweep(64, 128, 256), **ALLOW},
        {"after": 10, **sweep(64, 128, 256), **ALLOW},
        {"after": 10, **sweep(64), "expect": "deny", "code": "rate_limited"},
    )
    assert told[0] == 0, told[1]


def test_a_sweep_meets_the_rules_of_its_runs_and_its_own(bench: Bench) -> None:
    bench.policy(
        tools={
            "run_workflow": {"limits": [{"counter": "a", "window": "hour", "max": 9}]},
            "run_sweep": {"limits": [{"counter": "b", "window": "hour", "max": 9}]},
            "get_job": {},
        }
    )
    args = {"workflow": "color_card", "axes": [{}, {}]}
    status, told = bench.try_calls({"tool": "run_sweep", "args": args, **ALLOW})
    assert status == 0
    assert "/tools/get_job" in told
    assert "/tools/run_" not in told


def test_a_sweep_of_nothing_is_no_decision(bench: Bench) -> None:
    bench.policy(tools={"run_workflow": {}, "run_sweep": {}, "get_job": {}})
    args = {"workflow": "color_card", "axes": {"width": []}}
    status, told = bench.try_calls({"tool": "run_sweep", "args": args, **ALLOW})
    assert status == 1
    assert "the workflow cannot be sent" in told
