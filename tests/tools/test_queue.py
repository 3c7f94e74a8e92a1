"""list_jobs and clear_queue: finding one's jobs again, and taking back those that wait."""

from __future__ import annotations

import json
from typing import Any

import pytest

from comfy_mcp.embedded import EmbeddedHost, Faults
from comfy_mcp.jobs.listing import JobPage
from tests.tools.desk import EVERYTHING, Desk, Sit, card, sent

pytestmark = pytest.mark.anyio

HUMAN = "11111111-1111-4111-8111-111111111111"


async def three(desk: Desk, host: EmbeddedHost) -> list[str]:
    """Three jobs, the first of them running."""
    host.faults = Faults(node_ms=60_000)
    first = await desk.ask("run_workflow", workflow=card(1), wait_seconds=0)
    await host.until(lambda now: now.running == first["prompt_id"])
    second = await desk.ask("run_workflow", workflow=card(2), wait_seconds=0)
    third = await desk.ask("run_workflow", workflow=card(3), wait_seconds=0)
    return [job["prompt_id"] for job in (first, second, third)]


def ids(page: dict[str, Any]) -> list[str]:
    return [job["prompt_id"] for job in page["jobs"]]


async def test_what_runs_stands_first_and_what_waits_in_its_order(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit() as desk:
        made = await three(desk, host)
        page = await desk.ask("list_jobs")

    assert ids(page) == made
    assert [job["status"] for job in page["jobs"]] == ["in_progress", "pending", "pending"]


@pytest.mark.parametrize(
    ("status", "wanted"),
    [("pending", [1, 2]), (["in_progress"], [0]), (["pending", "in_progress"], [0, 1, 2])],
)
async def test_a_status_or_several_can_be_asked_for(
    sit: Sit, host: EmbeddedHost, status: object, wanted: list[int]
) -> None:
    async with sit() as desk:
        made = await three(desk, host)
        page = await desk.ask("list_jobs", status=status)

    assert ids(page) == [made[number] for number in wanted]


async def test_pages_follow_one_another_without_a_gap_or_a_double(sit: Sit) -> None:
    seen: list[str] = []

    async with sit() as desk:
        made = [(await desk.ask("run_workflow", workflow=card(n)))["prompt_id"] for n in range(5)]
        page = await desk.ask("list_jobs", limit=2)
        seen += ids(page)
        while "next_cursor" in page:
            page = await desk.ask("list_jobs", limit=2, cursor=page["next_cursor"])
            seen += ids(page)

    assert seen == made[::-1]


async def test_a_cursor_that_is_none_is_refused_in_words(sit: Sit) -> None:
    async with sit() as desk:
        text, body = await desk.refusal("list_jobs", cursor="what?")

    assert "cursor" in text
    assert body["code"]


async def test_others_jobs_are_listed_by_request_and_with_their_status_only(sit: Sit) -> None:
    async with sit(grant="alice") as alice, sit(grant="bob") as bob:
        job = await alice.ask("run_workflow", workflow="color_card", params={"color": 4})
        own = await bob.ask("list_jobs")
        page = await bob.ask("list_jobs", mine=False)

    (seen,) = page["jobs"]
    assert own["jobs"] == []
    assert seen["prompt_id"] == job["prompt_id"]
    assert seen["owner"] == "other agent"
    assert "workflow" not in seen


async def test_a_page_of_a_hundred_stays_small(sit: Sit) -> None:
    async with sit() as desk:
        for color in range(30):
            await desk.ask("run_workflow", workflow=card(color))
        page = await desk.ask("list_jobs", limit=100)

    assert len(page["jobs"]) == 30
    assert len(json.dumps(page)) < 30 * 200
    assert JobPage.model_validate(page)


async def test_jobs_are_listed_while_comfyui_is_down(sit: Sit, host: EmbeddedHost) -> None:
    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=card(5))
        await host.stop()
        page = await desk.ask("list_jobs", status="completed")

    assert ids(page) == [job["prompt_id"]]


async def test_ones_own_waiting_jobs_are_cleared_and_the_running_one_goes_on(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit() as desk:
        made = await three(desk, host)
        report = await desk.ask("clear_queue")
        host.faults = Faults()
        ran = await desk.ask("get_job", prompt_id=made[0], wait_seconds=20)
        left = [await desk.ask("get_job", prompt_id=one) for one in made[1:]]
        rows = [row.record for row in await desk.services.store.tail(50)]

    assert report["cleared"] == 2
    assert set(report["prompt_ids"]) == set(made[1:])
    assert ran["status"] == "completed"
    assert {job["status"] for job in left} == {"cancelled"}
    decisions = [row for row in rows if row["kind"] == "decision" and row["tool"] == "clear_queue"]
    assert len(decisions) == 1


async def test_nobody_elses_job_is_cleared(sit: Sit, host: EmbeddedHost) -> None:
    async with sit(grant="alice") as alice, sit(grant="bob") as bob:
        hers = await three(alice, host)
        his = await bob.ask("run_workflow", workflow=card(9), wait_seconds=0)
        report = await bob.ask("clear_queue")
        waiting = host.pending

    assert report["prompt_ids"] == [his["prompt_id"]]
    assert set(hers[1:]) <= set(waiting)


async def test_with_nothing_to_clear_nothing_is_sent(sit: Sit, host: EmbeddedHost) -> None:
    async with sit() as desk:
        report = await desk.ask("clear_queue")

    assert report["cleared"] == 0
    assert sent(host) == []


async def test_clearing_is_counted_by_its_limit(sit: Sit) -> None:
    rules = {**EVERYTHING["tools"], "clear_queue": {"rate_limit": "1/hour"}}

    async with sit({**EVERYTHING, "tools": rules}) as desk:
        await desk.ask("clear_queue")
        _, body = await desk.refusal("clear_queue")

    assert body["code"] == "rate_limited"


async def test_only_ones_own_scope_is_known(sit: Sit, host: EmbeddedHost) -> None:
    async with sit() as desk:
        _, body = await desk.refusal("clear_queue", scope="all")

    assert body["code"] == "invalid_args"
    assert sent(host) == []


async def test_a_comfyui_without_a_list_of_ended_jobs_is_told_of_where_it_matters(sit: Sit) -> None:
    async with EmbeddedHost(profile="0.3.64") as old, sit(url=old.url) as desk:
        mine = await desk.ask("list_jobs")
        everybodys = await desk.ask("list_jobs", mine=False)

    assert mine["warnings"] == []
    assert any("gives no list" in warning for warning in everybodys["warnings"])
