"""A file of tests is read strictly: every fault at once, each with its place and the fix."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from comfy_mcp.cli.times import read as moment
from comfy_mcp.cli.trials import Step, Suite, read
from comfy_mcp.errors import ConfigError

CALL: dict[str, Any] = {"tool": "get_job", "args": {"prompt_id": "b0c2"}, "expect": "allow"}


def suite(folder: Path, value: object) -> Suite:
    path = folder / "cases.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return read(path)


def faults(folder: Path, value: object) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        suite(folder, value)
    return [str(fault) for fault in caught.value.faults]


def step(folder: Path, **more: Any) -> Step:
    (trial,) = suite(folder, {"tests": [{"name": "one", **CALL, **more}]}).trials
    return trial.steps[0]


def test_one_call_is_a_test(tmp_path: Path) -> None:
    found = suite(tmp_path, {"tests": [{"name": "one", **CALL}]})

    assert found.policies == ()
    assert found.trials[0].name == "one"
    assert found.trials[0].steps == (
        Step("get_job", {"prompt_id": "b0c2", "wait_seconds": 0}, {"expect": "allow"}),
    )


def test_what_a_test_says_counts_for_all_its_calls(tmp_path: Path) -> None:
    test = {"name": "two", "grant": "bob", "calls": [CALL, {**CALL, "grant": "ann"}]}
    (trial,) = suite(tmp_path, {"tests": [test]}).trials

    assert [one.grant for one in trial.steps] == ["bob", "ann"]


def test_policies_are_found_beside_the_file(tmp_path: Path) -> None:
    one = suite(tmp_path, {"policy": "p.json", "tests": [{"name": "one", **CALL}]})
    two = suite(tmp_path, {"policy": ["p.json", "../q.json"], "tests": [{"name": "one", **CALL}]})

    assert one.policies == (tmp_path / "p.json",)
    assert two.policies == (tmp_path / "p.json", tmp_path / "../q.json")


def test_every_key_of_a_call_is_read(tmp_path: Path) -> None:
    found = step(
        tmp_path,
        tool="run_workflow",
        args={"workflow": "color_card"},
        owner="other",
        at="2026-01-01T00:00:00+02:00",
        times=3,
        queue_depth=4,
        facts={"steps": 80, "megapixels": 2.5},
        partner_nodes=["VeoNode"],
        job_seconds=1.5,
        code="allowed",
        rule="/tools/run_workflow",
        retry_after_s=2,
    )

    assert found.args["params"] == {}
    assert (found.owner, found.times, found.queue_depth) == ("other agent", 3, 4)
    assert found.at == moment("2026-01-01T00:00:00+02:00")
    assert found.facts == {"steps": 80, "megapixels": 2.5}
    assert (found.partner_nodes, found.job_ms) == (("VeoNode",), 1_500)
    assert found.expected == {
        "expect": "allow",
        "code": "allowed",
        "rule": "/tools/run_workflow",
        "retry_after_s": 2,
    }
    assert step(tmp_path, after=0.25).after_ms == 250


def test_an_unknown_key_is_told_with_the_nearest_one(tmp_path: Path) -> None:
    value = {"polcy": "p", "tests": [{"name": "one", **CALL, "expects": "allow"}]}

    assert faults(tmp_path, value) == [
        '/polcy: unknown key "polcy". Fix: Did you mean "policy"?',
        '/tests/0/expects: unknown key "expects". Fix: Did you mean "expect"?',
    ]


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    tests: list[object] = [
        3,
        {"tool": "get_job", "expect": "maybe"},
        {"name": "x", "calls": []},
        {"name": "y", "calls": [7, {**CALL, "args": {"id": "b"}}]},
        {"name": "z", **CALL, "at": "noon", "after": 3},
    ]
    found = faults(tmp_path, {"tests": tests})

    assert [line.split(":")[0] for line in found] == [
        "/tests/0",
        "/tests/1/name",
        "/tests/1/expect",
        "/tests/2/calls",
        "/tests/3/calls/0",
        "/tests/3/calls/1/args/id",
        "/tests/3/calls/1/args/prompt_id",
        "/tests/4/at",
        "/tests/4/after",
    ]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("args", []),
        ("owner", "nobody"),
        ("at", "2026-01-01"),
        ("after", -1),
        ("after", True),
        ("times", 0),
        ("times", 1.5),
        ("queue_depth", None),
        ("facts", {"stepps": 3}),
        ("facts", {"steps": "many"}),
        ("partner_nodes", "VeoNode"),
        ("job_seconds", "long"),
        ("expect", "maybe"),
        ("code", 3),
        ("retry_after_s", None),
    ],
)
def test_a_value_that_does_not_fit_is_a_fault(key: str, value: object, tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, {"tests": [{"name": "one", **CALL, key: value}]})

    assert fault.startswith(f"/tests/0/{key}: ")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is no JSON"),
        ('{"tests": [], "tests": []}', "stands twice"),
        ("[" * 100_000, "is no JSON"),
        ("[]", "a file of tests is a JSON object"),
        ("{}", "at least one test"),
        ('{"policy": [], "tests": [{}]}', "/policy"),
    ],
    ids=["empty", "twice", "deep", "list", "no tests", "no policy"],
)
def test_what_is_no_file_of_tests_is_refused(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=words):
        suite(tmp_path, text)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read(tmp_path / "none.json")
