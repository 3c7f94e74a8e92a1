"""`approvals ls` and `show` tell what waits; no word of an agent is taken for one of ours."""

from __future__ import annotations

import json
import re
import shlex
import unicodedata
from pathlib import Path

import pytest

from comfy_mcp.cli import run
from comfy_mcp.oversight.state import now_ms
from comfy_mcp.store.asked import CANCELLED, Ruling
from comfy_mcp.store.protocol import Admission, NewJob, Store
from tests.cli.asking import ONE, TWO, asked, having, standing, used
from tests.cli.states import edited
from tests.oversight.asked import (
    HOST,
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
    assert first.endswith(
        'run txt2img: 50 steps, 4.19 megapixels, about 39 s of GPU time: "a red fox"'
    )
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
    facts, _, words = shown.partition("\nChosen by the agent ")
    words, _, rest = words.partition("\nDrawn by chance\n")
    drawn, _, rest = rest.partition("\nDefaults\n")
    assert "because of  /tools/run_workflow/require_approval: More than two megapixels." in facts
    assert "size        2048 x 2048 pixels, 4.19 megapixels" in facts
    assert "a red fox" not in facts
    assert re.search(r'^  > prompt +"a red fox"$', words, re.MULTILINE)
    assert re.search(r"^  > steps +50$", words, re.MULTILINE)
    assert re.fullmatch(r"  seed +7\n", drawn)
    assert re.search(r"^  cfg +7\.0$", rest, re.MULTILINE)
    assert "\nDecide: run txt2img: 50 steps" in rest


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
    assert "\nChanged by a person\n  steps  20\n" in shown
    assert "> steps" not in shown
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


@pytest.mark.parametrize("words", [["show", ONE], ["approve", ONE], ["deny", ONE]])
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
    assert f'" ({len(LONG) - 500} more characters: --full shows them)' in shown
    assert len(shown) < 4_000


def test_what_is_cut_is_whole_by_the_command_that_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    long = "x " * 5_000 + "and the end"
    state = asked(tmp_path / "s", run_request(policy_file(tmp_path), negative_prompt=long))
    assert command(state, "approve", ONE, "--set", f"prompt={long}", "--reason", long) == 0
    capsys.readouterr()

    assert command(state, "show", ONE) == 0
    short = capsys.readouterr().out
    (line,) = [one for one in short.splitlines() if f"approvals show {ONE} --full" in one]
    words = shlex.split(line)
    assert run(words[words.index("approvals") :]) == 0
    whole = capsys.readouterr().out

    assert "and the end" not in short
    # The agent's text, the person's, and the line that tells the change.
    assert short.count("--full shows") == 3
    assert whole.count("and the end") == 3
    assert "--full" not in whole


def test_a_program_reads_whole_texts_if_it_asks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = asked(tmp_path / "s", run_request(prompt=LONG))

    assert command(state, "show", ONE, "--json", "--full") == 0

    values = json.loads(capsys.readouterr().out)["agent_words"]["values"]
    (prompt,) = [one for one in values if one["name"] == "prompt"]
    assert (prompt["text"], prompt["cut"]) == (LONG, 0)


def test_everything_of_a_large_graph_is_shown_to_who_asks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = {
        str(number): {"class_type": f"Class{number}", "inputs": {"n": number}}
        for number in range(300)
    }
    state = asked(tmp_path / "s", inline_request(graph))

    shown = []
    for words in ([], ["--full"], ["--json", "--full"]):
        assert command(state, "show", ONE, *words) == 0
        shown.append(capsys.readouterr().out)

    assert "236 more values are not shown; --full shows all." in shown[0]
    assert "and 288 more (--full shows all)" in shown[0]
    assert re.search(r"> 299\.n +299 +\(Class299\)", shown[1])
    assert "more" not in shown[1]
    told = json.loads(shown[2])
    assert told["graph"] == graph
    assert len(told["facts"]["graph"]["classes"]) == 300
    assert len(told["agent_words"]["inputs"]) == 300


def test_every_space_of_a_text_is_seen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = asked(tmp_path / "s", run_request(prompt=" a  fox "))

    assert command(state, "show", ONE) == 0

    assert '" a  fox "' in capsys.readouterr().out


def test_a_request_that_was_edited_breaks_no_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = asked(tmp_path / "s", run_request(number=1), question(2))
    edited(state, "UPDATE approvals SET facts = '[]' WHERE kind = 'call'")

    assert command(state, "ls") == 0

    _, second, first, *_ = capsys.readouterr().out.splitlines()
    assert "May I delete the drafts?" in second
    assert first.split()[0] == ONE
    assert first.endswith("cannot be read any more: somebody edited it in the state")


def test_requests_that_are_alike_are_told_apart_by_the_agents_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = asked(
        tmp_path / "s",
        run_request(number=1, prompt="a red fox"),
        run_request(number=2, prompt=NASTY + LONG, checkpoint="photo of many words.safetensors"),
    )

    assert command(state, "ls") == 0

    _, second, first, *_ = capsys.readouterr().out.splitlines()
    assert first.endswith(': "a red fox"')
    assert ': "a fox[2J' in second
    assert second.endswith('..."')


def test_a_request_under_an_edited_policy_is_void(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = policy_file(tmp_path)
    state = asked(tmp_path / "s", run_request(policy), question(2))
    policy.write_text(policy.read_text().replace("60", "61"))

    assert [command(state, "ls"), command(state, "show", ONE)] == [0, 0]
    listed, _, shown = capsys.readouterr().out.partition("All about one")

    rows = {line.split()[0]: line for line in listed.splitlines() if "apr_" in line}
    assert "pending, void" in rows[ONE]
    assert "void" not in rows[TWO]
    assert "void: the policy was edited; the agent's next call asks anew" in listed
    assert "  VOID        the policy was edited; the agent's next call asks anew" in shown
    assert f"approvals approve {ONE}" not in shown
    assert f"approvals deny {ONE}" in shown
    assert command(state, "ls", "--json") == 0
    told = json.loads(capsys.readouterr().out)["approvals"]
    assert [one["void"] for one in told] == [False, True]


def test_what_the_server_took_back_is_said_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def take_back(store: Store) -> None:
        ruling = Ruling(CANCELLED, {"channel": "guard"}, "superseded")
        assert (await store.rule(now_ms(), ONE, ruling, {"kind": "approval"}))[0]

    state = having(asked(tmp_path / "s", run_request()), take_back)

    assert [command(state, "ls", "--all"), command(state, "show", ONE)] == [0, 0]

    shown = capsys.readouterr().out
    assert f"{ONE}  ended by an edit of the policy  ci-bot" in shown
    assert "status      cancelled: ended by an edit of the policy" in shown
    assert "superseded" not in shown
    assert command(state, "approve", ONE) == 1
    assert "it was ended by an edit of the policy" in capsys.readouterr().err


def test_before_any_server_nothing_waits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "none"

    assert command(folder, "ls") == 0
    assert capsys.readouterr().out == f"Nothing waits: no server has used {folder} yet.\n"
    assert command(folder, "ls", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"approvals": []}
    assert not folder.exists()


def test_a_yes_that_was_used_is_told_with_its_giver(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = having(asked(tmp_path / "s", run_request()), used)

    assert [command(state, "ls", "--all"), command(state, "show", ONE)] == [0, 0]

    shown = capsys.readouterr().out
    assert "approved by ada (terminal), used  ci-bot" in shown
    assert "status      approved, used" in shown
    # Whose words they were is known although what would have run is forgotten.
    assert re.search(r"\nChosen by the agent .*\n(.*\n)*  > prompt +\"a red fox\"", shown)


def test_a_job_that_ended_since_is_told_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "s"
    request = stop_request(status="in_progress")
    job_id = request.facts["targets"][0]["prompt_id"]

    async def end(store: Store) -> None:
        job = NewJob(job_id, "bob", HOST, "txt2img", "sha256:1")
        await store.admit(Admission("dec_1", now_ms(), {}, grant="bob", job=job))
        assert await store.move_job(job_id, "completed", now_ms())

    state = having(asked(folder, request), end)

    assert command(state, "show", ONE) == 0

    assert (
        "TOUCHES     job 11112222 of ANOTHER agent (bob): txt2img, in_progress when asked,"
        " completed now"
    ) in capsys.readouterr().out
