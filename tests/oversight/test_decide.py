"""A person's word is written once, in time, for exactly what was shown; and the answer says it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from comfy_mcp.oversight.approvals import Decided, Judge, decide, judge_by
from comfy_mcp.oversight.judging import Judged, Trial
from comfy_mcp.store.asked import APPROVED, CANCELLED, NewApproval, Ruling, Spend
from comfy_mcp.store.protocol import Admission, Store
from comfy_mcp.workflow import digest
from comfy_mcp.workflow.digest import canonical
from tests.oversight.asked import (
    BY,
    HOUR,
    NOW,
    SECOND,
    inline_request,
    parked,
    policy_file,
    question,
    run_request,
    stop_request,
)

pytestmark = pytest.mark.anyio

ONE = "apr_0000000000000001"

WAITS_SHORTLY = {"path": "args.wait_seconds", "op": "lt", "value": 50}


async def say(
    store: Store,
    word: str = "yes",
    approval_id: str = ONE,
    *,
    at_ms: int = NOW + SECOND,
    reason: str = "",
    by: Mapping[str, Any] = BY,
    judge: Judge | None = None,
    **changes: object,
) -> Decided:
    """What the person says."""
    return await decide(
        store,
        approval_id,
        approve=word == "yes",
        by=by,
        reason=reason,
        changes=changes,
        now_ms=at_ms,
        judge=judge_by() if judge is None else judge,
    )


def edit(policy: Path, was: str, now: str) -> None:
    """Somebody changes the policy's file."""
    policy.write_text(policy.read_text().replace(was, now))


async def audit(store: Store) -> list[Mapping[str, Any]]:
    return [row.record for row in await store.tail(100)]


@pytest.mark.parametrize(("word", "status"), [("yes", "approved"), ("no", "denied")])
async def test_a_word_is_written_with_who_said_it_and_why(
    word: str, status: str, store: Store, policy: Path
) -> None:
    await parked(store, run_request(policy))

    done = await say(store, word, reason=" Because\x1b[2J I\nsay so. ")

    row = await store.approval(ONE, NOW + 2 * SECOND)
    assert row is not None
    assert (done.ok, done.row) == (True, row)
    assert (row.status, row.by, row.reason) == (status, BY, "Because[2J I say so.")
    assert (await audit(store))[-1] == {
        "kind": "approval",
        "action": status,
        "approval_id": ONE,
        "grant": "ci-bot",
        "tool": "run_workflow",
        "by": BY,
        "changes": [],
        "reason": "Because[2J I say so.",
    }


async def test_a_yes_says_what_the_agent_has_to_do(store: Store, policy: Path) -> None:
    await parked(store, run_request(policy))

    done = await say(store)

    assert done.message.startswith("Approved, for one run_workflow until ")
    assert "goes on by itself; if not, the agent has to repeat the same call." in done.message


async def test_a_millisecond_after_the_end_nothing_is_decided(store: Store, policy: Path) -> None:
    await parked(store, run_request(policy))
    await parked(store, run_request(policy, number=2))

    late = await say(store, at_ms=NOW + HOUR)
    just = await say(store, "yes", "apr_0000000000000002", at_ms=NOW + HOUR + 3 * SECOND)

    assert not late.ok
    assert "expired 0 s ago" in late.message
    assert "expired 3 s ago. If it is still wanted, the agent has to make the same call again" in (
        just.message
    )
    assert {record["action"] for record in await audit(store)} == {"requested"}


async def test_the_last_millisecond_is_in_time(store: Store, policy: Path) -> None:
    await parked(store, run_request(policy))

    assert (await say(store, at_ms=NOW + HOUR - 1)).ok


async def test_who_comes_second_hears_who_was_first(store: Store, policy: Path) -> None:
    await parked(store, run_request(policy))
    await say(store, "no", by={**BY, "user": "bob"})

    no = await say(store, "no", at_ms=NOW + 5 * SECOND)
    assert not no.ok
    assert "it was denied by bob (terminal) 4 s ago already" in no.message
    assert "To take that back, approve it." in no.message

    yes = await say(store, at_ms=NOW + 6 * SECOND)
    assert yes.ok
    assert "It takes back the no said by bob (terminal)." in yes.message


async def test_a_no_that_has_expired_is_not_taken_back(store: Store, policy: Path) -> None:
    await parked(store, run_request(policy))
    await say(store, "no")

    late = await say(store, at_ms=NOW + HOUR)

    assert not late.ok
    assert "has expired since" in late.message
    assert "the agent has to make the same call again" in late.message


async def test_a_second_yes_tells_every_change_since_the_question(
    store: Store, policy: Path
) -> None:
    await parked(store, run_request(policy))
    await say(store, steps=20, cfg=5.0)
    await say(store, "no")

    done = await say(store, steps=50, width=1024)

    assert done.row is not None
    assert done.row.changes == {"steps": [50, 50], "cfg": [7.0, 5.0], "width": [2048, 1024]}
    inputs = done.row.payload["graph"]["5"]["inputs"]
    assert (inputs["steps"], inputs["cfg"]) == (50, 5.0)
    assert done.row.effect == digest(done.row.payload)


async def test_two_who_decide_at_once_do_not_both(store: Store, policy: Path) -> None:
    await parked(store, run_request(policy))

    said = await asyncio.gather(*(say(store, word) for word in ("yes", "no", "yes", "no")))

    # An answer may be taken back by the other one, and then it says so; none is given twice.
    actions = [record["action"] for record in await audit(store)]
    assert len(actions) == 1 + sum(one.ok for one in said) > 1
    assert all(was != now for was, now in pairwise(actions))


async def test_a_yes_is_taken_back_by_a_no_as_long_as_it_is_not_used(
    store: Store, policy: Path
) -> None:
    await parked(store, run_request(policy))
    await say(store)

    again = await say(store)
    taken = await say(store, "no")

    assert "approved by ada (terminal) 0 s ago already. To take that back, deny it." in (
        again.message
    )
    assert taken.ok
    assert taken.row is not None
    assert taken.row.status == "denied"


async def test_a_yes_that_is_used_up_is_told_with_its_job(store: Store, policy: Path) -> None:
    request = run_request(policy)
    await parked(store, request)
    await say(store)
    spend = Spend(ONE, request.effect, request.policy)
    used = Admission("dec_1", NOW + 2 * SECOND, {"kind": "decision"}, grant="ci-bot", spend=spend)
    await store.admit(used)

    done = await say(store, "no", at_ms=NOW + 3 * SECOND)

    assert not done.ok
    assert "is used up" in done.message


async def test_what_the_agent_took_back_cannot_be_decided(store: Store, policy: Path) -> None:
    await parked(store, run_request(policy))
    await store.rule(NOW, ONE, Ruling(CANCELLED, {"channel": "agent"}), {"kind": "approval"})

    done = await say(store)

    assert "it was taken back (agent) 1 s ago, so there is nothing left to decide" in done.message


async def test_a_mistyped_id_gets_the_nearest(store: Store, policy: Path) -> None:
    await parked(store, run_request(policy))

    near = await say(store, "yes", "apr_000000000000001")
    far = await say(store, "yes", "x\x1b[2J" + "y" * 10_000)

    assert (near.ok, near.row) == (False, None)
    assert f"Did you mean {ONE}?" in near.message
    assert "Did you mean" not in far.message
    assert "\x1b" not in far.message
    assert len(far.message) < 300


async def test_changed_values_are_what_the_yes_is_for(store: Store, policy: Path) -> None:
    asked = run_request(policy)
    await parked(store, asked)

    done = await say(store, steps=20, prompt="a blue fox", cfg=7.0)

    assert done.ok
    row = await store.approval(ONE, NOW + SECOND)
    assert row is not None
    assert row.changes == {"steps": [50, 20], "prompt": ["a red fox", "a blue fox"]}
    assert row.payload["graph"]["5"]["inputs"]["steps"] == 20
    assert row.payload["args"] == asked.payload["args"]
    assert (row.effect, row.match) == (digest(row.payload), asked.match)
    assert row.effect != asked.effect
    assert row.facts["graph"]["steps"] == 20
    assert row.facts["values"]["prompt"] == "a blue fox"
    assert row.facts["estimate_s"] is None
    assert row.facts["inputs"] == asked.facts["inputs"]
    assert "Approved with other values" in done.message
    assert (await audit(store))[-1]["changes"] == ["prompt", "steps"]


async def test_values_that_equal_what_was_asked_change_nothing(store: Store, policy: Path) -> None:
    asked = run_request(policy)
    await parked(store, asked)

    done = await say(store, steps=50)

    assert done.row is not None
    assert (done.ok, done.row.changes, done.row.effect) == (True, {}, asked.effect)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"stepz": 5}, 'nothing called "stepz" to change. Did you mean "steps"?'),
        ({"steps": "many"}, "steps must be an integer"),
        ({"steps": 10**9}, "steps"),
        ({"5.model": 3}, "links stay as they are"),
        ({"steps": 70}, "the policy denies the run with these values (gpu_limit, "),
        ({"width": 4096}, "the policy denies the run with these values (gpu_limit, "),
    ],
)
async def test_values_that_cannot_be_leave_the_question_open(
    changes: Mapping[str, object], told: str, store: Store, policy: Path
) -> None:
    await parked(store, run_request(policy))

    done = await say(store, **changes)

    assert not done.ok
    assert done.message.startswith("Nothing was decided: ")
    assert told in done.message
    row = await store.approval(ONE, NOW + SECOND)
    assert row is not None
    assert row.status == "pending"
    assert len(await audit(store)) == 1


async def test_a_refusal_names_rule_and_fix(store: Store, policy: Path) -> None:
    await parked(store, run_request(policy))

    done = await say(store, steps=70)

    assert "/tools/run_workflow/gpu/max_steps): Node 5 asks for 70 steps; at most 60" in (
        done.message
    )


async def test_a_no_changes_nothing(store: Store, policy: Path) -> None:
    await parked(store, run_request(policy))

    done = await say(store, "no", steps=5)

    assert not done.ok
    assert "only be changed together with a yes" in done.message


async def test_what_only_comfyui_knows_is_judged_when_the_agent_comes_back(
    store: Store, tmp_path: Path
) -> None:
    policy = policy_file(tmp_path, gpu={"undetermined": "deny"})
    graph = {
        "1": {"class_type": "Strange", "inputs": {"steps": 5, "text": "x"}},
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
    }
    asked = inline_request(graph, policy_files=[str(policy)])
    revision = judge_by()(Trial(await parked(store, asked), {}, None, NOW)).revision
    await store.rule(NOW, ONE, Ruling(CANCELLED, {}), {"kind": "approval"})
    await parked(store, replace(asked, approval_id="apr_0000000000000002", policy=revision))

    done = await say(store, "yes", "apr_0000000000000002", **{"1.text": "y"})

    assert done.ok, done.message
    assert "the policy judges the changed run once more when the agent comes back" in done.message


async def test_a_rule_that_refuses_what_was_asked_as_well_leaves_it_to_the_gate(
    store: Store, policy: Path
) -> None:
    """It knows more: here the call's own waits, which are not in what was parked."""
    short = {"name": "short waits", "conditions": [WAITS_SHORTLY]}
    edit(policy, '"gpu":', f'"require": [{json.dumps(short)}], "gpu":')
    await parked(store, run_request(policy))

    kept = await say(store, steps=20)

    assert kept.ok, kept.message
    assert "once more" in kept.message


async def test_a_yes_under_another_policy_would_be_void_and_is_not_given(
    store: Store, policy: Path
) -> None:
    await parked(store, run_request(policy))
    edit(policy, "60", "61")

    yes, no = await say(store), await say(store, "no")

    assert not yes.ok
    assert "the policy is not the one under which this was asked" in yes.message
    assert no.ok


async def test_a_policy_that_broke_meanwhile_is_the_gates_affair(
    store: Store, policy: Path
) -> None:
    await parked(store, run_request(policy))
    edit(policy, "}", "")

    changed, plain = await say(store, steps=5), await say(store)

    assert not changed.ok
    assert str(policy) in changed.message
    assert plain.ok


async def test_a_policy_of_ones_own_is_asked_instead(store: Store, policy: Path) -> None:
    asked = run_request(policy)
    await parked(store, replace(asked, facts={**asked.facts, "policy_files": ["/gone.json"]}))

    lost = await say(store, steps=20)
    found = await say(store, judge=judge_by((policy,)), steps=20)

    assert not lost.ok
    assert "/gone.json" in lost.message
    assert found.ok


async def test_a_judge_sees_the_call_as_it_would_be(store: Store, policy: Path) -> None:
    asked = run_request(policy)
    row = await parked(store, asked)
    trials: list[Trial] = []

    def judge(trial: Trial) -> Judged:
        trials.append(trial)
        return Judged(row.policy)

    await say(store, judge=judge, steps=20, **{"5.denoise": 0.5})

    last = trials[-1]
    assert last.args["workflow"] == "txt2img"
    assert last.args["params"] == {**asked.payload["args"]["params"], "steps": 20}
    assert last.facts is not None
    assert last.facts.steps == 20


@pytest.mark.parametrize("request_", [stop_request(), question()])
async def test_a_call_without_a_graph_is_answered_as_it_is(
    request_: NewApproval, store: Store
) -> None:
    await parked(store, request_)

    changed, plain = await say(store, steps=5), await say(store)

    assert not changed.ok
    assert plain.ok


async def test_the_context_of_a_question_can_be_changed(store: Store) -> None:
    asked = question()
    await parked(store, asked)

    wrong = await say(store, draft=1)
    done = await say(store, "yes", drafts=3)

    assert 'The context has no "draft". Did you mean "drafts"?' in wrong.message
    assert done.ok
    assert done.row is not None
    assert done.row.changes == {"drafts": [12, 3]}
    assert done.row.payload["context"] == {"drafts": 3, "folder": "drafts"}
    assert done.row.facts["context"] == {"drafts": 3, "folder": "drafts"}
    assert "the agent reads the answer with get_approval" in done.message


async def test_a_question_is_under_no_policy(store: Store, policy: Path) -> None:
    await parked(store, question())

    assert (await say(store, judge=judge_by((policy,)))).ok


async def test_files_that_are_read_cannot_be_changed(store: Store) -> None:
    graph = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "mine.png"}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
    }
    await parked(store, inline_request(graph))

    other = await say(store, **{"1.image": "theirs.png"})
    name = await say(store, **{"2.filename_prefix": "y"})

    assert "Which files are read cannot be changed" in other.message
    assert name.ok, name.message


async def test_what_is_written_is_what_is_remade_from_it(store: Store, policy: Path) -> None:
    await parked(store, run_request(policy))
    done = await say(store, steps=20)
    assert done.row is not None
    assert done.row.status == APPROVED

    stored = await store.approval(ONE, NOW + SECOND)

    assert stored is not None
    assert digest(json.loads(canonical(stored.payload))) == stored.effect
