"""A call that makes many runs: judged as a whole, let in as a whole, written down one by one."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import anyio
import pytest

from comfy_mcp.errors import (
    Denied,
    HostRejected,
    KeyConflict,
    PermitError,
    RateLimited,
)
from comfy_mcp.store.protocol import Freeze
from comfy_mcp.store.sqlite import SqliteStore
from comfy_mcp.workflow.facts import Facts
from tests.guard.gatehouse import HOST, Bench, submit
from tests.guard.sweeps import BOTH, admitted, denied, held, many, sweep

pytestmark = pytest.mark.anyio


# Let in


async def test_every_run_gets_a_permit_for_its_own_graph_and_job(store: SqliteStore) -> None:
    bench = Bench(store, BOTH)
    granted = await admitted(bench, many(3))

    assert granted.submit is None
    assert len(granted.variants) == 3
    first, second, _ = granted.variants
    assert first.submit is not None
    assert second.submit is not None
    with pytest.raises(PermitError):
        first.submit.spend(prompt_id="job-102", digest="sha256:102")
    second.submit.spend(prompt_id="job-102", digest="sha256:102")

    jobs = await store.sweep_jobs("swp_1")
    assert [row.prompt_id for row in jobs] == ["job-101", "job-102", "job-103"]
    assert [row.decision_id for row in jobs] == [one.decision_id for one in granted.variants]
    row = await store.sweep("swp_1")
    assert row is not None
    assert row.decision_id == granted.decision_id


async def test_the_log_has_a_decision_and_an_outcome_for_the_whole_and_for_each_run(
    store: SqliteStore,
) -> None:
    bench = Bench(store, BOTH)
    async with bench.gate.admit_many(many(3)) as granted:
        granted.note(1, "host_rejected")

    rows = await bench.rows()
    whole, *runs = rows[:4]
    assert (whole["tool"], whole["sweep"], whole["variants"]) == ("run_sweep", "swp_1", 3)
    assert whole["workflow"] == "card"
    assert [(row["tool"], row["sweep"], row["variant"], row["prompt_id"]) for row in runs] == [
        ("run_workflow", "swp_1", number, f"job-10{number}") for number in (1, 2, 3)
    ]
    assert [row["decision"] for row in rows[:4]] == ["allow"] * 4
    assert len({row["decision_id"] for row in rows[:4]}) == 4
    assert [(row["decision_id"], row["outcome"]) for row in rows[4:]] == [
        (granted.decision_id, "ok"),
        *zip(
            (one.decision_id for one in granted.variants),
            ("ok", "host_rejected", "ok"),
            strict=True,
        ),
    ]
    assert [row["decision_id"] for row in bench.told] == [row["decision_id"] for row in rows[:4]]
    assert (await store.verify())[1] is None


async def test_a_failure_of_the_call_is_the_outcome_of_all_that_are_not_noted(
    store: SqliteStore,
) -> None:
    bench = Bench(store, BOTH)

    async def call() -> None:
        async with bench.gate.admit_many(many(2)) as granted:
            granted.note(0, "ok")
            raise HostRejected("No.")

    with pytest.raises(HostRejected):
        await call()
    assert [row["outcome"] for row in (await bench.rows())[3:]] == [
        HostRejected.code,
        "ok",
        HostRejected.code,
    ]


async def test_limits_of_the_run_count_every_run_and_those_of_the_call_count_once(
    store: SqliteStore,
) -> None:
    limit = {"window": "hour", "max": 50}
    bench = Bench(
        store,
        {
            "run_workflow": {"limits": [{"counter": "runs", **limit}]},
            "run_sweep": {"limits": [{"counter": "sweeps", **limit}]},
        },
        classes={"execute": {"limits": [{"counter": "starts", **limit}]}},
        all_tools={"limits": [{"counter": "all", **limit}]},
    )
    await admitted(bench, many(3))
    assert await held(bench) == {"runs": 3, "sweeps": 1, "starts": 3, "all": 3}


async def test_what_a_graph_takes_is_taken_by_the_runs_and_not_again_by_the_call(
    store: SqliteStore,
) -> None:
    steps = {"counter": "steps", "window": "hour", "max": 500, "increment_from": "graph.steps"}
    bench = Bench(
        store,
        BOTH,
        classes={"execute": {"limits": [steps]}},
        gpu={"gpu_seconds": [{"window": "hour", "max": 900}]},
    )
    call = sweep(
        {"facts": Facts(steps=20), "estimate_ms": 10_000},
        {"facts": Facts(steps=30), "estimate_ms": 5_000},
    )
    await admitted(bench, call)
    assert await held(bench) == {"steps": 50, "gpu_seconds/3600": 15}
    await store.move_job("job-101", "completed", bench.now_ms, gpu_ms=2_000)
    assert await held(bench) == {"steps": 50, "gpu_seconds/3600": 7}


async def test_budgets_and_caps_of_the_sweep_tool_hold_for_its_runs_only(
    store: SqliteStore,
) -> None:
    tight = {"max_in_flight": 2, "gpu_seconds": [{"window": "hour", "max": 20}]}
    tight["max_seconds_per_job"] = 60
    bench = Bench(
        store,
        {"run_workflow": {}, "run_sweep": {"gpu": tight}},
        gpu={"max_in_flight": 9, "max_seconds_per_job": 600},
    )
    short = {"estimate_ms": 1_000}
    denial = await denied(bench, sweep(short, short, short))
    assert (denial.code, denial.rule) == ("never_fits", "/tools/run_sweep/gpu/max_in_flight")
    dear = sweep({"estimate_ms": 15_000}, {"estimate_ms": 15_000})
    denial = await denied(bench, dear)
    assert (denial.code, denial.rule) == ("never_fits", "/tools/run_sweep/gpu/gpu_seconds/0")
    await admitted(bench, sweep({"estimate_ms": 9_000}, {"estimate_ms": 9_000}))
    assert [row.cap_ms for row in await store.sweep_jobs("swp_1")] == [60_000] * 2
    # A run of its own has the wider cap.
    async with bench.gate.admit(submit(1)):
        pass
    assert len(await store.unfinished(host=HOST)) == 3


# Refused


async def test_a_no_to_one_run_is_a_no_to_all_and_names_it(store: SqliteStore) -> None:
    bench = Bench(store, BOTH, gpu={"max_steps": 30})
    call = sweep(
        {"params": {"steps": 20, "cfg": 7}, "facts": Facts(steps=20)},
        {"params": {"steps": 60, "cfg": 7}, "facts": Facts(steps=60)},
        {"params": {"steps": 90, "cfg": 7}, "facts": Facts(steps=90)},
    )
    denial = await denied(bench, call)
    assert (denial.code, denial.rule) == ("gpu_limit", "/gpu/max_steps")
    assert denial.reason == (
        "Run 2 of 3 (steps 60): This workflow asks for 60 steps; at most 30 steps are allowed: ask"
        " for less."
    )
    assert denial.fix == {"path": "graph.steps", "got": 60, "max": 30}
    row = (await bench.rows())[-1]
    assert row["variant"] == 2
    assert row["facts"]["steps"] == 60


async def test_rules_for_the_sweep_tool_look_at_every_graph(store: SqliteStore) -> None:
    small = {"conditions": [{"path": "graph.width", "op": "lte", "value": 512}]}
    bench = Bench(store, {"run_workflow": {}, "run_sweep": {"require": [small]}})
    assert len((await admitted(bench, sweep({"facts": Facts(width=512)}))).variants) == 1
    call = sweep({"facts": Facts(width=512)}, {"facts": Facts(width=513)}, number=2)
    denial = await denied(bench, call)
    assert (denial.code, denial.rule) == ("require_failed", "/tools/run_sweep/require/0")
    # For a run of its own the rule is none.
    async with bench.gate.admit(submit(1, facts=Facts(width=2_000))):
        pass


async def test_arguments_of_a_run_are_judged_as_those_of_run_workflow(store: SqliteStore) -> None:
    known = {"conditions": [{"path": "args.params.seed", "op": "lte", "value": 2}]}
    bench = Bench(store, {"run_workflow": {"require": [known]}, "run_sweep": {}})
    denial = await denied(bench, many(3))
    assert denial.rule == "/tools/run_workflow/require/0"
    assert denial.reason.startswith("Run 3 of 3 (seed 3): ")


async def test_who_may_not_call_the_sweep_tool_hears_no_number(store: SqliteStore) -> None:
    bench = Bench(store, {"run_workflow": {}, "run_sweep": {"action": "deny"}})
    denial = await denied(bench, many(3))
    assert (denial.code, denial.rule) == ("denied", "/tools/run_sweep")
    assert "Run 1" not in denial.reason


@pytest.mark.parametrize("tools", [{"run_sweep": {}}, {"run_*": {}}])
async def test_who_may_not_run_may_not_run_variants_and_hears_of_no_hidden_tool(
    store: SqliteStore, tools: dict[str, Any]
) -> None:
    bench = Bench(store, tools, hide=["run_workflow"])
    denial = await denied(bench, many(2))
    assert (denial.code, denial.rule) == ("denied", "")
    assert "run_workflow" not in denial.reason


async def test_runs_before_it_in_the_same_call_fill_the_queue_for_a_run(store: SqliteStore) -> None:
    bench = Bench(store, BOTH, gpu={"max_queue_depth": 5})
    denial = await denied(bench, sweep(*[{"queue_depth": 3}] * 3))
    assert denial.code == "queue_full"
    assert denial.reason.startswith("Run 3 of 3 (seed 3): ComfyUI has 5 jobs")
    assert len((await admitted(bench, sweep(*[{"queue_depth": 3}] * 2))).variants) == 2


async def test_a_freeze_refuses_all(store: SqliteStore) -> None:
    bench = Bench(store, BOTH)
    await store.freeze(bench.now_ms, Freeze("local", "Lunch."), {"kind": "operator"})
    assert (await denied(bench, many(3))).code == "frozen"


async def test_a_refusal_of_many_runs_counts_as_one(store: SqliteStore) -> None:
    bench = Bench(
        store, {"run_workflow": {}}, denials={"max": 3, "window": "minute", "cooldown": 60}
    )
    for number in range(3):
        assert (await denied(bench, many(5, number=number + 1))).code == "denied"
    assert (await denied(bench, many(5, number=9))).code == "cooldown"


async def test_no_runs_and_too_many_are_refused(store: SqliteStore) -> None:
    bench = Bench(store, BOTH)
    assert (await denied(bench, many(0))).code == "denied"
    denial = await denied(bench, many(101))
    assert denial.code == "too_many"
    assert "101" in denial.reason


async def test_a_sweep_never_passes_the_gate_for_single_calls(store: SqliteStore) -> None:
    bench = Bench(store, BOTH)
    with pytest.raises(Denied) as caught:
        async with bench.gate.admit(replace(many(2), variants=(), sweep=None)):
            pass
    assert caught.value.denial.code == "undetermined"


async def test_an_edit_of_the_policy_between_asking_and_taking_counts(store: SqliteStore) -> None:
    bench = Bench(store, BOTH)
    bench.write(tools={"run_workflow": {}, "run_sweep": {}}, gpu={"max_in_flight": 1})
    assert (await denied(bench, many(2))).code == "never_fits"


async def test_without_a_state_nothing_is_let_in(store: SqliteStore) -> None:
    bench = Bench(store, BOTH)
    await store.close()
    with pytest.raises(Denied) as caught:
        await admitted(bench, many(2))
    assert caught.value.denial.code == "audit_unavailable"


# The same call again


async def test_a_repeat_gets_the_sweep_and_takes_nothing(store: SqliteStore) -> None:
    bench = Bench(store, BOTH, gpu={"max_in_flight": 3})
    first = await admitted(bench, many(3, key="k", request="sha256:r"))
    assert first.sweep is None
    taken = await store.accounts(), await store.unfinished(host=HOST)

    again = await admitted(bench, many(3, key="k", request="sha256:r", number=2))
    assert again.sweep is not None
    assert again.sweep.sweep_id == "swp_1"
    assert again.variants == ()
    assert (await store.accounts(), await store.unfinished(host=HOST)) == taken
    decision, outcome = (await bench.rows())[-2:]
    assert (decision["code"], decision["sweep"]) == ("repeated", "swp_1")
    assert outcome["outcome"] == "ok"


async def test_another_request_under_the_same_key_is_a_conflict(store: SqliteStore) -> None:
    bench = Bench(store, BOTH)
    await admitted(bench, many(3, key="k", request="sha256:r"))
    with pytest.raises(KeyConflict, match="sweep swp_1"):
        await admitted(bench, many(2, key="k", request="sha256:other", number=2))
    assert await store.sweep("swp_2") is None
    assert (await bench.rows())[-1]["code"] == KeyConflict.code


async def test_a_repeat_by_one_who_may_not_call_it_any_more_is_refused(store: SqliteStore) -> None:
    bench = Bench(store, BOTH)
    await admitted(bench, many(2, key="k", request="sha256:r"))
    bench.write(tools={"run_workflow": {}, "run_sweep": {"action": "deny"}})
    with pytest.raises(Denied):
        await admitted(bench, many(2, key="k", request="sha256:r", number=2))


async def test_of_two_at_once_under_one_key_one_makes_the_sweep(store: SqliteStore) -> None:
    bench = Bench(store, BOTH)
    calls = [many(3, key="k", request="sha256:r", number=number) for number in (1, 2, 3, 4)]
    granted = await asyncio.gather(*(admitted(bench, call) for call in calls))
    assert sorted(len(one.variants) for one in granted) == [0, 0, 0, 3]
    assert len(await store.unfinished(host=HOST)) == 3


# Given up


async def decisions(bench: Bench, kind: str) -> list[str]:
    """The ids that rows of *kind* have, sorted."""
    return sorted(row["decision_id"] for row in await bench.rows() if row["kind"] == kind)


async def test_a_caller_that_gives_up_at_any_moment_keeps_no_slot_unless_it_was_let_in(
    store: SqliteStore,
) -> None:
    bench = Bench(store, BOTH)
    let_in: set[int] = set()

    async def call(turns: int) -> None:
        async with bench.gate.admit_many(many(3, number=turns, key=f"k{turns}")):
            let_in.add(turns)

    for turns in range(40):
        task = asyncio.create_task(call(turns))
        for _ in range(turns):
            await anyio.lowlevel.checkpoint()
        task.cancel()
        await asyncio.wait([task])
        jobs = await store.sweep_jobs(f"swp_{turns}")
        # One that was let in may still be cancelled while its outcome is written down.
        assert turns in let_in or task.cancelled()
        wanted = {"submitting"} if turns in let_in else {"refused"}
        assert {row.status for row in jobs} <= wanted
        assert len(jobs) in ({3} if turns in let_in else {0, 3})
        is_held = await store.keyed_sweep(HOST, "local", f"k{turns}") is not None
        assert is_held == (turns in let_in)
    with anyio.fail_after(30):
        # Who gives up while its outcome is written down does not wait for that.
        while (ids := await decisions(bench, "decision")) != await decisions(bench, "outcome"):
            await anyio.lowlevel.checkpoint()
    assert ids


async def test_a_caller_that_is_cancelled_after_it_was_let_in_is_told_so_in_the_log(
    store: SqliteStore,
) -> None:
    bench = Bench(store, BOTH)
    inside = anyio.Event()

    async def call() -> None:
        async with bench.gate.admit_many(many(2)):
            inside.set()
            await anyio.sleep_forever()

    async with anyio.create_task_group() as group:
        group.start_soon(call)
        await inside.wait()
        group.cancel_scope.cancel()
    outcomes = [row["outcome"] for row in await bench.rows() if row["kind"] == "outcome"]
    assert outcomes == ["cancelled_by_client"] * 3
    # What was let in is the jobs' own business from then on.
    assert len(await store.unfinished(host=HOST)) == 2


async def test_two_sweeps_at_once_share_the_slots(store: SqliteStore) -> None:
    bench = Bench(store, BOTH, gpu={"max_in_flight": 5})

    async def attempt(number: int) -> int:
        try:
            return len((await admitted(bench, many(3, number=number))).variants)
        except RateLimited:
            return 0

    found = await asyncio.gather(*(attempt(number) for number in range(1, 6)))
    assert sorted(found) == [0, 0, 0, 0, 3]
