"""`policy explain` walks a call through every step, names the deciding rule, changes nothing."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import anyio
import pytest

from comfy_mcp.cli import run
from comfy_mcp.embedded import EmbeddedHost
from comfy_mcp.guard.decide import STEPS
from tests.cli.command_line import CommandLine
from tests.cli.states import counted, records

PICTURE = {"workflow": "txt2img", "params": {"prompt": "fog", "checkpoint": "x.safetensors"}}
CARD = {"workflow": "color_card"}


class Bench:
    """A folder with a policy, arguments and maybe a state."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.state = folder / "state"
        self._capsys = capsys

    def policy(self, **policy: Any) -> None:
        """Write the policy."""
        path = self.folder / "policy.json"
        path.write_text(json.dumps({"version": "1", "default": "deny", **policy}))
        path.chmod(0o600)

    def forget(self) -> None:
        """Drop what was printed."""
        self._capsys.readouterr()

    def explain(self, tool: str, *words: str, args: object = None) -> tuple[int, str]:
        """Exit status and what is printed."""
        given = ["--state", str(self.state)]
        if (self.folder / "policy.json").exists():
            given += ["--policy", str(self.folder / "policy.json")]
        if args is not None:
            (self.folder / "call.json").write_text(json.dumps(args))
            given += ["--args", str(self.folder / "call.json")]
        status = run(["policy", "explain", tool, *given, *words])
        told = self._capsys.readouterr()
        return status, told.out or told.err

    def told(self, tool: str, *words: str, args: object = None) -> dict[str, Any]:
        """What a program reads."""
        found: dict[str, Any] = json.loads(self.explain(tool, *words, "--json", args=args)[1])
        return found


@pytest.fixture
def bench(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Bench:
    """No policy file yet: the built-in one is in force."""
    return Bench(tmp_path, capsys)


def test_an_allowed_run_is_shown_with_facts_steps_and_what_it_takes(bench: Bench) -> None:
    status, told = bench.explain("run_workflow", args=PICTURE)

    assert status == 0
    for words in ("Facts of the workflow txt2img", "Steps", "Decision", "allow (allowed)"):
        assert words in told
    assert any(line.split()[:2] == ["steps", "20"] for line in told.splitlines())
    assert "x.safetensors" in told
    assert "one of 4 unfinished jobs (/gpu/max_in_flight)" in told
    assert "There is no state in" in told


def test_every_step_up_to_the_deciding_one_is_shown(bench: Bench) -> None:
    bench.policy(tools={"run_workflow": {"action": "deny", "reason": "Rented out."}})

    found = bench.told("run_workflow", args=CARD)

    names = [one["step"] for one in found["steps"]]
    decided = [one for one in found["steps"] if one["verdict"] == "decided"]
    assert names == list(STEPS)
    assert [one["step"] for one in decided] == [found["decision"]["step"]]
    assert found["decision"]["code"] == "denied"
    assert found["decision"]["rule"] == "/tools/run_workflow"
    assert found["decision"]["reason"] == "Rented out."
    assert found["let_through"] is False


def test_a_fact_that_is_too_large_is_told_with_its_rule(bench: Bench) -> None:
    bench.policy(tools={"run_workflow": {}}, gpu={"max_steps": 10, "undetermined": "allow"})

    status, told = bench.explain("run_workflow", args=PICTURE)

    assert status == 1
    assert "deny (gpu_limit)" in told
    assert "rule: /gpu/max_steps" in told
    assert "graph.steps is 20; at most 10 will do" in told


def test_the_graph_is_the_one_that_would_be_sent(bench: Bench) -> None:
    bench.policy(tools={"run_workflow": {}}, gpu={"output_prefix": "agents/{grant}/"})

    found = bench.told("run_workflow", "--grant", "bob", args=CARD)

    assert [one.startswith("agents/bob/") for one in found["facts"]["output_prefixes"]] == [True]


def test_an_approval_is_not_let_through(bench: Bench) -> None:
    bench.policy(tools={"cancel_job": {"action": "require_approval"}})

    status, told = bench.explain("cancel_job", args={"prompt_id": "b0c2"})

    assert status == 1
    assert "require_approval (approval_required)" in told
    assert "a person decides, on the terminal or the console's page, within 1 h 0 min" in told


@pytest.mark.parametrize(
    ("channel", "words"),
    [
        ("operator", "on the terminal or the console's page"),
        ("elicitation", "asked by the agent's own client"),
        ("any", "asked by the agent's own client if it can ask, else on the terminal or"),
    ],
)
def test_who_decides_and_why_is_told(channel: str, words: str, bench: Bench) -> None:
    bench.policy(
        tools={"cancel_job": {"action": "require_approval", "reason": "Ask Ada."}},
        classes={"destructive": {"require_approval": {"channel": channel, "expires": 90}}},
        approvals={"channel": channel},
    )

    told = bench.explain("cancel_job", args={"prompt_id": "b0c2"})[1]
    found = bench.told("cancel_job", args={"prompt_id": "b0c2"})

    assert f"a person decides, {words}" in told
    assert ", within 1 min 30 s" in told
    assert "asked because of /tools/cancel_job/action: Ask Ada." in told
    assert found["asking"]["channel"] == channel
    assert found["asking"]["expires_s"] == 90
    assert list(found["asking"]["reasons"])[-1] == "/classes/destructive/require_approval"


@pytest.mark.parametrize(("owner", "status"), [("mine", 0), ("other", 1), ("human", 1)])
def test_it_matters_whose_job_it_is(owner: str, status: int, bench: Bench) -> None:
    words = ("--owner", owner)

    assert bench.explain("cancel_job", *words, args={"prompt_id": "b0c2"})[0] == status


def test_an_alias_and_an_unknown_tool_are_judged_as_they_are_called(bench: Bench) -> None:
    job = {"prompt_id": "b0c2"}

    assert bench.explain("comfy_cancel_generation", args=job)[0] == 0
    assert bench.told("rm")["decision"]["code"] == "not_listed"


def test_a_call_can_be_judged_at_another_time(bench: Bench) -> None:
    late = {"path": "time.utc_hour", "op": "gte", "value": 22}
    bench.policy(tools={"get_job": {"deny_if": [late]}})
    args = {"prompt_id": "b0c2"}

    assert bench.explain("get_job", "--at", "2026-01-01T12:00:00Z", args=args)[0] == 0
    assert bench.explain("get_job", "--at", "2026-01-01T22:00:00Z", args=args)[0] == 1


def test_what_only_comfyui_knows_is_said_to_be_unknown(bench: Bench) -> None:
    graph = {"workflow": {"1": {"class_type": "SomebodysNode", "inputs": {}}}}
    bench.policy(tools={"run_workflow": {}}, gpu={"max_queue_depth": 3})

    found = bench.told("run_workflow", args=graph)

    (note,) = [note for note in found["notes"] if "ComfyUI was not asked" in note]
    assert "SomebodysNode" in note
    assert "how many jobs" in note


def test_a_graph_writes_neither_lines_nor_escapes(bench: Bench) -> None:
    graph = {"workflow": {"1": {"class_type": "X\n  allow (allowed)\x1b[2J", "inputs": {}}}}
    bench.policy(tools={"run_workflow": {}})

    _, told = bench.explain("run_workflow", args=graph)

    assert "  allow (allowed)" not in [line[:17] for line in told.splitlines()]
    assert "\x1b" not in told


@pytest.mark.anyio
async def test_comfyui_is_asked_if_it_is_named(guard: CommandLine) -> None:
    policy = guard.folder / "policy.json"
    policy.write_text(
        json.dumps(
            {
                "version": "1",
                "tools": {"run_workflow": {}, "get_job": {}},
                "gpu": {"max_queue_depth": 3},
            }
        )
    )
    policy.chmod(0o600)
    call = guard.folder / "call.json"
    call.write_text(json.dumps({"workflow": "color_card"}))
    words = ("policy", "explain", "run_workflow", "--args", str(call), "--policy", str(policy))

    async with EmbeddedHost() as host:
        done = await anyio.to_thread.run_sync(
            lambda: guard.run(*words, "--host", host.url, "--json")
        )
        asked = {seen.method for seen in host.seen}

    found = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert found["queue_depth"] == 0
    assert asked == {"GET"}
    assert not guard.state.exists()


def test_a_state_says_how_full_the_limits_are(bench: Bench) -> None:
    limit = {"counter": "runs", "window": "hour", "max": 3}
    bench.policy(tools={"run_workflow": {"limits": [limit]}, "get_job": {}})
    counted(bench.state, holder="alice", amount=3, at_ms=time.time_ns() // 1_000_000)
    before = records(bench.state)

    free = bench.told("run_workflow", "--grant", "bob", args=CARD)
    full = bench.told("run_workflow", "--grant", "alice", args=CARD)

    assert (free["let_through"], free["state"]["limits"][0]["used"]) == (True, 0)
    assert (full["let_through"], full["state"]["limits"][0]["used"]) == (False, 3)
    assert full["decision"]["effect"] == "allow"
    assert records(bench.state) == before


def test_a_freeze_refuses_what_the_policy_allows(bench: Bench) -> None:
    counted(bench.state, at_ms=time.time_ns() // 1_000_000)
    run(["freeze", "--state", str(bench.state), "--keep-reads"])
    bench.forget()

    assert bench.told("run_workflow", args=CARD)["let_through"] is False
    assert bench.told("get_job", args={"prompt_id": "b0c2"})["let_through"] is True


def test_looking_makes_no_state(bench: Bench) -> None:
    bench.explain("run_workflow", args=CARD)

    assert not bench.state.exists()


def test_arguments_can_come_from_stdin(guard: CommandLine) -> None:
    import subprocess  # noqa: PLC0415 - CommandLine.run gives an empty stdin
    import sys  # noqa: PLC0415 - as above

    done = subprocess.run(
        [sys.executable, "-m", "comfy_mcp", "policy", "explain", "run_workflow", "--args", "-"],
        input=json.dumps(CARD),
        env=guard.environ(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "Facts of the workflow color_card" in done.stdout


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([], "must be a JSON object"),
        ({}, "/workflow: it is missing"),
        ({"workflow": "color_card", "parms": {}}, 'Did you mean "params"?'),
        ({"workflow": "color_card", "wait_seconds": -1}, "/wait_seconds:"),
    ],
)
def test_arguments_that_no_call_can_have_are_misuse(args: object, words: str, bench: Bench) -> None:
    status, told = bench.explain("run_workflow", args=args)

    assert status == 2
    assert words in told


def test_arguments_that_are_no_json_are_misuse(bench: Bench) -> None:
    (bench.folder / "bad.json").write_text("{")

    status, told = bench.explain("get_job", "--args", str(bench.folder / "bad.json"))

    assert status == 2
    assert "no JSON" in told


def test_a_workflow_that_is_not_there_is_told(bench: Bench) -> None:
    status, told = bench.explain("run_workflow", args={"workflow": "txt2mig"})

    assert status == 1
    assert 'Did you mean "txt2img"?' in told


def test_a_sweep_is_walked_with_its_first_run_and_says_so(bench: Bench) -> None:
    bench.policy(tools={"run_workflow": {}, "run_sweep": {"gpu": {"max_width": 512}}})
    args = {"workflow": "color_card", "axes": {"width": [1024, 64]}}
    status, told = bench.explain("run_sweep", args=args)
    assert status == 1
    assert "/tools/run_sweep/gpu/max_width" in told
    assert "the first of its 2 runs" in told
    args["axes"] = {"width": [64, 1024]}
    assert bench.explain("run_sweep", args=args)[0] == 0


def test_a_tool_that_servers_do_not_offer_is_said_to_be_none(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.policy(tools={"run_workflow": {}})
    assert "does not offer the tool" not in bench.explain("run_workflow", args=CARD)[1]
    monkeypatch.setenv("COMFY_MCP_READ_ONLY", "yes")
    assert "does not offer the tool" in bench.explain("run_workflow", args=CARD)[1]
