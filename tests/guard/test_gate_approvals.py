"""A call that a person has to decide: parked, found again, let through exactly once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from comfy_mcp.errors import PermitError
from comfy_mcp.guard.catalog import TOOLS
from comfy_mcp.guard.gate import Call
from comfy_mcp.store.protocol import NewJob
from comfy_mcp.store.sqlite import SqliteStore
from comfy_mcp.workflow import digest
from comfy_mcp.workflow.facts import Facts
from tests.guard.gatehouse import HOST, NOW, Bench, submit
from tests.guard.person import ALL, ASKS, House, run
from tests.guard.sweeps import many

pytestmark = pytest.mark.anyio

HOUR_MS = 3_600_000


@pytest.fixture(autouse=True)
async def _sound(store: SqliteStore) -> AsyncIterator[None]:
    """Whatever happened: the audit log is whole."""
    yield
    assert (await store.verify())[1] is None


@pytest.fixture
def house(store: SqliteStore) -> House:
    """A person is asked about everything here."""
    return House(Bench(store, ALL, approvals={"expires": 3600}))


async def test_a_call_that_needs_a_person_is_parked_and_takes_nothing(store: SqliteStore) -> None:
    limited = {**ASKS, "rate_limit": "1/minute", "reason": "Runs cost money"}
    house = House(Bench(store, {"run_workflow": limited}))

    denial = await house.attempt(replace(run(1), client="a client"))

    assert denial is not None
    assert (denial.code, denial.decision) == ("approval_required", "require_approval")
    assert denial.retryable
    assert denial.rule == "/tools/run_workflow/action"
    assert denial.expires_in_s == 3600
    assert denial.operator_hint == f"comfy-mcp-guard approvals show {denial.approval_id}"
    assert "Runs cost money." in denial.reason
    assert f'run_workflow(approval_id="{denial.approval_id}")' in denial.reason
    await house.nothing_happened()
    assert await store.accounts() == ()
    (row,) = house.bench.asked
    assert row.approval_id == denial.approval_id
    assert (row.status, row.grant, row.host, row.tool) == ("pending", "local", HOST, "run_workflow")
    assert (row.created_ms, row.expires_ms) == (NOW, NOW + HOUR_MS)
    assert row.effect == digest(row.payload)
    assert row.payload["args"] == {"workflow": "card"}
    assert row.facts["tool"] == "run_workflow"
    assert row.facts["class"] == "execute"
    assert row.facts["client"] == "a client"
    assert row.facts["asks"] == {"/tools/run_workflow/action": "Runs cost money"}
    assert row.facts["policy_files"] == [str(house.bench.file)]


async def test_what_was_asked_is_written_down_before_the_refusal(house: House) -> None:
    row = await house.asked(run(1))

    requested, decision = await house.bench.rows()
    assert requested == {
        "kind": "approval",
        "action": "requested",
        "approval_id": row.approval_id,
        "decision_id": decision["decision_id"],
        "grant": "local",
        "client": None,
        "tool": "run_workflow",
        "effect": row.effect,
        "policy": row.policy,
        "channel": "operator",
    }
    assert (decision["decision"], decision["code"]) == ("require_approval", "approval_required")
    assert decision["approval"] == row.approval_id
    assert house.bench.told[-1] == decision


async def test_until_somebody_decides_every_repeat_is_the_same_request(house: House) -> None:
    row = await house.asked(run(1))
    house.bench.now_ms += 60_000

    denial = await house.attempt(run(2))

    assert denial is not None
    assert (denial.code, denial.approval_id) == ("approval_pending", row.approval_id)
    assert denial.expires_in_s == 3540
    assert denial.decision == "require_approval"
    assert len(house.bench.asked) == 1
    await house.nothing_happened()


async def test_a_yes_lets_the_call_through_once(house: House) -> None:
    row = await house.approved(run(1))

    assert await house.code(run(2)) == "ran"

    (granted,) = house.ran
    assert granted.submit is not None
    with pytest.raises(PermitError):
        granted.submit.spend(prompt_id="job-1", digest="sha256:1")
    granted.submit.spend(prompt_id="job-2", digest="sha256:2")
    spent = await house.row(row.approval_id)
    assert (spent.status, spent.prompt_id) == ("spent", "job-2")
    assert spent.decision_id == granted.decision_id
    decision, outcome = (await house.bench.rows())[-2:]
    told = {key: decision[key] for key in ("decision", "code", "approval", "assurance", "rule")}
    assert told == {
        "decision": "allow",
        "code": "approved",
        "approval": row.approval_id,
        "assurance": "operator",
        "rule": "/tools/run_workflow/action",
    }
    assert outcome["outcome"] == "ok"
    # The next one is asked about anew.
    assert (await house.asked(run(3))).approval_id != row.approval_id


async def test_an_approved_call_takes_its_limits_and_its_place(store: SqliteStore) -> None:
    limited = {**ASKS, "rate_limit": "5/minute"}
    house = House(Bench(store, {"run_workflow": limited}, gpu={"max_in_flight": 2}))
    await house.approved(run(1))

    assert await house.code(run(1)) == "ran"

    assert [one.amount for one in await store.accounts()] == [1_000_000]
    assert [row.prompt_id for row in await store.unfinished(host=HOST)] == ["job-1"]
    assert "/tools/run_workflow/rate_limit" in (await house.bench.rows())[-2]["limits"]


@pytest.mark.parametrize(
    ("status", "code"), [("denied", "approval_denied"), ("cancelled", "approval_required")]
)
async def test_any_other_word_lets_nothing_through(house: House, status: str, code: str) -> None:
    row = await house.asked(run(1))
    assert await house.say(row, status, reason="Too large")

    denial = await house.attempt(run(2))

    assert denial is not None
    assert denial.code == code
    if status == "denied":
        assert denial.approval_id == row.approval_id
        assert "Too large" in denial.reason
        assert not denial.retryable
    await house.nothing_happened()


async def test_a_no_is_remembered_until_it_expires_whatever_becomes_of_the_policy(
    house: House,
) -> None:
    row = await house.asked(run(1))
    await house.say(row, "denied")
    for _ in range(3):
        assert await house.code(run(2)) == "approval_denied"
    house.bench.write(tools=ALL, description="another revision")
    assert await house.code(run(2)) == "approval_denied"
    assert len(house.bench.asked) == 1

    house.bench.now_ms = row.expires_ms - 1
    assert await house.code(run(2)) == "approval_denied"
    house.bench.now_ms += 1
    assert await house.code(run(2)) == "approval_required"


async def test_a_yes_that_was_taken_back_is_none(house: House) -> None:
    row = await house.approved(run(1))
    assert await house.say(row, "denied", reason="I changed my mind")

    assert await house.code(run(2)) == "approval_denied"
    await house.nothing_happened()


async def test_the_call_of_a_request_can_be_had_by_its_id(house: House) -> None:
    row = await house.asked(run(1, params={"a": 1}))
    by_id = Call("run_workflow", "local", "local")

    assert await house.bench.gate.approved_args(by_id, row.approval_id) == {
        "workflow": "card",
        "params": {"a": 1},
    }
    await house.say(row)
    args = await house.bench.gate.approved_args(by_id, row.approval_id)
    assert await house.code(replace(submit(2), args=args)) == "ran"


WHAT_IT_CALLS: dict[str, dict[str, Any]] = {
    "cancel_job": {"target": "job-9", "owner": "mine", "stop_ms": 1_000},
    "interrupt_execution": {"target": "job-9", "owner": "mine", "stop_ms": 1_000},
    "clear_queue": {"targets": ("job-9",), "stop_ms": 1_000},
    "view_output": {"target": "job-9", "owner": "mine"},
}


def call_of(tool: str, number: int) -> Call:
    """A call of any tool, about job-9 where it is about a job."""
    if tool == "run_workflow":
        return run(number)
    if tool == "run_sweep":
        return many(2, number=number)
    return Call(tool, "local", "local", args={"x": 1}, **WHAT_IT_CALLS.get(tool, {}))


@pytest.mark.parametrize("tool", TOOLS)
async def test_no_tool_is_let_through_without_a_yes_and_with_one_only_once(
    store: SqliteStore, tool: str
) -> None:
    bench = Bench(store, {"run_workflow": {}})
    async with bench.gate.admit(submit(9)):
        pass
    bench.write(tools={"*": {}}, all_tools=ASKS)
    await bench.source.refresh()
    house = House(bench)

    row = await house.asked(call_of(tool, 1))
    assert await house.code(call_of(tool, 2)) == "approval_pending"
    assert house.ran == []
    await house.say(row)

    assert await house.code(call_of(tool, 3)) == "ran"
    assert await house.code(call_of(tool, 4)) == "approval_required"
    assert len(house.ran) == 1
    assert (house.ran[0].stop is not None) == ("stop_ms" in WHAT_IT_CALLS.get(tool, {}))


async def test_people_are_told_whose_jobs_a_call_touches_and_how_many(store: SqliteStore) -> None:
    bench = Bench(store, {"run_workflow": {}, "cancel_job": ASKS, "clear_queue": ASKS})
    house = House(bench)
    for number in range(25):
        assert await house.code(run(number)) == "ran"

    stop = Call("cancel_job", "local", "local", args={}, target="job-3", owner="mine", stop_ms=1)
    one = await house.asked(stop)
    assert one.facts["targets"] == [
        {
            "prompt_id": "job-3",
            "owner": "mine",
            "grant": "local",
            "workflow": "card",
            "status": "submitting",
        }
    ]
    assert one.facts["targets_left_out"] == 0
    all_ = tuple(f"job-{number}" for number in range(25))
    many = await house.asked(
        Call("clear_queue", "local", "local", args={}, targets=all_, stop_ms=1)
    )
    assert [job["prompt_id"] for job in many.facts["targets"]] == list(all_[:20])
    assert many.facts["targets_left_out"] == 5
    assert many.payload["targets"] == list(all_)


async def test_a_yes_to_clearing_is_for_the_jobs_that_were_there(store: SqliteStore) -> None:
    house = House(Bench(store, {"run_workflow": {}, "clear_queue": ASKS}))
    for number in range(3):
        await house.code(run(number))

    def clearing(*targets: str) -> Call:
        return Call("clear_queue", "local", "local", args={}, targets=targets, stop_ms=1_000)

    await house.approved(clearing("job-0", "job-1"))

    assert await house.code(clearing("job-1", "job-2")) == "ran"

    granted = house.ran[-1]
    assert granted.call.targets == ("job-0", "job-1")
    assert granted.stop is not None
    granted.stop.check(prompt_id="job-0", now_ms=NOW)
    with pytest.raises(PermitError):
        granted.stop.check(prompt_id="job-2", now_ms=NOW)


async def test_with_a_key_the_run_that_was_let_through_is_found_again(house: House) -> None:
    def keyed(number: int, request: str = "sha256:r") -> Call:
        job = NewJob(f"job-{number}", "local", HOST, "card", "sha256:s", key="k", request=request)
        return replace(run(number, idempotency_key="k"), job=job)

    # The key may come with the repeat only: it says nothing about what is done.
    row = await house.approved(run(1))
    assert await house.code(keyed(2)) == "ran"
    assert await house.status(row) == "spent"

    for number in (3, 4):
        assert await house.code(keyed(number)) == "ran"
        repeated = house.ran[-1].repeated
        assert repeated is not None
        assert (repeated.prompt_id, house.ran[-1].submit) == ("job-2", None)
    assert len(house.bench.asked) == 1


async def test_nobody_is_asked_about_the_jobs_of_others(store: SqliteStore) -> None:
    house = House(Bench(store, {"run_workflow": {}, "cancel_job": ASKS, "clear_queue": ASKS}))
    assert await house.code(submit(1, "bob")) == "ran"
    stop = Call("cancel_job", "ann", "ann", args={}, target="job-1", owner="other agent", stop_ms=1)
    clear = Call("clear_queue", "ann", "ann", args={}, targets=("job-1", "job-2"), stop_ms=1)

    for call in (stop, clear):
        assert await house.code(call) == "not_owner"
    assert house.bench.asked == []


async def test_nobody_is_asked_about_what_is_denied_anyway(store: SqliteStore) -> None:
    rules = {"run_workflow": {**ASKS, "gpu": {"max_steps": 20}}}
    house = House(Bench(store, rules))

    assert await house.code(submit(1, facts=Facts(steps=21))) == "gpu_limit"
    assert house.bench.asked == []
