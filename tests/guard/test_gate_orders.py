"""The gate under orders: freezes, cool-downs, edits of the policy, budgets, the watchdog."""

from __future__ import annotations

from dataclasses import replace

import pytest

from comfy_mcp.errors import Denied, PermitError, RateLimited
from comfy_mcp.guard.gate import Call
from comfy_mcp.store.protocol import EVERYBODY, Freeze
from comfy_mcp.store.sqlite import SqliteStore
from comfy_mcp.workflow.facts import Facts
from tests.guard.gatehouse import NOW, Bench, submit

pytestmark = pytest.mark.anyio

LOOK = Call("get_job", "local", "local", args={"prompt_id": "x"})
ORDER = {"kind": "operator"}


async def code_of(bench: Bench, call: Call) -> str:
    """How the gate answers: ok or the refusal's code."""
    try:
        async with bench.gate.admit(call):
            return "ok"
    except (Denied, RateLimited) as refusal:
        return refusal.denial.code


async def test_a_freeze_refuses_everything_at_once_and_says_why(store: SqliteStore) -> None:
    bench = Bench(store, {"get_job": {}, "run_workflow": {}})
    await store.freeze(NOW, Freeze(EVERYBODY, "maintenance"), ORDER)

    assert [await code_of(bench, call) for call in (LOOK, submit(1))] == ["frozen", "frozen"]
    with pytest.raises(Denied, match="maintenance"):
        await bench.gate.screen(LOOK)
    await store.unfreeze(NOW, EVERYBODY, ORDER)
    assert await code_of(bench, submit(2)) == "ok"


async def test_a_freeze_can_spare_reads_and_other_grants(store: SqliteStore) -> None:
    bench = Bench(store, {"get_job": {}, "run_workflow": {}})
    await store.freeze(NOW, Freeze("local", keep_reads=True), ORDER)

    assert await code_of(bench, LOOK) == "ok"
    assert await code_of(bench, submit(1)) == "frozen"
    assert await code_of(bench, submit(2, "ann")) == "ok"


async def test_a_denial_under_a_freeze_is_told_as_the_freeze(store: SqliteStore) -> None:
    bench = Bench(store, {"get_job": {}})
    await store.freeze(NOW, Freeze(EVERYBODY), ORDER)

    assert await code_of(bench, submit(1)) == "frozen"
    assert (await bench.rows())[-1]["code"] == "frozen"


async def test_too_many_refusals_cool_a_caller_down_and_no_other(store: SqliteStore) -> None:
    denials = {"max": 3, "window": "minute", "cooldown": 120}
    bench = Bench(store, {"get_job": {}}, denials=denials)

    codes = [await code_of(bench, submit(number)) for number in range(3)]
    assert codes == ["denied"] * 3
    with pytest.raises(RateLimited) as caught:
        await bench.gate.screen(LOOK)
    assert caught.value.denial.code == "cooldown"
    assert caught.value.denial.retry_after_s == 120.0
    assert await code_of(bench, replace(LOOK, identity="ann", grant="ann")) == "ok"

    bench.now_ms += 119_999
    assert await code_of(bench, LOOK) == "cooldown"
    bench.now_ms += 1
    assert await code_of(bench, LOOK) == "ok"


async def test_an_edit_counts_from_the_next_call(store: SqliteStore) -> None:
    bench = Bench(store, {"run_workflow": {}})
    assert await code_of(bench, submit(1)) == "ok"

    bench.write(tools={"get_job": {}})

    assert await code_of(bench, submit(2)) == "denied"
    assert await code_of(bench, LOOK) == "ok"


async def test_an_edit_that_cannot_be_used_changes_nothing(store: SqliteStore) -> None:
    bench = Bench(store, {"run_workflow": {}})
    bench.file.write_text('{"version": "1", "default": "allow", "tools": {')

    assert await code_of(bench, submit(1)) == "ok"
    assert await code_of(bench, LOOK) == "denied"
    assert bench.source.degraded


async def test_a_closed_source_refuses_everything(store: SqliteStore) -> None:
    bench = Bench(store, {"run_workflow": {}, "get_job": {}}, on_bad="freeze")
    bench.file.write_text("{")

    assert await code_of(bench, LOOK) == "policy_unavailable"
    bench.write(tools={"get_job": {}})
    assert await code_of(bench, LOOK) == "ok"


async def test_a_caller_whose_grant_was_taken_away_meanwhile_gets_nothing(
    store: SqliteStore,
) -> None:
    grants = {"ann": {"match": {"stdio": "laptop"}}}
    bench = Bench(store, {"get_job": {}}, grants=grants)
    call = replace(LOOK, identity="laptop", grant=bench.gate.grant("laptop"))
    assert call.grant == "ann"
    assert await code_of(bench, call) == "ok"

    bench.write(tools={"get_job": {}}, grants={"bea": {"match": {"stdio": "laptop"}}})
    assert await code_of(bench, call) == "policy_unavailable"
    bench.write(tools={"get_job": {}}, grants={"ann": {"revoked": True}})
    assert await code_of(bench, call) == "no_grant"


async def test_gpu_time_is_reserved_and_then_counted_as_it_was(store: SqliteStore) -> None:
    budget = [{"window": "hour", "max": 100}]
    bench = Bench(
        store, {"run_workflow": {}}, gpu={"gpu_seconds": budget, "max_seconds_per_job": 60}
    )
    assert await code_of(bench, submit(1)) == "ok"
    assert await code_of(bench, submit(2)) == "budget_exhausted"
    assert bench.asked_to_reconcile == ["local"]

    await store.move_job("job-1", "completed", bench.now_ms, gpu_ms=10_000)

    assert await code_of(bench, submit(3)) == "ok"
    assert await code_of(bench, submit(4, estimate_ms=31_000)) == "budget_exhausted"
    assert await code_of(bench, submit(5, estimate_ms=30_000)) == "ok"


async def test_a_job_carries_the_time_that_the_policy_gave_it(store: SqliteStore) -> None:
    bench = Bench(store, {"run_workflow": {}}, gpu={"max_seconds_per_job": 2.5})
    assert await code_of(bench, submit(1)) == "ok"

    row = await store.job("job-1")
    assert row is not None
    assert (row.cap_ms, row.cap_rule) == (2_500, "/gpu/max_seconds_per_job")
    permit = await bench.gate.overtime(row)
    permit.check(prompt_id="job-1", now_ms=bench.now_ms)
    with pytest.raises(PermitError):
        permit.check(prompt_id="job-2", now_ms=bench.now_ms)
    told = (await bench.rows())[-1]
    assert (told["tool"], told["code"], told["rule"]) == (
        "watchdog",
        "overtime",
        "/gpu/max_seconds_per_job",
    )


async def test_every_decision_is_told_once_as_it_is_written(store: SqliteStore) -> None:
    bench = Bench(store, {"run_workflow": {"rate_limit": "1/minute"}})
    codes = [await code_of(bench, call) for call in (submit(1), submit(2), LOOK)]

    assert codes == ["ok", "rate_limited", "denied"]
    written = [row for row in await bench.rows() if row["kind"] == "decision"]
    assert [row["code"] for row in bench.told] == ["allowed", "rate_limited", "denied"]
    assert [row["decision_id"] for row in bench.told] == [row["decision_id"] for row in written]


async def test_the_facts_of_a_run_stand_in_its_row(store: SqliteStore) -> None:
    bench = Bench(store, {"run_workflow": {}})
    facts = Facts(nodes=3, steps=20, megapixels=1.5, unknown_classes={"Odd": "7"})
    assert await code_of(bench, submit(1, facts=facts)) == "ok"

    row = (await bench.rows())[0]
    assert (row["facts"]["steps"], row["facts"]["megapixels"]) == (20, 1.5)
    assert row["facts"]["unknown_classes"] == ["Odd"]


async def test_a_job_that_was_not_measured_is_not_admitted(store: SqliteStore) -> None:
    bench = Bench(store, {"run_workflow": {}})

    with pytest.raises(AssertionError):
        await code_of(bench, replace(submit(1), run=None))
    assert await store.job("job-1") is None


async def test_what_the_evaluator_stumbles_over_is_refused(
    store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(store, {"get_job": {"deny_if": [{"path": "time.hour", "op": "gt", "value": 99}]}})
    (rule,) = bench.source.current.policy.files[0].layer.rules
    (predicate,) = rule.deny_if
    (condition,) = predicate.conditions
    # The one way in: a comparison that breaks its promise to be total.
    object.__setattr__(condition, "holds", None)

    assert await code_of(bench, LOOK) == "policy_unavailable"
    assert "could not be judged" in caplog.text
