"""States in which agents wait for a person, as commands find them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from comfy_mcp.oversight.state import now_ms
from comfy_mcp.store.asked import APPROVED, ApprovalRow, NewApproval, Ruling, Spend, Unapproved
from comfy_mcp.store.protocol import Admission, Store
from comfy_mcp.store.sqlite import SqliteStore
from tests.oversight.asked import parked

T = TypeVar("T")

BY = {"channel": "terminal", "user": "ada", "assurance": "operator"}

ONE, TWO = "apr_0000000000000001", "apr_0000000000000002"


def asked(folder: Path, *requests: NewApproval, ago_ms: int = 0) -> Path:
    """A state in *folder* in which *requests* were made *ago_ms* before now."""

    async def ask(store: Store) -> None:
        for request in requests:
            await parked(store, request, now_ms() - ago_ms)

    return having(folder, ask)


def having(folder: Path, work: Callable[[Store], Awaitable[None]]) -> Path:
    """The state in *folder* after *work*."""

    async def do() -> None:
        store = SqliteStore(folder)
        try:
            await work(store)
        finally:
            await store.close()

    asyncio.run(do())
    return folder


async def used(store: Store) -> None:
    """The first request is approved by ada, and its yes is used."""
    at_ms = now_ms()
    assert (await store.rule(at_ms, ONE, Ruling(APPROVED, BY), {"kind": "approval"}))[0]
    row = await store.approval(ONE, at_ms)
    assert row is not None
    spend = Spend(ONE, row.effect, row.policy)
    taken = await store.admit(Admission("dec_1", at_ms, {}, grant=row.grant, spend=spend))
    assert not isinstance(taken, Unapproved)


def standing(folder: Path, approval_id: str = ONE) -> ApprovalRow:
    """The request as it stands."""
    found: list[ApprovalRow] = []

    async def look(store: Store) -> None:
        row = await store.approval(approval_id, now_ms())
        assert row is not None
        found.append(row)

    having(folder, look)
    return found[0]
