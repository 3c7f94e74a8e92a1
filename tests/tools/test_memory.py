"""free_memory: what is sent, when it takes effect, and who may."""

from __future__ import annotations

from typing import Any

import pytest

from comfy_mcp.embedded import EmbeddedHost, Faults
from comfy_mcp.errors import PermitError
from comfy_mcp.permit import FreePermit
from comfy_mcp.tools import memory
from tests.tools.desk import EVERYTHING, Desk, Sit, card, sent

pytestmark = pytest.mark.anyio

FREE = "POST /free"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is free on this machine says nothing here: nobody waits for it."""
    monkeypatch.setattr(memory, "PAUSE", 0.001)


def freed(host: EmbeddedHost) -> list[str]:
    """Requests to free memory."""
    return [each for each in sent(host) if each == FREE]


async def rows(desk: Desk) -> list[dict[str, Any]]:
    """What the audit says."""
    return [dict(row.record) for row in await desk.services.store.tail(50)]


async def test_memory_is_freed_at_once_while_nothing_runs(sit: Sit, host: EmbeddedHost) -> None:
    async with sit() as desk:
        found = await desk.ask("free_memory")

    assert freed(host) == [FREE]
    assert found["message"].startswith("ComfyUI was told")
    assert [each["name"] for each in found["memory"]][-1] == "RAM"
    assert all("free_after" in each for each in found["memory"])


async def test_while_a_job_runs_it_is_said_that_it_happens_later(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit() as desk:
        host.faults = Faults(node_ms=60_000)
        job = await desk.ask("run_workflow", workflow=card(1), wait_seconds=0)
        await host.until(lambda now: now.running == job["prompt_id"])

        found = await desk.ask("free_memory")

    assert "once the running job has ended" in found["message"]
    assert not any("free_after" in each for each in found["memory"])


async def test_cached_results_are_freed_if_that_is_wanted(sit: Sit, host: EmbeddedHost) -> None:
    graph = card(7)
    async with sit() as desk:
        await desk.ask("run_workflow", workflow=graph)
        await desk.ask("free_memory", free_memory=True)
        again = await desk.ask("run_workflow", workflow=graph)

    assert again["status"] == "completed"
    assert len(again["outputs"]) == 1
    assert freed(host) == [FREE]


async def test_with_nothing_to_do_nothing_is_sent(sit: Sit, host: EmbeddedHost) -> None:
    async with sit() as desk:
        words, body = await desk.refusal("free_memory", unload_models=False)

    assert "nothing to do" in words
    assert body["code"] == "workflow"
    assert freed(host) == []


async def test_it_is_written_down_as_what_it_is(sit: Sit) -> None:
    async with sit() as desk:
        await desk.ask("free_memory")
        found = await rows(desk)

    decision, outcome = found
    assert (decision["tool"], decision["class"]) == ("free_memory", "destructive")
    assert outcome["outcome"] == "ok"


async def test_what_the_policy_does_not_list_is_not_there(sit: Sit, host: EmbeddedHost) -> None:
    tools: dict[str, Any] = {name: {} for name in EVERYTHING["tools"] if name != "free_memory"}
    async with sit({**EVERYTHING, "tools": tools}) as desk:
        names = [tool.name for tool in (await desk.client.list_tools()).tools]
        await desk.refusal("free_memory")

    assert "free_memory" not in names
    assert freed(host) == []


async def test_a_comfyui_that_is_away_is_said(sit: Sit) -> None:
    async with sit(url="http://127.0.0.1:9") as desk:
        words, body = await desk.refusal("free_memory")

    assert words.startswith("No ComfyUI at")
    assert body["code"] == "host_unreachable"


async def test_a_permit_frees_once(sit: Sit, host: EmbeddedHost) -> None:
    permit = FreePermit(decision_id="dec_1")
    async with sit() as desk:
        comfy = (await desk.services.jobs()).host
        await comfy.free(permit, unload_models=True, free_memory=False)
        with pytest.raises(PermitError, match="used up"):
            await comfy.free(permit, unload_models=True, free_memory=False)

    assert freed(host) == [FREE]
