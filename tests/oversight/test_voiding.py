"""A request is only called void if its policy can be read and is another one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from comfy_mcp.oversight.voiding import Revisions
from comfy_mcp.store.protocol import Store
from tests.oversight.asked import parked, question, run_request

pytestmark = pytest.mark.anyio


def edit(policy: Path, was: str, now: str) -> None:
    policy.write_text(policy.read_text().replace(was, now))


def remove(policy: Path) -> None:
    policy.unlink()


async def test_an_edit_makes_void_until_it_is_taken_back(store: Store, policy: Path) -> None:
    row = await parked(store, run_request(policy))
    revisions = Revisions()
    told = [revisions.void([row])]
    for was, now in (("60", "161"), ("161", "60"), (": ", ":  ")):
        edit(policy, was, now)
        told.append(revisions.void([row]))

    # White space is no edit.
    assert told == [frozenset(), {row.approval_id}, frozenset(), frozenset()]


async def test_only_requests_of_that_policy_are_void(store: Store, policy: Path) -> None:
    under, other = (
        await parked(store, run_request(policy)),
        await parked(store, run_request(None, 2)),
    )
    asks = await parked(store, question(3))
    edit(policy, "60", "61")

    assert Revisions().void([under, other, asks]) == {under.approval_id}
    assert Revisions().void([replace(under, status="denied")]) == frozenset()
    assert Revisions().void([replace(under, status="approved")]) == {under.approval_id}


async def test_what_cannot_be_read_is_not_called_void(store: Store, policy: Path) -> None:
    row = await parked(store, run_request(policy))
    revisions = Revisions()
    edit(policy, "}", "")
    broken = revisions.void([row])
    remove(policy)

    assert (broken, revisions.void([row])) == (frozenset(), frozenset())
    assert revisions.void([replace(row, facts={})]) == frozenset()
    assert revisions.void([replace(row, facts={"policy_files": ["a\0b"]})]) == frozenset()
