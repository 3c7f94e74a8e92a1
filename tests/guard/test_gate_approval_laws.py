"""Whatever agents, operators and clocks do, in any order: no yes, no run; one yes, one run."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from comfy_mcp.store.asked import ApprovalRow
from comfy_mcp.store.protocol import Freeze
from comfy_mcp.store.sqlite import SqliteStore
from tests.guard.gatehouse import Bench
from tests.guard.person import CLIENT, OPERATOR, Files, House, run

ASK: dict[str, Any] = {"require_approval": {"channel": "any"}}
POLICIES: dict[str, dict[str, Any]] = {
    "any": {"tools": {"run_workflow": ASK}},
    "other words": {"tools": {"run_workflow": ASK}, "description": "the same, said otherwise"},
    "operator": {"tools": {"run_workflow": {"require_approval": True}}},
    "allow": {"tools": {"run_workflow": {}}},
    "deny": {"tools": {"run_workflow": {"action": "deny"}}},
}
APPROVALS = {"max_pending": 3, "expires": 60}

RECENT = st.integers(0, 3)
AGAIN = st.tuples(st.just("call"), st.just("ann"), st.just(1))
YES = st.tuples(st.just("rule"), st.just(0), st.just("approved"))
ACTIONS = st.one_of(
    *(AGAIN, AGAIN, AGAIN, YES, YES),
    st.tuples(
        st.just("call"), st.sampled_from(("ann", "bob")), st.sampled_from((1, 1.0, True, "1"))
    ),
    st.tuples(st.just("rule"), RECENT, st.sampled_from(("approved", "denied", "cancelled"))),
    st.tuples(st.just("client"), RECENT, st.just("approved")),
    st.tuples(st.just("skip"), st.sampled_from((1, 20_000, 59_999, 60_000)), st.none()),
    st.tuples(st.just("edit"), st.sampled_from(sorted(POLICIES)), st.none()),
    st.tuples(st.just("freeze"), st.booleans(), st.none()),
    st.tuples(st.just("swap"), st.sampled_from(("red", "blue")), st.none()),
)


class World:
    """A house, and what it is like at the moment; *meant* says what each request was made for."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.policy = "any"
        self.house = House(Bench(store, approvals=APPROVALS, **POLICIES["any"]))
        self.meant: dict[str, tuple[Any, ...]] = {}
        self.picture = "red"
        self.frozen = False
        self.jobs = 0

    async def do(self, what: str, one: Any, two: Any) -> None:
        """One action."""
        bench = self.house.bench
        if what == "call":
            await self.call(one, two)
        elif what in {"rule", "client"}:
            newest = (await self.rows())[::-1]
            if one < len(newest):
                by = OPERATOR if what == "rule" else CLIENT
                await self.house.say(newest[one], two, by=by)
        elif what == "skip":
            bench.now_ms += one
        elif what == "edit":
            self.policy = one
            bench.write(approvals=APPROVALS, **POLICIES[one])
            await bench.source.refresh()
        elif what == "freeze":
            order = {"kind": "operator"}
            if one and not self.frozen:
                await self.store.freeze(bench.now_ms, Freeze("ann"), order)
            elif not one and self.frozen:
                await self.store.unfreeze(bench.now_ms, "ann", order)
            self.frozen = one
        else:
            self.picture = one

    async def rows(self) -> list[ApprovalRow]:
        """All requests as they stand now, oldest first."""
        found = await self.store.approvals(self.house.bench.now_ms, count=100)
        return sorted(found, key=lambda row: row.seq)

    async def call(self, grant: str, value: object) -> None:
        """Make a call, and hold what becomes of it against what stood before."""
        self.jobs += 1
        call = run(self.jobs, grant, value=value)
        wanted = (grant, repr(value), self.picture, self.policy)
        before = {row.approval_id: row for row in await self.rows()}
        enough = {"operator", "client"} if self.policy != "operator" else {"operator"}
        usable = {
            key
            for key, row in before.items()
            if row.status == "approved"
            and self.meant[key] == wanted
            and row.by.get("assurance") in enough
        }

        denial = await self.house.attempt(call, Files(call, {"x.png": self.picture}))

        after = {row.approval_id: row for row in await self.rows()}
        used = {key for key, row in after.items() if row.status == "spent"}
        spent = {key for key in used if before[key].status != "spent"}
        stopped = self.frozen and grant == "ann"
        for key in after.keys() - before.keys():
            assert denial is not None
            assert (denial.code, denial.approval_id) == ("approval_required", key)
            self.meant[key] = wanted
        if denial is not None:
            assert spent == set()
            assert await self.store.job(f"job-{self.jobs}") is None
            assert stopped or self.policy != "allow"
            assert stopped or not usable or self.policy == "deny"
            return
        assert not stopped
        assert self.policy != "deny"
        assert after.keys() == before.keys()
        if self.policy == "allow":
            assert spent == set()
        else:
            assert len(spent) == 1
            assert spent <= usable
            assert after[spent.pop()].prompt_id == f"job-{self.jobs}"


async def play(actions: list[tuple[str, Any, Any]]) -> None:
    """All *actions*, one after the other, in a world of their own."""
    with TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "state")
        try:
            world = World(store)
            for action in actions:
                await world.do(*action)
            pending = [row for row in await world.rows() if row.status == "pending"]
            for grant in ("ann", "bob"):
                assert sum(row.grant == grant for row in pending) <= APPROVALS["max_pending"]
            assert (await store.verify())[1] is None
        finally:
            await store.close()


@given(st.lists(ACTIONS, min_size=4, max_size=25))
@settings(max_examples=60)
def test_no_yes_no_run_and_one_yes_one_run(actions: list[tuple[str, Any, Any]]) -> None:
    asyncio.run(play(actions))
