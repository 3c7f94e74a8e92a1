"""`limits show` says how full everything is, `limits reset` forgets it, and that is on record."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from comfy_mcp.cli import run
from comfy_mcp.oversight.gauge import duration, plain
from comfy_mcp.store.protocol import NewJob
from tests.cli.asking import asked
from tests.cli.states import HOST, counted, edited, records, written
from tests.oversight.asked import question

POLICY = {
    "version": "1",
    "default": "deny",
    "tools": {
        "run_workflow": {"limits": [{"counter": "runs", "window": "hour", "max": 3}]},
        "get_job": {},
    },
    "gpu": {"max_in_flight": 2},
}


def now() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def policy(tmp_path: Path) -> str:
    """A policy with one limit, three runs an hour."""
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(POLICY))
    path.chmod(0o600)
    return str(path)


def show(state: Path, policy: str, *words: str) -> int:
    return run(["limits", "show", "--state", str(state), "--policy", policy, *words])


def shown(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_limit_is_shown_with_what_is_used_and_when_there_is_room(
    tmp_path: Path, policy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    state = counted(tmp_path / "s", amount=3, at_ms=now())

    assert show(state, policy, "--json") == 0

    (limit,) = [one for one in shown(capsys)["limits"] if one["holder"] == "alice"]
    assert 0 < limit.pop("retry_after_s") <= 3600
    assert limit == {
        "counter": "runs",
        "holder": "alice",
        "used": 3,
        "max": 3,
        "window_s": 3600,
        "rule": "/tools/run_workflow/limits/0",
    }


def test_a_person_reads_the_same(
    tmp_path: Path, policy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    state = counted(tmp_path / "s", amount=2, at_ms=now())

    assert show(state, policy) == 0

    lines = capsys.readouterr().out.splitlines()
    (line,) = [line for line in lines if " alice " in line]
    assert line.split() == [
        *("runs", "alice", "2", "3", "hour", "now", "/tools/run_workflow/limits/0")
    ]


def test_accounts_that_no_limit_looks_at_are_shown_too(
    tmp_path: Path, policy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    state = counted(tmp_path / "s", counter="old", at_ms=now())

    assert show(state, policy, "--json") == 0
    assert {"counter": "old", "holder": "alice", "held": 1} in shown(capsys)["other_accounts"]


def test_one_caller_can_be_picked(
    tmp_path: Path, policy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    state = counted(tmp_path / "s", holder="bob", at_ms=now())
    counted(state, holder="alice", at_ms=now())

    assert show(state, policy, "--grant", "bob", "--json") == 0
    assert {one["holder"] for one in shown(capsys)["limits"]} == {"bob"}


def test_unfinished_jobs_and_their_slots_are_shown(
    tmp_path: Path, policy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    job = NewJob("b0c2", "alice", HOST, "txt2img", "sha256:1")
    state = counted(tmp_path / "s", at_ms=now(), job=job)

    assert show(state, policy, "--host", HOST) == 0

    told = capsys.readouterr().out
    assert "alice: 1 of 2 (/gpu/max_in_flight)" in told
    assert "b0c2" in told


def test_freezes_are_shown(tmp_path: Path, policy: str, capsys: pytest.CaptureFixture[str]) -> None:
    state = counted(tmp_path / "s", at_ms=now())
    run(["freeze", "--state", str(state), "--reason", "Dinner."])
    capsys.readouterr()

    assert show(state, policy) == 0
    assert capsys.readouterr().out.startswith("Everybody is frozen since ")


def test_a_clock_that_was_ahead_is_pointed_out(
    tmp_path: Path, policy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    state = written(tmp_path / "s", {}, at_ms=now() + 7_200_000)

    assert show(state, policy) == 0
    assert "ahead of this machine's" in capsys.readouterr().out


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_looking_changes_nothing_and_makes_nothing(
    words: list[str], tmp_path: Path, policy: str
) -> None:
    state = counted(tmp_path / "s", at_ms=now())
    before = records(state)

    assert show(state, policy, *words) == 0
    assert show(tmp_path / "none", policy, *words) == 1

    assert records(state) == before
    assert not (tmp_path / "none").exists()


def test_an_older_state_is_left_as_it_is(
    tmp_path: Path, policy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    state = counted(tmp_path / "s", at_ms=now())
    edited(state, "PRAGMA user_version = 1")

    assert show(state, policy) == 1
    assert "older version" in capsys.readouterr().err


def test_a_reset_frees_the_account_and_is_written_down(
    tmp_path: Path, policy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    state = counted(tmp_path / "s", amount=3, at_ms=now())
    counted(state, holder="bob", at_ms=now())

    words = ["--state", str(state), "--counter", "runs", "--grant", "alice"]
    assert run(["limits", "reset", *words]) == 0

    assert capsys.readouterr().out == "1 row of runs forgotten for alice.\n"
    row = records(state)[-1]
    assert (row["action"], row["counter"], row["grant"]) == ("reset", "runs", "alice")
    assert show(state, policy, "--json") == 0
    used = {one["holder"]: one["used"] for one in shown(capsys)["limits"]}
    assert (used.get("alice", 0), used["bob"]) == (0, 1)


def test_requests_that_wait_are_counted_for_each_caller(
    tmp_path: Path, policy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    state = asked(tmp_path / "asked", question(1), question(2))

    assert show(state, policy) == 0
    told = capsys.readouterr().out
    assert show(state, policy, "--json") == 0
    found = shown(capsys)

    assert "ci-bot: 2 requests wait for a person, of 5 that may." in told
    assert found["waiting_requests"] == [{"grant": "ci-bot", "waiting": 2, "max": 5}]


def test_everything_can_be_reset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = counted(tmp_path / "s", at_ms=now())
    counted(state, counter="other", holder="bob", at_ms=now())

    assert run(["limits", "reset", "--state", str(state), "--all"]) == 0
    assert capsys.readouterr().out == "2 rows of every counter forgotten for everybody.\n"


def test_a_counter_that_nobody_has_is_told_with_those_there_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = counted(tmp_path / "s", at_ms=now())

    assert run(["limits", "reset", "--state", str(state), "--counter", "rnus"]) == 0

    told = capsys.readouterr().out
    assert told.startswith("0 rows of rnus")
    assert "Counters that hold something: runs." in told


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [
        (0, "0 s"),
        (1, "1 s"),
        (59_001, "1 min 0 s"),
        (185_000, "3 min 5 s"),
        (93_780_000, "26 h 3 min"),
    ],
)
def test_a_duration_never_promises_too_much(milliseconds: int, words: str) -> None:
    assert duration(milliseconds) == words


def test_amounts_have_no_needless_zeros() -> None:
    assert [plain(n) for n in (0, 1, 1_500_000, 12_000_000)] == ["0", "0.000001", "1.5", "12"]
