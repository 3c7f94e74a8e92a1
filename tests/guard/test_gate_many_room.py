"""Runs of one call that find no room: whether waiting helps, for how long, and how many fit."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from comfy_mcp.guard.gate import Call
from comfy_mcp.store.sqlite import SqliteStore
from tests.guard.gatehouse import Bench, submit
from tests.guard.sweeps import BOTH, admitted, denied, held, many, sweep

pytestmark = pytest.mark.anyio

FOUR = {"gpu": {"max_in_flight": 4}}
TEN = {"execute": {"limits": [{"counter": "executes", "window": "minute", "max": 10}]}}
BUILT_IN = {**FOUR, "classes": TEN}
GPU = {"gpu": {"gpu_seconds": [{"window": "hour", "max": 30}]}}
SHARED = {"counter": "x", "window": "hour"}


def tools(run: dict[str, Any], own: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"tools": {"run_workflow": run, "run_sweep": own or {}}}


def under(store: SqliteStore, policy: dict[str, Any]) -> Bench:
    return Bench(store, **policy)


def rate(most: int) -> dict[str, Any]:
    return {"rate_limit": f"{most}/minute"}


def long(*seconds: int, number: int = 1) -> Call:
    return sweep(*({"estimate_ms": 1000 * one} for one in seconds), number=number)


@dataclass(frozen=True)
class Case:
    """Under *policy* a call is refused fifty seconds after some single runs.

    Of these *ended* are over, *held* are not; *run* says more about each. *counts* are how many
    runs of *call* fit then, and how many at all if not all do. *retry*: whether calling again
    helps, or after how many seconds.
    """

    policy: dict[str, Any]
    call: Call
    code: str
    counts: tuple[int, int | None]
    retry: float | bool
    reason: str
    ended: int = 0
    held: int = 0
    run: dict[str, Any] = field(default_factory=dict[str, Any])


CASES = {
    "more than slots, none taken": Case(
        BUILT_IN,
        many(6),
        "never_fits",
        (4, 4),
        retry=False,
        reason="This makes 6 runs; at most 4 unfinished jobs at a time are allowed, so no sweep of"
        " more than 4 fits. Nothing was run; run 4 now and the others when these have ended.",
    ),
    "more than slots, some taken": Case(
        FOUR,
        many(12),
        "never_fits",
        (3, 4),
        retry=False,
        reason="This makes 12 runs; at most 4 unfinished jobs at a time are allowed, so no sweep of"
        " more than 4 fits. Nothing was run; run 3 now, and the others later, 4 at most in one"
        " call.",
        held=1,
    ),
    "more than slots, all taken": Case(
        FOUR,
        many(5),
        "never_fits",
        (0, 4),
        retry=False,
        reason="This makes 5 runs; at most 4 unfinished jobs at a time are allowed, so no sweep of"
        " more than 4 fits. Nothing was run; none fits at the moment: run 4 in one call later, and"
        " then the others.",
        held=4,
    ),
    "more than slots, and a window that is used": Case(
        BUILT_IN,
        many(6),
        "never_fits",
        (2, 4),
        retry=False,
        reason="This makes 6 runs; at most 4 unfinished jobs at a time are allowed, so no sweep of"
        " more than 4 fits. Nothing was run; run 2 now, and the others later, 4 at most in one"
        " call.",
        ended=8,
    ),
    "no slots at all": Case(
        {"gpu": {"max_in_flight": 0}},
        many(2),
        "never_fits",
        (0, 0),
        retry=False,
        reason="This makes 2 runs, and not even the first fits: at most 0 unfinished jobs at a time"
        " are allowed; waiting does not help.",
    ),
    "as many as slots, one taken": Case(
        FOUR,
        many(4),
        "in_flight",
        (3, None),
        retry=True,
        reason="This makes 4 runs, of which 3 fit at the moment: you may have 4 unfinished jobs at"
        " a time, and 1 is taken. Nothing was run; run 3 of them now, or all of them when 1"
        " unfinished job has ended (job-1).",
        held=1,
    ),
    "two runs, all slots taken": Case(
        FOUR,
        many(2),
        "in_flight",
        (0, None),
        retry=True,
        reason="This makes 2 runs, of which none fits at the moment: you may have 4 unfinished jobs"
        " at a time, and 4 are taken. Nothing was run; all of them fit when 2 of your 4 unfinished"
        " jobs have ended (job-1, job-2, job-3, job-4).",
        held=4,
    ),
    "more than a limit": Case(
        tools(rate(5)),
        many(7),
        "never_fits",
        (5, 5),
        retry=False,
        reason="This makes 7 runs, and at most the first 5 fit in one call: run_workflow may be"
        " called 5 times per minute. Nothing was run; run 5 now and the others later.",
    ),
    "more than a limit that is used up": Case(
        tools(rate(5)),
        many(7),
        "never_fits",
        (0, 5),
        retry=False,
        reason="This makes 7 runs, and at most the first 5 fit in one call: run_workflow may be"
        " called 5 times per minute. Nothing was run; none fits at the moment: run 5 in one call"
        " later, and then the others.",
        ended=5,
    ),
    "a window partly used": Case(
        tools(rate(10)),
        many(7),
        "rate_limited",
        (4, None),
        retry=10.0,
        reason="This makes 7 runs, of which 4 fit at the moment: run_workflow may be called 10"
        " times per minute; retry in 10 s. Nothing was run; run 4 of them now, or all of them after"
        " that wait.",
        ended=6,
    ),
    "three of which two fit into the class's window": Case(
        BUILT_IN,
        many(3),
        "rate_limited",
        (2, None),
        retry=10.0,
        reason="This makes 3 runs, of which 2 fit at the moment: all execute tools together may be"
        " called 10 times per minute; retry in 10 s. Nothing was run; run 2 of them now, or all of"
        " them after that wait.",
        ended=8,
    ),
    "a window used up": Case(
        tools(rate(3)),
        many(2),
        "rate_limited",
        (0, None),
        retry=10.0,
        reason="This makes 2 runs, of which none fits at the moment: run_workflow may be called 3"
        " times per minute; retry in 10 s. Nothing was run; all of them fit after that wait.",
        ended=3,
    ),
    "slots and a window, of which slots let fewer in": Case(
        BUILT_IN,
        many(3),
        "in_flight",
        (1, None),
        retry=True,
        reason="This makes 3 runs, of which 1 fits at the moment: you may have 4 unfinished jobs at"
        " a time, and 3 are taken. Nothing was run; run 1 of them now, or all of them when 2 of"
        " your 3 unfinished jobs have ended (job-6, job-7, job-8), but not before 10 s.",
        ended=5,
        held=3,
    ),
    "slots and a window, of which the window lets fewer in": Case(
        BUILT_IN,
        many(3),
        "rate_limited",
        (1, None),
        retry=10.0,
        reason="This makes 3 runs, of which 1 fits at the moment: all execute tools together may be"
        " called 10 times per minute; retry in 10 s. Nothing was run; run 1 of them now, or all of"
        " them after that wait, when 1 of your 2 unfinished jobs has ended (job-8, job-9).",
        ended=7,
        held=2,
    ),
    "slots that never suffice beside a window that will": Case(
        {**FOUR, **tools(rate(10))},
        many(5),
        "never_fits",
        (1, 4),
        retry=False,
        reason="This makes 5 runs; at most 4 unfinished jobs at a time are allowed, so no sweep of"
        " more than 4 fits. Nothing was run; run 1 now, and the others later, 4 at most in one"
        " call.",
        ended=9,
    ),
    "two limits that never suffice": Case(
        {**FOUR, **tools(rate(3))},
        many(5),
        "never_fits",
        (3, 3),
        retry=False,
        reason="This makes 5 runs, and at most the first 3 fit in one call: run_workflow may be"
        " called 3 times per minute. Nothing was run; run 3 now and the others later.",
    ),
    "more than a budget": Case(
        GPU,
        long(10, 15, 10),
        "never_fits",
        (2, 2),
        retry=False,
        reason="This makes 3 runs, and at most the first 2 fit in one call: run_workflow may use 30"
        " s of GPU time per hour. Nothing was run; run 2 now and the others later.",
    ),
    "a budget partly used": Case(
        GPU,
        long(10, 15),
        "budget_exhausted",
        (1, None),
        retry=3550.0,
        reason="This makes 2 runs, of which 1 fits at the moment: run_workflow may use 30 s of GPU"
        " time per hour; retry in 3550 s. Nothing was run; run 1 of them now, or all of them after"
        " that wait.",
        held=1,
        run={"estimate_ms": 10_000},
    ),
    "a run that is more than the budget": Case(
        GPU,
        long(31),
        "never_fits",
        (0, 0),
        retry=False,
        reason="This makes 1 run, and not even the first fits: run_workflow may use 30 s of GPU"
        " time per hour; waiting does not help.",
    ),
    "one counter for the call and for its runs": Case(
        tools({"limits": [{**SHARED, "max": 3}]}, {"limits": [{**SHARED, "max": 9}]}),
        many(3),
        "never_fits",
        (2, 2),
        retry=False,
        reason="This makes 3 runs, and at most the first 2 fit in one call: run_workflow may be"
        " called 3 times per hour, and this call itself counts, too. Nothing was run; run 2 now and"
        " the others later.",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_no_room_for_all(store: SqliteStore, case: Case) -> None:
    bench = under(store, {**tools({}), **case.policy})
    for number in range(1, case.ended + case.held + 1):
        async with bench.gate.admit(submit(number, **case.run)):
            pass
        if number <= case.ended:
            await store.move_job(f"job-{number}", "completed", bench.now_ms)
    bench.now_ms += 50_000
    denial = await denied(bench, case.call)

    assert denial.reason == case.reason
    assert denial.code == case.code
    assert denial.retryable is (case.retry is not False)
    assert denial.retry_after_s == (None if isinstance(case.retry, bool) else case.retry)
    assert denial.limit is not None
    assert denial.limit["runs"] == len(case.call.variants)
    assert (denial.limit["fit"], denial.limit.get("fit_at_once")) == case.counts

    # What is said to fit does, one more does not, and what is said to fit after a wait does then.
    fit, runs = case.counts[0], case.call.variants
    if not isinstance(case.retry, bool) and not (case.held and case.ended):
        bench.now_ms += int(case.retry * 1000)
        await admitted(bench, case.call)
    elif fit:
        await denied(bench, replace(case.call, variants=runs[: fit + 1]))
        await admitted(bench, replace(case.call, variants=runs[:fit]))


async def test_a_limit_of_the_sweep_tool_refuses_the_call_whatever_it_runs(
    store: SqliteStore,
) -> None:
    bench = Bench(store, {"run_workflow": {}, "run_sweep": rate(1)})
    await admitted(bench, many(9))
    bench.now_ms += 50_000
    denial = await denied(bench, many(2, number=2))
    assert (denial.code, denial.retryable, denial.retry_after_s) == ("rate_limited", True, 10)
    assert denial.reason == (
        "This makes 2 runs, of which none fits at the moment: run_sweep may be called once per"
        " minute; retry in 10 s. Nothing was run; all of them fit after that wait."
    )


async def test_two_runs_fit_where_eight_of_ten_are_used(store: SqliteStore) -> None:
    bench = Bench(store, BOTH, classes=TEN)
    await admitted(bench, many(8))
    await admitted(bench, many(2, number=2))
    assert await held(bench) == {"executes": 10}


async def test_slots_of_a_refused_sweep_are_looked_at_anew(store: SqliteStore) -> None:
    bench = under(store, {"tools": BOTH, **BUILT_IN})
    await admitted(bench, many(4))
    assert (await denied(bench, many(2, number=2))).code == "in_flight"
    assert bench.asked_to_reconcile == ["local"]


# What counts the call, and what its runs


@pytest.mark.parametrize(
    ("policy", "taken"),
    [
        ({"classes": TEN}, {"executes": 3}),
        ({"all_tools": {"limits": [{**SHARED, "max": 9}]}}, {"x": 3}),
        ({"tools": {**BOTH, "run_*": {"limits": [{**SHARED, "max": 9}]}}}, {"x": 3}),
        (tools({}, {"limits": [{**SHARED, "max": 9}]}), {"x": 1}),
        (tools({"limits": [{**SHARED, "max": 9}]}), {"x": 3}),
        # Written for the sweep tool itself, and in a counter of the class: both as they say.
        (
            {
                **tools({}, {"limits": [{**SHARED, "max": 2}]}),
                "classes": {"execute": {"limits": [{**SHARED, "max": 9}]}},
            },
            {"x": 4},
        ),
    ],
    ids=["class", "all tools", "glob for both", "run_sweep", "run_workflow", "own and class"],
)
async def test_a_limit_that_the_runs_are_under_counts_them_and_not_the_call(
    store: SqliteStore, policy: dict[str, Any], taken: dict[str, int]
) -> None:
    bench = under(store, {"tools": BOTH, **policy})
    await admitted(bench, many(3))
    assert await held(bench) == taken


async def test_amounts_of_a_class_are_those_of_the_runs(store: SqliteStore) -> None:
    steps = {**SHARED, "max": 99, "increment_from": "args.params.steps"}
    bench = Bench(store, BOTH, classes={"execute": {"limits": [steps]}})
    await admitted(bench, sweep({"params": {"steps": 20}}, {"params": {"steps": 30}}))
    assert await held(bench) == {"x": 50}
    denial = await denied(bench, sweep({"params": {"steps": "many"}}, number=2))
    assert (denial.code, denial.reason[:11]) == ("invalid_args", "Run 1 of 1:")
