"""Rows of the audit log for a page: short, clean, and with who decided."""

from __future__ import annotations

import pytest

from comfy_mcp.guard.loading import load
from comfy_mcp.oversight import freezing, holding
from comfy_mcp.oversight.approvals import decide
from comfy_mcp.oversight.trail import last, told
from comfy_mcp.quoting import MOST_NAME
from comfy_mcp.store.protocol import AuditRow, Store
from tests.oversight.asked import BY, LONG, NASTY, NOW, parked, question, run_request

pytestmark = pytest.mark.anyio


def row(**record: object) -> AuditRow:
    return AuditRow(1, NOW, "", "", record)


async def test_a_decision_of_a_person_is_told(store: Store) -> None:
    await parked(store, run_request())
    await decide(
        store,
        "apr_0000000000000001",
        approve=True,
        by=BY,
        reason="Fine.",
        changes={},
        now_ms=NOW,
        judge=None,
    )

    (found,) = await last(store, 1, lambda _row: True)

    assert told(found) == {
        "grant": "ci-bot",
        "what": "approval: approved",
        "about": "run_workflow apr_0000000000000001",
        "why": "by ada Fine.",
    }


def test_words_of_agents_are_cleaned_and_cut() -> None:
    made = told(row(kind="decision", tool=NASTY, grant=LONG, reason=NASTY, by={"user": NASTY}))

    assert all("\x1b" not in text and "\n" not in text for text in made.values())
    assert all(len(text) <= MOST_NAME + 30 for text in made.values())


async def test_only_rows_before_a_row_are_looked_at(store: Store) -> None:
    for number in range(5):
        await store.record(NOW, {"kind": "test", "number": number})

    found = await last(store, 2, lambda _row: True, before=4)

    assert [one.seq for one in found] == [2, 3]


async def test_a_freeze_is_ordered_and_taken_back_with_who_did_it(store: Store) -> None:
    by = {"channel": "console", "user": "ada"}
    await freezing.freeze(store, NOW, "bob", keep_reads=True, reason=" Why ", by=by)

    (frozen,) = await store.freezes()
    assert freezing.as_object(frozen) == {
        "grant": "bob",
        "reason": "Why",
        "keep_reads": True,
        "at_ms": NOW,
    }
    assert await freezing.unfreeze(store, NOW, "bob", by=by)
    assert not await freezing.unfreeze(store, NOW, "bob")
    records = [one.record for one in await store.tail(10)]
    assert [(one["action"], one["by"]) for one in records] == [("freeze", by), ("unfreeze", by)]


async def test_requests_that_wait_stand_beside_limits(store: Store) -> None:
    policy = load([]).policy
    for number in (1, 2):
        await parked(store, question(number))

    found = await holding.only(store, policy, "ci-bot", None, NOW)

    assert holding.as_object(found, None)["waiting_requests"] == [
        {"grant": "ci-bot", "waiting": 2, "max": policy.approvals.most_pending}
    ]
    assert (await holding.only(store, policy, "bob", None, NOW)).waiting == ()


def test_the_rows_of_a_sweep_say_which_run_of_which_sweep_they_are_about() -> None:
    whole = told(row(kind="decision", tool="run_sweep", workflow="card", sweep="swp_1", variants=3))
    assert whole["about"] == "run_sweep card swp_1 with 3 runs"
    one = told(
        row(kind="decision", tool="run_workflow", sweep="swp_1", variant=2, prompt_id="0123456789")
    )
    assert one["about"] == "run_workflow job 01234567 run 2 of swp_1"
