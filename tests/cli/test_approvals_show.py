"""`approvals ls` and `show` tell what waits; no word of an agent is taken for one of ours."""

from __future__ import annotations

import json
import re
import shlex
import unicodedata
from pathlib import Path

import pytest

from comfy_mcp.cli import run
from tests.cli.asking import ONE, TWO, asked, standing
from tests.oversight.asked import (
    HOUR,
    LONG,
    NASTY,
    inline_request,
    policy_file,
    question,
    run_request,
    stop_request,
)

UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}

NASTY_REQUESTS = [
    run_request(prompt=NASTY, negative_prompt=LONG),
    question(1, NASTY + LONG, **{NASTY: NASTY, "deep": {"a": {"b": [NASTY]}}}),
    stop_request(grant=NASTY, workflow=NASTY, owner=NASTY, status=NASTY, prompt_id=NASTY),
    inline_request(
        {"1": {"class_type": "A\u202eB [bold]", "inputs": {"\u200btext": NASTY, "n": 1}}},
        inputs=[{"name": NASTY, "sha256": NASTY, "why": NASTY}],
        models={NASTY: [NASTY] * 50},
        title=NASTY,
    ),
]


def command(state: Path, *words: str) -> int:
    return run(["approvals", *words, "--state", str(state)])


def test_what_waits_is_listed_newest_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = asked(tmp_path / "s", run_request(number=1), stop_request(2))

    assert command(state, "ls") == 0

    heading, second, first, _, hint = capsys.readouterr().out.splitlines()
    assert heading.split() == ["id", "status", "from", "what"]
    assert second.split()[0] == TWO
    assert "ci-bot  interrupt_execution: job 11112222 of ANOTHER agent (bob)" in second
    assert first.split()[:2] == [ONE, "pending,"]
    assert first.endswith("run txt2img: 50 steps, 4.19 megapixels, about 39 s of GPU time")
    assert shlex.split(hint)[-5:] == ["approvals", "show", TWO, "--state", str(state)]


def test_an_empty_list_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = asked(tmp_path / "s", question(1), ago_ms=2 * HOUR)

    assert command(state, "ls") == 0
    assert capsys.readouterr().out == "Nothing waits for you.\n"
    assert command(state, "ls", "--all") == 0
    assert "expired" in capsys.readouterr().out
    assert command(state, "ls", "--all", "--grant", "bob") == 0
    assert capsys.readouterr().out == "Nobody asked for anything.\n"


def test_programs_read_a_list_of_everything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = asked(tmp_path / "s", run_request(number=1), question(2, NASTY))

    assert command(state, "ls", "--json", "--grant", "ci-bot") == 0

    rows = json.loads(capsys.readouterr().out)["approvals"]
    assert [row["approval_id"] for row in rows] == [TWO, ONE]
    assert rows[1]["agent_words"]["values"][0]["name"]


def test_one_is_shown_with_its_facts_and_how_to_decide_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = policy_file(tmp_path)
    state = asked(tmp_path / "s", run_request(policy))

    assert command(state, "show", ONE) == 0

    shown = capsys.readouterr().out
    facts, _, words = shown.partition("\nIn the agent's own words ")
    assert "because of  /tools/run_workflow/require_approval: More than two megapixels." in facts
    assert "size        2048 x 2048 pixels, 4.19 megapixels" in facts
    assert "a red fox" not in facts
    assert re.search(r'^  > prompt +"a red fox"$', words, re.MULTILINE)
    assert re.search(r"^  > cfg +7\.0  \(default\)$", words, re.MULTILINE)
    assert "\nDecide: run txt2img: 50 steps" in words


def test_the_commands_that_are_shown_decide(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = asked(tmp_path / "its state", question(1), question(2))

    for name, word, status in ((ONE, "yes:", "approved"), (TWO, "no:", "denied")):
        assert command(state, "show", name) == 0
        (line,) = [
            one for one in capsys.readouterr().out.splitlines() if one.strip().startswith(word)
        ]
        words = shlex.split(line)
        assert run(words[words.index("approvals") :]) == 0
        assert standing(state, name).status == status


def test_what_is_decided_is_shown_without_asking_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = asked(tmp_path / "s", run_request(policy_file(tmp_path)))
    assert command(state, "approve", ONE, "--reason", "Go on.", "--set", "steps=20") == 0
    capsys.readouterr()

    assert command(state, "show", ONE) == 0

    shown = capsys.readouterr().out
    assert "reason      Go on." in shown
    assert "changed     steps: 50 -> 20" in shown
    assert "> steps            20  (changed by a person)" in shown
    assert "Decide" not in shown
    assert f"approvals deny {ONE}" in shown


def test_a_program_reads_one_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = asked(tmp_path / "s", question(1))

    assert command(state, "show", ONE, "--json") == 0
    assert json.loads(capsys.readouterr().out)["approval_id"] == ONE


def test_an_unknown_id_is_told_with_the_nearest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = asked(tmp_path / "s", question(1))

    assert command(state, "show", "apr_000000000000001") == 1

    told = capsys.readouterr()
    assert told.out == ""
    assert f"Did you mean {ONE}?" in told.err
    assert f"The state is {state}." in told.err


@pytest.mark.parametrize("words", [["ls"], ["show", ONE], ["approve", ONE], ["deny", ONE]])
def test_a_state_that_is_not_there_is_not_made(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(tmp_path / "none", *words) == 1

    assert "There is no state" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("words", [["ls"], ["ls", "--all"], ["show", ONE]])
@pytest.mark.parametrize("number", range(len(NASTY_REQUESTS)))
def test_an_agent_moves_no_cursor_and_forges_no_line(
    number: int, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = asked(tmp_path / "s", NASTY_REQUESTS[number])

    assert command(state, *words) == 0

    shown = capsys.readouterr().out
    assert [one for one in shown if one != "\n" and unicodedata.category(one) in UNSEEN] == []
    rows = [line.strip() for line in shown.splitlines()]
    forged = [row for row in rows if row.startswith("status") and "approved" in row]
    assert forged == []
    assert max(map(len, rows)) < 8_000
    marked = [row for row in rows if "status approved by" in row]
    assert all('"' in row.partition("status approved by")[0] for row in marked)


def test_ten_thousand_characters_are_cut_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = asked(tmp_path / "s", run_request(negative_prompt=LONG))

    assert command(state, "show", ONE) == 0

    shown = capsys.readouterr().out
    assert f'" ({len(LONG) - 500} more characters)' in shown
    assert len(shown) < 4_000
