"""How requests went, counted by grant and tool: each once, and how long people took."""

from __future__ import annotations

import pytest

from comfy_mcp.store import Figure, Ruling, Store
from comfy_mcp.store.asked import APPROVED, CANCELLED, DENIED
from tests.store.sample import NOW, PERSON, SECOND, approved, parked, spending

pytestmark = pytest.mark.anyio

NOTHING = {"approved": 0, "denied": 0, "expired": 0, "cancelled": 0, "pending": 0, "spent": 0}


def figure(grant: str, tool: str, median_ms: int | None = None, **counts: int) -> Figure:
    """Figures of one grant and tool; *asked* is the sum of how they ended."""
    ends = sum(count for name, count in counts.items() if name != "spent")
    return Figure(grant, tool, **{"asked": ends, **NOTHING, **counts}, median_ms=median_ms)


async def ruled(store: Store, approval_id: str, status: str, after_ms: int = 0) -> None:
    ruling = Ruling(status, PERSON)
    assert (await store.rule(NOW + after_ms, approval_id, ruling, {}))[0]


async def test_without_requests_there_are_no_figures(store: Store) -> None:
    assert await store.approval_figures(NOW) == ()


async def test_each_request_counts_once_for_its_grant_and_tool(store: Store) -> None:
    for number, (grant, tool) in enumerate(
        (("bob", "a"), ("ann", "b"), ("ann", "a"), ("ann", "b"))
    ):
        await parked(store, f"apr_{number}", grant=grant, tool=tool)
    await ruled(store, "apr_3", CANCELLED)

    assert await store.approval_figures(NOW) == (
        figure("ann", "a", pending=1),
        figure("ann", "b", pending=1, cancelled=1),
        figure("bob", "a", pending=1),
    )


async def test_a_yes_counts_used_or_not_and_a_question_nobody_answered_as_expired(
    store: Store,
) -> None:
    await approved(store, "apr_1")
    await approved(store, "apr_2", lives_ms=SECOND)
    await approved(store, "apr_3")
    await store.admit(spending("apr_3"))
    await parked(store, "apr_4", lives_ms=SECOND)
    await parked(store, "apr_5")
    await parked(store, "apr_6")
    await ruled(store, "apr_6", DENIED)

    (before,) = await store.approval_figures(NOW + SECOND - 1)
    assert before == figure("ann", "run_workflow", 0, approved=3, spent=1, denied=1, pending=2)
    (after,) = await store.approval_figures(NOW + SECOND)
    assert after == figure(
        "ann", "run_workflow", 0, approved=3, spent=1, denied=1, pending=1, expired=1
    )


async def test_a_yes_that_was_taken_back_counts_as_that(store: Store) -> None:
    for number, status in enumerate((DENIED, CANCELLED)):
        await approved(store, f"apr_{number}")
        await ruled(store, f"apr_{number}", status)
    (found,) = await store.approval_figures(NOW)
    assert found == figure("ann", "run_workflow", 0, denied=1, cancelled=1)


async def test_half_of_the_answers_took_no_longer_than_the_median(store: Store) -> None:
    for number in range(5):
        await parked(store, f"apr_{number}")
    for number, took_ms in enumerate((1_000, 5_000, 9_000)):
        await ruled(store, f"apr_{number}", (APPROVED, DENIED)[number % 2], took_ms)
    # What a yes is used for is no answer, and neither is taking a request back.
    await store.admit(spending("apr_0", now_ms=NOW + 20_000))
    await ruled(store, "apr_3", CANCELLED, 30_000)

    (odd,) = await store.approval_figures(NOW)
    assert odd.median_ms == 5_000
    await ruled(store, "apr_4", APPROVED, 40_000)
    (even,) = await store.approval_figures(NOW)
    assert even.median_ms == 5_000


async def test_older_requests_may_be_left_out(store: Store) -> None:
    await parked(store, "apr_1", NOW)
    await parked(store, "apr_2", NOW + 5)

    assert [one.asked for one in await store.approval_figures(NOW + 5, since_ms=NOW)] == [2]
    assert [one.asked for one in await store.approval_figures(NOW + 5, since_ms=NOW + 1)] == [1]
    assert await store.approval_figures(NOW + 5, since_ms=NOW + 6) == ()
