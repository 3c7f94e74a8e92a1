"""Sweeps when things go wrong while their runs are being sent: nothing is lost, nothing is held."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from comfy_mcp.embedded import BadAnswer, EmbeddedHost, Faults
from comfy_mcp.server import now_ms
from comfy_mcp.store.protocol import Freeze
from tests.tools.desk import Desk, Sit, card, sent
from tests.tools.sweeping import SWEEPS

pytestmark = pytest.mark.anyio

FOUR = {"1.color": [1, 2, 3, 4]}

SLOW = Faults(node_ms=60_000, answer_delay_ms=60_000)
"""Each submit takes as long as it takes to look whether the job is there, and nothing ends."""


async def slots(desk: Desk) -> int:
    """How many jobs of the caller hold a slot."""
    status = await desk.ask("get_policy_status")
    return status.get("in_flight", {}).get("used", 0)


def limited(most: int) -> dict[str, object]:
    """So many unfinished jobs at a time."""
    return {**SWEEPS, "gpu": {"max_in_flight": most}}


async def test_a_busy_comfyui_is_asked_twice_and_the_rest_is_given_back(
    sit: Sit, host: EmbeddedHost
) -> None:
    host.faults = Faults(http=(BadAnswer("429 QUEUE_LIMIT", "POST", "/prompt"),))

    async with sit(limited(4)) as desk:
        swept = await desk.ask("run_sweep", workflow=card(0), axes=FOUR)
        assert await slots(desk) == 0

    errors = [row["error"] for row in swept["table"]]
    assert swept["counts"] == {"failed": 4}
    assert [error.startswith("It was not sent") for error in errors] == [False, False, True, True]


async def test_a_submit_that_is_refused_once_stops_no_other(sit: Sit, host: EmbeddedHost) -> None:
    host.faults = Faults(http=(BadAnswer("429 QUEUE_LIMIT", "POST", "/prompt", times=1),))

    async with sit(SWEEPS) as desk:
        swept = await desk.ask("run_sweep", workflow=card(0), axes=FOUR)

    assert [row["status"] for row in swept["table"]] == ["failed", *["completed"] * 3]


async def test_an_answer_that_is_lost_loses_no_run_and_sends_none_twice(
    sit: Sit, host: EmbeddedHost
) -> None:
    reset = BadAnswer("reset", "POST", "/prompt", after=True, times=2)
    host.faults = Faults(http=(reset,))

    async with sit(SWEEPS) as desk:
        swept = await desk.ask("run_sweep", workflow=card(0), axes=FOUR)

    assert swept["counts"] == {"completed": 4}
    assert sent(host) == ["POST /prompt"] * 4


async def test_what_was_not_sent_yet_is_not_sent_after_a_cancel(
    sit: Sit, host: EmbeddedHost
) -> None:
    host.faults = SLOW

    async with sit(limited(4)) as desk:
        swept = await desk.ask("run_sweep", workflow=card(0), axes=FOUR, wait_seconds=0)
        posts = sent(host).count("POST /prompt")
        assert any("not been sent" in one for one in swept["warnings"])
        report = await desk.ask("cancel_job", prompt_id=swept["sweep_id"], wait_seconds=0)
        host.faults = Faults()
        later = await desk.ask("get_sweep", sweep_id=swept["sweep_id"], wait_seconds=60)
        assert await slots(desk) == 0

    assert posts < len(FOUR["1.color"])
    assert sent(host).count("POST /prompt") <= posts + 1
    assert report["counts"]["cancelled"] >= 1
    assert set(later["counts"]) <= {"cancelled", "completed"}


async def test_another_process_can_cancel_what_was_not_sent_yet(
    sit: Sit, host: EmbeddedHost
) -> None:
    host.faults = SLOW

    async with sit(limited(4)) as desk, sit(limited(4)) as other:
        swept = await desk.ask("run_sweep", workflow=card(0), axes=FOUR, wait_seconds=0)
        await other.ask("cancel_job", prompt_id=swept["sweep_id"], wait_seconds=0)
        posts = sent(host).count("POST /prompt")
        host.faults = Faults()
        later = await desk.ask("get_sweep", sweep_id=swept["sweep_id"], wait_seconds=60)
        assert await slots(desk) == 0

    assert sent(host).count("POST /prompt") <= posts + 1
    assert later["counts"]["cancelled"] >= 2
    assert set(later["counts"]) <= {"cancelled", "completed"}


async def test_a_freeze_holds_for_runs_that_have_not_been_sent_yet(
    sit: Sit, host: EmbeddedHost
) -> None:
    host.faults = SLOW

    async with sit(limited(4)) as desk:
        swept = await desk.ask("run_sweep", workflow=card(0), axes=FOUR, wait_seconds=0)
        order = Freeze("local", "enough for today", keep_reads=True)
        await desk.services.store.freeze(now_ms(), order, {"kind": "freeze"})
        posts = sent(host).count("POST /prompt")
        host.faults = Faults()
        later = await desk.ask("get_sweep", sweep_id=swept["sweep_id"], wait_seconds=60)
        assert await slots(desk) == 0

    assert sent(host).count("POST /prompt") <= posts + 1
    assert later["counts"]["failed"] >= 2
    assert "enough for today" in later["table"][-1]["error"]


async def test_a_policy_that_denies_runs_by_now_holds_for_those_not_sent_yet(
    sit: Sit, host: EmbeddedHost, tmp_path: Path
) -> None:
    host.faults = SLOW
    denied = {**SWEEPS, "tools": {**SWEEPS["tools"], "run_workflow": {"action": "deny"}}}

    async with sit(limited(4)) as desk:
        swept = await desk.ask("run_sweep", workflow=card(0), axes=FOUR, wait_seconds=0)
        (tmp_path / "policy-local.json").write_text(json.dumps(denied))
        posts = sent(host).count("POST /prompt")
        host.faults = Faults()
        later = await desk.ask("get_sweep", sweep_id=swept["sweep_id"], wait_seconds=60)

    assert sent(host).count("POST /prompt") <= posts + 1
    assert "The policy denies run_workflow" in later["table"][-1]["error"]


async def test_a_server_that_ends_gives_back_what_it_has_not_sent(
    sit: Sit, host: EmbeddedHost
) -> None:
    host.faults = SLOW
    many = {"1.color": list(range(8))}

    async with sit(limited(8)) as desk:
        swept = await desk.ask("run_sweep", workflow=card(0), axes=many, wait_seconds=0)
    posts = sent(host).count("POST /prompt")
    host.faults = Faults()

    async with sit(limited(8)) as desk:
        later = await desk.ask("get_sweep", sweep_id=swept["sweep_id"], wait_seconds=60)
        assert await slots(desk) == 0

    assert sent(host).count("POST /prompt") == posts < len(many["1.color"])
    assert later["counts"] == {"completed": posts, "failed": 8 - posts}
    assert "this server was stopped" in later["table"][-1]["error"]


async def test_a_comfyui_that_cannot_be_asked_leaves_what_the_journal_knows(
    sit: Sit, host: EmbeddedHost
) -> None:
    host.faults = Faults(node_ms=60_000)

    async with sit(SWEEPS) as desk:
        swept = await desk.ask("run_sweep", workflow=card(0), axes=FOUR, wait_seconds=0)
        host.faults = Faults()
        await host.stop()
        later = await desk.ask("get_sweep", sweep_id=swept["sweep_id"])
        await host.start()

    assert sum(later["counts"].values()) == 4
    assert any("No ComfyUI" in one or "answer" in one for one in later["warnings"])
