"""The account that is taken after each fault notices what it is there to notice."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from comfy_mcp.jobs.table import MOVES
from tests.faults import leaks
from tests.faults.leaks import Holdings, nothing_left
from tests.faults.stage import Stage, by_hand
from tests.tools.desk import card, graph

pytestmark = pytest.mark.anyio


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left is not waited for."""
    monkeypatch.setattr(leaks, "SECONDS", 0.05)


@pytest.mark.usefixtures("hasty")
async def test_a_task_a_thread_and_a_socket_that_are_left_are_noticed() -> None:
    before = Holdings.now()
    over = threading.Event()
    thread = threading.Thread(target=over.wait, name="left-behind")
    thread.start()
    task = asyncio.create_task(asyncio.Event().wait(), name="left-behind")
    with socket.socket():
        left = await nothing_left(before)
    over.set()
    thread.join()
    task.cancel()

    assert sorted(words.split(" ")[0] for words in left) == ["descriptor", "task", "thread"]
    assert await nothing_left(before) == []


async def test_nothing_is_noticed_where_nothing_is_left(tmp_path: Path) -> None:
    before = Holdings.now()

    async with AsyncExitStack() as stack:
        stage = Stage(tmp_path, stack)
        host = await stage.comfyui()
        async with stage.sit(host) as desk:
            await desk.ask("run_workflow", workflow=card(1))
        account = await stage.account()

    assert account == []
    assert await nothing_left(before) == []


async def test_a_job_that_was_sent_and_run_twice_is_noticed(stage: Stage) -> None:
    host = await stage.comfyui()

    async with stage.sit(host) as desk:
        job = await desk.ask("run_workflow", workflow=card(1))
        await by_hand(host, {"prompt": card(2), "prompt_id": job["prompt_id"]})
        await host.until(lambda now: now.starts[job["prompt_id"]] == 2 and now.running is None)
    wrong = await stage.account()
    host.starts.clear()
    stage.by_hand.add(job["prompt_id"])

    assert [words.split(", but ")[1] for words in wrong] == ["was sent 2 times", "ran 2 times"]


async def test_a_job_that_is_not_told_as_it_was_is_noticed(stage: Stage) -> None:
    host = await stage.comfyui()

    async with stage.sit(host) as desk:
        await desk.ask("run_workflow", workflow=card(1))
        begun = await desk.ask("run_workflow", workflow=graph("slow"), wait_seconds=0)
        await host.until(lambda now: now.running is not None)
        await desk.ask("cancel_job", prompt_id=begun["prompt_id"])
    rows = {row.status: row for row in await stage.rows()}

    assert set(rows) == {"completed", "cancelled"}
    for status, row in rows.items():
        sound = [told for told in MOVES if not stage.faults(replace(row, status=told))]
        assert sound == [status]
