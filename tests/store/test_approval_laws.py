"""Laws of asking under any history: one spend for each yes, no move after expiry, none unlisted.

A random walk of asking, deciding, spending and waiting, with clocks that step back and two stores
on one state, beside a model that fits on a page.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comfy_mcp.store import (
    Admitted,
    ApprovalRow,
    Crowded,
    NewApproval,
    Parked,
    Ruling,
    Spend,
    Store,
    Unapproved,
)
from comfy_mcp.store.asked import (
    APPROVED,
    CALL,
    CANCELLED,
    DENIED,
    EXPIRED,
    HOURLY,
    MOVES,
    PENDING,
    QUESTION,
    SPENT,
)
from tests.store.sample import HOUR, NOW, PERSON, a_request, asking

pytestmark = pytest.mark.anyio

MOST = 2
PAYLOAD = a_request().payload

Step = tuple[Any, ...]


@dataclass
class Asked:
    """A request as it should be; *status* is what was written last."""

    new: NewApproval
    expires_ms: int
    created_ms: int = 0
    status: str = PENDING
    spends: int = 0

    def at(self, now_ms: int) -> str:
        """How it stands."""
        over = self.status in {PENDING, APPROVED} and now_ms >= self.expires_ms
        return EXPIRED if over else self.status

    def is_for(self, new: NewApproval) -> bool:
        """Whether somebody who asks *new* asks for the same."""
        mine = (self.new.grant, self.new.kind, self.new.match)
        return mine == (new.grant, new.kind, new.match)


@dataclass
class Model:
    """All requests, the clock, how many rows the log should have, and every move seen."""

    now_ms: int = 0
    rows: dict[str, Asked] = field(default_factory=dict[str, Asked])
    log: int = 0
    moves: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def move(self, asked: Asked, to: str) -> None:
        """Write a move down, which has to be one."""
        self.moves.append((asked.at(self.now_ms), to))
        asked.status = to

    def standing(self, new: NewApproval) -> Asked | None:
        """What stands for *new*; there is never more than one."""
        found = [
            asked
            for asked in self.rows.values()
            if asked.is_for(new)
            and asked.at(self.now_ms) in {PENDING, APPROVED, DENIED}
            and self.now_ms < asked.expires_ms
        ]
        assert len(found) <= 1
        return found[0] if found else None

    def park(self, new: NewApproval) -> str | Crowded:
        """The id of what stands afterwards, or why nothing was written."""
        found = self.standing(new)
        if found and (found.status == DENIED or found.new.policy == new.policy):
            return found.new.approval_id
        mine = [asked for asked in self.rows.values() if asked.new.grant == new.grant]
        waiting = [asked for asked in mine if asked.at(self.now_ms) == PENDING]
        if len(waiting) - (found in waiting) >= MOST:
            return Crowded(len(waiting))
        ends = sorted(asked.created_ms + HOUR for asked in mine)
        ahead = [end for end in ends if end > self.now_ms]
        if len(ahead) >= HOURLY:
            return Crowded(len(waiting), ahead[-HOURLY] - self.now_ms)
        if found:
            self.move(found, CANCELLED)
            self.log += 1
        self.rows[new.approval_id] = Asked(new, self.now_ms + new.lives_ms, self.now_ms)
        self.log += 1
        return new.approval_id

    def rule(self, approval_id: str, to: str) -> bool:
        """Whether it moves."""
        asked = self.rows.get(approval_id)
        if asked is None or to not in MOVES[asked.at(self.now_ms)] - {SPENT}:
            return False
        if asked.status == DENIED and self.now_ms >= asked.expires_ms:
            return False
        self.move(asked, to)
        self.log += 1
        return True

    def spend(self, spend: Spend, grant: str) -> bool:
        """Whether the call gets through."""
        asked = self.rows.get(spend.approval_id)
        if (
            asked is None
            or asked.at(self.now_ms) != APPROVED
            or asked.new.kind != CALL
            or asked.new.grant != grant
            or (asked.new.effect, asked.new.policy) != (spend.effect, spend.policy)
        ):
            return False
        self.move(asked, SPENT)
        asked.spends += 1
        self.log += 1
        return True


newest = st.sampled_from([0, 0, 0, 1, 1, 2, 3])
"""Which of the requests, counted from the last one that was made."""

statuses = st.sampled_from([APPROVED, DENIED, DENIED, CANCELLED, SPENT, PENDING, EXPIRED])
rights = st.sampled_from(
    [*[(True, True, True)] * 5, (False, True, True), (True, False, True), (True, True, False)]
)
"""Whether grant, effect and policy are those of the request."""

requests = (
    st.integers(0, 2),
    st.sampled_from(["ann", "ann", "bob"]),
    st.sampled_from(["policy 1", "policy 1", "policy 2"]),
    st.sampled_from([CALL, CALL, CALL, CALL, QUESTION]),
    st.sampled_from([0, 1, 9, 30, 90, 200]),
)
steps = st.one_of(
    st.tuples(st.just("park"), *requests),
    st.tuples(st.just("approved"), *requests),
    st.tuples(st.just("rule"), newest, statuses, st.booleans()),
    st.tuples(st.just("spend"), newest, rights),
    st.tuples(st.just("wait"), st.sampled_from([-8, -1, 0, 1, 2, 9, 20, HOUR - 30, HOUR])),
)
loops = st.sampled_from([(), (), (("loop", HOURLY - 4),)])
"""Some begin where somebody has asked and taken back nearly as often as anybody may."""

histories = st.builds(
    lambda first, rest: [*first, *rest], loops, st.lists(steps, min_size=20, max_size=50)
)


class Walk:
    """The model and two stores, side by side."""

    def __init__(self, stores: tuple[Store, Store]) -> None:
        self.model = Model()
        self.stores = stores
        self.now_ms = NOW
        self.count = 0

    async def take(self, step: Step) -> None:
        """Take one step with both, and compare all there is to see."""
        self.count += 1
        kind, *rest = step
        if kind == "wait":
            self.now_ms += rest[0]
        else:
            self.model.now_ms = max(self.model.now_ms, self.now_ms)
            await getattr(self, f"_{kind}")(self.stores[self.count % 2], *rest)
        await self._compare()

    async def _park(self, store: Store, match: int, *rest: Any) -> None:
        grant, policy, kind, lives_ms = rest
        new = a_request(
            f"apr_{self.count}",
            match=str(match),
            grant=grant,
            policy=policy,
            kind=kind,
            lives_ms=lives_ms,
        )
        answer = await store.park(self.now_ms, new, {}, most=MOST)
        expected = self.model.park(new)
        if isinstance(expected, Crowded):
            wait_ms = expected.retry_after_ms
            # The clock that counts may be ahead of the one of who asks.
            behind_ms = self.model.now_ms - self.now_ms
            late = None if wait_ms is None else wait_ms + behind_ms
            assert answer == Crowded(expected.pending, late)
        else:
            assert isinstance(answer, Parked)
            assert answer.row.approval_id == expected
            assert answer.is_new == (expected == new.approval_id)

    async def _loop(self, store: Store, times: int) -> None:
        """Ask and take back, again and again."""
        for _ in range(times):
            self.count += 1
            self.now_ms += 1
            self.model.now_ms = max(self.model.now_ms, self.now_ms)
            await self._park(store, 9, "ann", "policy 1", CALL, 9)
            await self._rule(store, 0, CANCELLED, own=True)

    async def _approved(self, store: Store, *rest: Any) -> None:
        await self._park(store, *rest)
        await self._rule(store, 0, APPROVED, own=True)

    async def _rule(self, store: Store, number: int, to: str, own: object) -> None:
        approval_id = self._id(number)
        asked = self.model.rows.get(approval_id)
        grant = asked.new.grant if asked and own else None
        ruling = Ruling(to, PERSON)
        moved, row = await store.rule(self.now_ms, approval_id, ruling, {}, grant=grant)
        assert moved == self.model.rule(approval_id, to)
        assert (row is None) == (asked is None)

    async def _spend(self, store: Store, number: int, is_right: tuple[bool, ...]) -> None:
        approval_id = self._id(number)
        asked = self.model.rows.get(approval_id)
        new = asked.new if asked else a_request()
        grant, effect, policy = (
            right if chosen else "another"
            for right, chosen in zip((new.grant, new.effect, new.policy), is_right, strict=True)
        )
        spend = Spend(approval_id, effect, policy)
        call = replace(asking(self.now_ms), grant=grant, spend=spend)
        answer = await store.admit(call)
        assert isinstance(answer, Admitted if self.model.spend(spend, grant) else Unapproved)

    def _id(self, number: int) -> str:
        return ["apr_of_nobody", *self.model.rows][-1 - number :][0]

    async def _compare(self) -> None:
        at_ms = max(self.model.now_ms, self.now_ms)
        rows = await self.stores[0].approvals(self.now_ms, count=999)
        found = {row.approval_id: row.status for row in rows}
        assert found == {name: asked.at(at_ms) for name, asked in self.model.rows.items()}
        assert (await self.stores[1].head()).seq == self.model.log
        live = await self.stores[1].approvals(
            self.now_ms, statuses=frozenset({PENDING, APPROVED}), count=999
        )
        assert list(live) == [row for row in rows if row.status in {PENDING, APPROVED}]
        _holds(rows)
        for row in rows:
            over = row.status in {CANCELLED, SPENT}
            held = row.status in {PENDING, APPROVED} or at_ms < row.expires_ms
            # What is over loses its payload at once or some time later.
            assert row.payload in ({}, PAYLOAD)
            assert not row.payload if over else (row.payload or not held)
            assert (row.effect, row.facts) == (a_request().effect, a_request().facts)


def _holds(rows: tuple[ApprovalRow, ...]) -> None:
    """What holds of any list of requests, whatever led to it."""
    waiting = Counter(row.grant for row in rows if row.status == PENDING)
    assert all(count <= MOST for count in waiting.values())
    standing = Counter(
        (row.grant, row.kind, row.match) for row in rows if row.status in {PENDING, APPROVED}
    )
    assert all(count == 1 for count in standing.values())
    for row in rows:
        assert bool(row.decision_id) == (row.status == SPENT)
        assert row.decided_ms is None or row.created_ms <= row.decided_ms < row.expires_ms


@settings(max_examples=50)
@given(history=histories)
async def test_any_history_of_asking_goes_as_the_table_says(
    backend: Callable[[Path], Store], history: list[Step]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        stores = (backend(Path(folder) / "state"), backend(Path(folder) / "state"))
        walk = Walk(stores)
        for step in history:
            await walk.take(step)
        assert all(to in MOVES[before] for before, to in walk.model.moves)
        assert all(asked.spends <= 1 for asked in walk.model.rows.values())
        spent = [asked for asked in walk.model.rows.values() if asked.spends]
        figures = await stores[0].approval_figures(walk.now_ms)
        assert sum(one.spent for one in figures) == len(spent)
        for one in figures:
            ends = (one.approved, one.denied, one.expired, one.cancelled, one.pending)
            assert sum(ends) == one.asked
        assert await stores[1].verify() == (walk.model.log, None)
        for store in stores:
            await store.close()
