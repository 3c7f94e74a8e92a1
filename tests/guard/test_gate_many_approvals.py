"""A sweep that a person has to decide: one request, one yes, for all of its runs as they were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from comfy_mcp.guard.call import Call
from comfy_mcp.guard.matter import Frozen, Matter
from comfy_mcp.store.asked import DENIED, SPENT, ApprovalRow
from comfy_mcp.store.protocol import NewSweep
from comfy_mcp.store.sqlite import SqliteStore
from comfy_mcp.workflow.facts import Facts
from tests.guard.gatehouse import HOST, Bench, submit
from tests.guard.person import ASKS, CLIENT, House
from tests.guard.sweeps import BOTH, many, sweep

pytestmark = pytest.mark.anyio

LARGE = {
    "require_approval": {
        "when": [{"path": "graph.steps", "op": "gt", "value": 30}],
        "reason": "Long ones wait for Ada.",
    }
}


class Runs(Matter):
    """A sweep as a tool freezes it: what each run would send. Drawn anew, each has other jobs."""

    async def frozen(self) -> Frozen:
        """The digest of each graph stands for the graph."""
        runs = [one.job.digest for one in self.call.variants if one.job is not None]
        return Frozen({"kind": "sweep", "sweep": runs}, {"runs": len(runs)})

    async def remade(self, row: ApprovalRow) -> Call:
        """What was frozen, under the jobs of the call that is made now."""
        pairs = zip(self.call.variants, row.payload["sweep"], strict=True)
        runs = tuple(
            replace(one, job=replace(one.job, digest=digest)) for one, digest in pairs if one.job
        )
        return replace(self.call, variants=runs)


def under(store: SqliteStore, tools: Mapping[str, Any], **policy: Any) -> House:
    return House(Bench(store, dict(tools), **policy))


def attempt(number: int, *steps: int) -> tuple[Call, Matter]:
    """The same sweep, tried again: other ids and digests, as seeds are drawn anew."""
    call = sweep(*({"facts": Facts(steps=one)} for one in steps), number=number)
    return call, Runs(call)


async def test_one_long_run_of_three_makes_one_request_about_all(store: SqliteStore) -> None:
    house = under(store, {"run_workflow": LARGE, "run_sweep": {}})
    row = await house.asked(*attempt(1, 20, 40, 50))

    assert (row.tool, row.facts["runs"]) == ("run_sweep", 3)
    assert row.facts["asks"] == {"/tools/run_workflow/require_approval": "Long ones wait for Ada."}
    assert row.payload["sweep"] == ["sha256:101", "sha256:102", "sha256:103"]
    assert await house.code(*attempt(2, 20, 40, 50)) == "approval_pending"
    assert house.bench.asked == [row]
    await house.nothing_happened()
    # Short ones need nobody.
    assert await house.code(*attempt(3, 20, 30)) == "ran"


@pytest.mark.parametrize("asking", ["run_workflow", "run_sweep"])
async def test_a_yes_lets_all_through_once_and_exactly_what_was_frozen(
    store: SqliteStore, asking: str
) -> None:
    house = under(store, {**BOTH, asking: ASKS})
    row = await house.approved(*attempt(1, 20, 30))
    assert await house.code(*attempt(2, 20, 30)) == "ran"

    (granted,) = house.ran
    permits = [one.submit for one in granted.variants]
    assert [one.digest for one in permits if one] == ["sha256:101", "sha256:102"]
    assert [one.prompt_id for one in permits if one] == ["job-201", "job-202"]
    assert await house.status(row) == SPENT
    spent = await house.row(row.approval_id)
    assert spent.decision_id == granted.decision_id

    decisions = [one for one in await house.bench.rows() if one.get("sweep") == "swp_2"]
    assert [one["approval"] for one in decisions] == [row.approval_id] * 3
    # Nothing was asked about the call, or about the runs: they carry the yes, and need none.
    told = {one["tool"]: one["code"] for one in decisions}
    other = "run_sweep" if asking == "run_workflow" else "run_workflow"
    assert told["run_sweep"] == "approved"
    assert told[other] in {"allowed", "approved"}
    assert await house.code(*attempt(3, 20, 30)) == "approval_required"


async def test_a_no_holds_for_the_same_sweep(store: SqliteStore) -> None:
    house = under(store, {**BOTH, "run_sweep": ASKS})
    row = await house.asked(*attempt(1, 20))
    await house.say(row, DENIED)
    assert await house.code(*attempt(2, 20)) == "approval_denied"
    await house.nothing_happened()


async def test_the_strictest_channel_and_the_shortest_time_of_all_runs_count(
    store: SqliteStore,
) -> None:
    rule = {"require_approval": {"when": [{"path": "graph.steps", "op": "gt", "value": 30}]}}
    rule["require_approval"] |= {"expires": 60, "channel": "operator"}
    usual = {"require_approval": {"channel": "elicitation", "expires": 600}}
    house = under(store, {"run_workflow": rule, "run_sweep": usual})
    row = await house.asked(*attempt(1, 20, 40))
    assert row.channel == "operator"
    assert row.expires_ms - row.created_ms == 60_000
    assert set(row.facts["asks"]) == {
        "/tools/run_sweep/require_approval",
        "/tools/run_workflow/require_approval",
    }


async def test_a_clients_yes_is_not_enough_where_one_run_wants_the_operator(
    store: SqliteStore,
) -> None:
    house = under(store, {**BOTH, "run_workflow": ASKS})
    row = await house.asked(*attempt(1, 20, 40))
    await house.say(row, by=CLIENT)
    assert await house.code(*attempt(2, 20, 40)) != "ran"
    await house.nothing_happened()


async def test_nobody_is_asked_about_what_is_denied_or_would_not_fit(store: SqliteStore) -> None:
    gpu = {"max_steps": 50, "max_in_flight": 3}
    house = under(store, {**BOTH, "run_sweep": ASKS}, gpu=gpu)
    assert await house.code(*attempt(1, 20, 60)) == "gpu_limit"
    denial = await house.attempt(*attempt(2, 20, 20, 20, 20))
    assert denial is not None
    assert (denial.code, denial.limit and denial.limit["fit"]) == ("never_fits", 3)
    assert house.bench.asked == []


async def test_a_yes_is_kept_while_there_is_no_room(store: SqliteStore) -> None:
    house = under(store, {**BOTH, "run_sweep": ASKS}, gpu={"max_in_flight": 3})
    row = await house.approved(*attempt(1, 20, 20))
    assert [await house.code(submit(number)) for number in (1, 2)] == ["ran", "ran"]
    assert await house.code(*attempt(2, 20, 20)) == "in_flight"
    assert await house.status(row) == "approved"
    await store.move_job("job-1", "completed", house.bench.now_ms)
    assert await house.code(*attempt(3, 20, 20)) == "ran"


async def test_a_yes_for_other_runs_or_another_policy_lets_nothing_through(
    store: SqliteStore,
) -> None:
    house = under(store, {**BOTH, "run_sweep": ASKS})
    await house.approved(*attempt(1, 20, 30))
    assert await house.code(*attempt(2, 20, 30, 30)) == "approval_required"
    house.bench.write(tools={**BOTH, "run_sweep": ASKS}, gpu={"max_steps": 90})
    await house.bench.source.refresh()
    assert await house.code(*attempt(3, 20, 30)) == "approval_required"
    await house.nothing_happened()


async def test_what_was_frozen_is_judged_again_with_what_is_known_now(store: SqliteStore) -> None:
    house = under(store, {**BOTH, "run_sweep": ASKS})
    row = await house.approved(*attempt(1, 20, 30))
    call, _ = attempt(2, 20, 30)

    class Unmeasured(Runs):
        async def remade(self, row: ApprovalRow) -> Call:
            """One of the runs could not be measured any more."""
            made = await super().remade(row)
            first, second = made.variants
            return replace(made, variants=(first, replace(second, run=None)))

    denial = await house.attempt(call, Unmeasured(call))
    assert denial is not None
    assert denial.code == "undetermined"
    assert denial.reason.startswith("Run 2 of 2 ")
    assert await house.status(row) == "approved"
    await house.nothing_happened()


async def test_a_repeat_under_a_key_asks_nobody(store: SqliteStore) -> None:
    house = under(store, BOTH)
    call = many(2, key="k", request="sha256:r")
    assert await house.code(call) == "ran"
    house.bench.write(tools={**BOTH, "run_sweep": ASKS})
    assert await house.code(many(2, key="k", request="sha256:r", number=2)) == "ran"
    assert house.ran[-1].sweep is not None
    assert house.bench.asked == []


async def test_the_sweep_of_another_host_is_no_use_for_a_yes(store: SqliteStore) -> None:
    house = under(store, {**BOTH, "run_sweep": ASKS})
    row = await house.approved(*attempt(1, 20))
    call, matter = attempt(2, 20)
    assert call.sweep is not None
    elsewhere = replace(call, sweep=NewSweep("swp_2", "local", "http://other", "card"))
    matter.call = elsewhere
    assert await house.code(elsewhere, matter) == "approval_outdated"
    assert await house.status(row) == "approved"
    assert await store.unfinished(host=HOST) == ()
