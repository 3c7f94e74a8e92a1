"""`approvals approve` and `deny`: a person's word from the terminal."""

from __future__ import annotations

import json
import re
import shlex
from contextlib import chdir
from pathlib import Path

import pytest

from comfy_mcp.cli import run
from comfy_mcp.cli.approvals_approve import value_of
from comfy_mcp.oversight.state import user
from tests.cli.asking import ONE, asked, standing
from tests.oversight.asked import HOUR, NASTY, policy_file, question, run_request


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state in which a run waits, under a policy."""
    return asked(tmp_path / "s", run_request(policy_file(tmp_path)))


def approve(state: Path, *words: str) -> int:
    return run(["approvals", "approve", "--state", str(state), *words])


def deny(state: Path, *words: str) -> int:
    return run(["approvals", "deny", "--state", str(state), *words])


def test_a_yes_is_the_word_of_this_account(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert approve(state, ONE, "--reason", "Go on.") == 0

    row = standing(state)
    assert (row.status, row.reason) == ("approved", "Go on.")
    assert row.by == {"channel": "terminal", "user": user(), "assurance": "operator"}
    what, said = capsys.readouterr().out.splitlines()
    assert what.startswith(f"{ONE}, ci-bot: run txt2img: 50 steps")
    assert said.startswith("Approved, for one run_workflow until ")


def test_what_was_changed_is_printed(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--set", "steps=20", "--set", "prompt=a=b\x1b[2J\nc", "--set", 'negative_prompt="7"']

    assert approve(state, ONE, *words) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{ONE}, ci-bot: run txt2img: 20 steps")
    assert sorted(lines[1:4]) == [
        '  negative_prompt: "" -> "7"',
        '  prompt: "a red fox" -> "a=b[2J c" (1 invisible left out)',
        "  steps: 50 -> 20",
    ]
    assert standing(state).payload["graph"]["2"]["inputs"]["text"] == "a=b\x1b[2J\nc"


def test_the_example_of_the_docs_works_on_the_shipped_workflow(state: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "approvals.md").read_text(encoding="utf-8")
    (words,) = re.findall(r"^`approve ID (--set steps=[^`]*)`", page, re.MULTILINE)
    (more,) = re.findall(r"^\(`(--set \d+\.[^`]*)`\)", page, re.MULTILINE)

    assert approve(state, ONE, *words.split(), *more.split()) == 0

    assert standing(state).changes == {
        "steps": [50, 20],
        "width": [2048, 1024],
        "5.denoise": [1.0, 0.8],
    }


def test_a_change_that_changes_nothing_is_said_so(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert approve(state, ONE, "--set", "steps=50") == 0
    assert "Nothing differs from what was asked." in capsys.readouterr().out


def test_what_the_policy_denies_is_not_decided(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert approve(state, ONE, "--set", "steps=100") == 1

    told = capsys.readouterr()
    assert told.out == ""
    assert "the policy denies the run with these values (gpu_limit, " in told.err
    assert standing(state).status == "pending"


def test_another_policy_can_be_named(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "more").mkdir()
    other = policy_file(tmp_path / "more", description="another")

    assert approve(state, ONE, "--policy", str(other)) == 1
    assert "the policy is not the one" in capsys.readouterr().err
    assert approve(state, ONE, "--policy", str(tmp_path / "policy.json")) == 0


def test_a_no_is_remembered(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert deny(state, ONE, "--reason", "Not now.") == 0

    told = capsys.readouterr().out
    assert "the same call is refused without asking again until" in told
    assert deny(state, ONE) == 1
    assert "it was denied by " in capsys.readouterr().err
    assert standing(state).reason == "Not now."


def test_a_no_is_taken_back_by_the_command_that_it_names(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert deny(state, ONE) == 0
    words = shlex.split(capsys.readouterr().out.splitlines()[-1].partition(": ")[2])

    assert run(words[words.index("approvals") :]) == 0

    assert f"It takes back the no said by {user()} (terminal)." in capsys.readouterr().out
    assert standing(state).status == "approved"


def test_a_yes_with_values_can_be_corrected(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert approve(state, ONE, "--set", "steps=20", "--set", "cfg=5") == 0
    assert f"approvals deny {ONE}" in capsys.readouterr().out

    assert deny(state, ONE) == 0
    assert approve(state, ONE, "--set", "steps=30") == 0

    row = standing(state)
    assert row.payload["graph"]["5"]["inputs"]["steps"] == 30
    # Told against what the agent asked for, and the first change is not forgotten.
    assert row.changes == {"steps": [50, 30], "cfg": [7.0, 5]}


def test_too_late_is_too_late(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = asked(tmp_path / "s", question(1), ago_ms=HOUR)

    assert [approve(state, ONE), deny(state, ONE)] == [1, 1]

    assert capsys.readouterr().err.count("Nothing was decided: it expired ") == 2


def test_an_id_that_is_none_moves_no_cursor(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert approve(state, NASTY * 50) == 1

    told = capsys.readouterr().err
    assert "\x1b" not in told
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize(
    "words",
    [
        [],
        [""],
        [ONE, "--set", "steps"],
        [ONE, "--set", "=5"],
        [ONE, "--set", "steps=5", "--set", "steps=6"],
        [ONE, "--policy", ""],
        [ONE, "two"],
    ],
)
def test_misuse_decides_nothing(words: list[str], state: Path) -> None:
    assert approve(state, *words) == 2
    assert standing(state).status == "pending"


def test_a_relative_state_counts_from_where_one_is(state: Path) -> None:
    with chdir(state.parent):
        assert run(["approvals", "deny", ONE, "--state", f"./{state.name}"]) == 0

    assert standing(state).status == "denied"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("20", 20),
        ("7.5", 7.5),
        ("true", True),
        ("null", None),
        ('"20"', "20"),
        ('{"a": [1]}', {"a": [1]}),
        ("a red fox", "a red fox"),
        ("", ""),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
        ("'x'", "'x'"),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_a_value_is_json_or_else_text(text: str, value: object) -> None:
    assert value_of(text) == value


def test_a_question_is_answered_with_another_context(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = asked(tmp_path / "s", question(1))

    assert approve(state, ONE, "--set", 'drafts={"only": ["a"]}') == 0

    assert json.loads(json.dumps(standing(state).payload["context"]["drafts"])) == {"only": ["a"]}
    assert 'drafts: 12 -> {"only": ["a"]}' in capsys.readouterr().out
