"""Each fault does what it says, and only while it is on."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from comfy_mcp.embedded import Faults
from tests.contract.probe import fresh, new_id
from tests.embedded.desk import txt2img

if TYPE_CHECKING:
    from comfy_mcp.embedded import EmbeddedHost
    from tests.contract.probe import Comfy

pytestmark = pytest.mark.anyio


async def status_of(client: Comfy, prompt_id: str) -> tuple[str, str]:
    """A finished job's status, and its last message."""
    entry = (await client.get(f"/history/{prompt_id}")).body[prompt_id]
    return entry["status"]["status_str"], entry["status"]["messages"][-1][0]


async def saving(host: EmbeddedHost, client: Comfy, faults: Faults, *others: str) -> str:
    """A job that is in node 2, or one of *others*, under *faults*: its file is there."""
    graph, prompt_id = fresh("small"), new_id()
    await client.run(graph)
    # Other files of the same picture: what makes the picture is cached.
    for node_id in ("2", *others):
        inputs = {"images": ["1", 0], "filename_prefix": f"file-of-{node_id}"}
        graph[node_id] = {"class_type": "SaveImage", "inputs": inputs}
    host.faults = faults
    await client.submit(graph, prompt_id=prompt_id)
    async with asyncio.timeout(30):
        while not is_written(host, "file-of-"):
            await client.get("/queue")
    return prompt_id


def is_written(host: EmbeddedHost, prefix: str) -> bool:
    return any((host.folder / "output").glob(f"{prefix}*"))


async def test_a_cancel_in_the_gap_is_answered_and_lost(host: EmbeddedHost, client: Comfy) -> None:
    host.faults = Faults(lost_cancel_ms=60_000)
    prompt_id = new_id()
    await client.submit(fresh("small"), prompt_id=prompt_id)
    await host.until(lambda it: it.running == prompt_id)

    answer = await client.post(f"/api/jobs/{prompt_id}/cancel", {})
    host.faults = Faults()
    await host.until(lambda it: prompt_id in it.finished)

    assert answer.body == {"cancelled": True}
    assert await status_of(client, prompt_id) == ("success", "execution_success")


async def test_a_deaf_node_ends_before_the_interrupt_is_heard(
    host: EmbeddedHost, client: Comfy
) -> None:
    prompt_id = await saving(host, client, Faults(deaf_ms=60_000), "3")
    deaf = host.node

    await client.post("/interrupt", {"prompt_id": prompt_id})
    await client.get("/queue")
    still = host.running
    host.faults = Faults()
    await host.until(lambda it: prompt_id in it.finished)

    assert still == prompt_id
    assert await status_of(client, prompt_id) == ("error", "execution_interrupted")
    entry = (await client.get(f"/history/{prompt_id}")).body[prompt_id]
    assert entry["status"]["messages"][-1][1]["executed"] == [deaf]


async def test_an_interrupt_in_a_deaf_last_node_comes_too_late(
    host: EmbeddedHost, client: Comfy
) -> None:
    prompt_id = await saving(host, client, Faults(deaf_ms=60_000))

    await client.post("/interrupt", {"prompt_id": prompt_id})
    host.faults = Faults()
    await host.until(lambda it: prompt_id in it.finished)

    assert await status_of(client, prompt_id) == ("success", "execution_success")


async def test_a_slow_node_hears_the_interrupt_at_its_end(
    host: EmbeddedHost, client: Comfy
) -> None:
    prompt_id = await saving(host, client, Faults(node_ms=60_000))

    await client.post("/interrupt", {})
    host.faults = Faults(node_ms=1)
    await host.until(lambda it: prompt_id in it.finished)

    assert await status_of(client, prompt_id) == ("error", "execution_interrupted")


async def test_success_is_told_before_the_history_has_it(host: EmbeddedHost, client: Comfy) -> None:
    host.faults = Faults(success_before_history_ms=2_000)
    prompt_id = new_id()
    async with client.listen() as listener:
        await client.submit(fresh("small"), client_id=listener.sid, prompt_id=prompt_id)
        await listener.until_type("execution_success")
        between = (await client.get(f"/history/{prompt_id}")).body
        running = await client.running()
        await listener.until_end(prompt_id)

    assert between == {}
    assert running == [prompt_id], "never in neither"
    assert prompt_id in (await client.get(f"/history/{prompt_id}")).body


@pytest.mark.parametrize(("when", "accepted"), [("before", False), ("after", True)])
async def test_an_answer_is_lost_before_or_after_the_job_was_taken(
    host: EmbeddedHost, client: Comfy, when: str, accepted: bool
) -> None:
    host.faults = Faults(lose_answer=when, node_ms=60_000)
    prompt_id = new_id()

    with pytest.raises(aiohttp.ClientError):
        await client.submit(fresh("small"), prompt_id=prompt_id)

    assert host.seen[-1].body["prompt_id"] == prompt_id
    assert (prompt_id in {host.running, *host.pending}) is accepted


async def test_an_answer_can_come_late(host: EmbeddedHost, client: Comfy) -> None:
    host.faults = Faults(answer_delay_ms=60_000)
    prompt_id = new_id()
    asked = asyncio.ensure_future(client.submit(fresh("small"), prompt_id=prompt_id))

    await host.until(lambda it: prompt_id in it.finished)

    assert not asked.done()
    asked.cancel()


async def test_a_refused_socket_is_500(host: EmbeddedHost, client: Comfy) -> None:
    host.faults = Faults(socket="refused")

    with pytest.raises(aiohttp.WSServerHandshakeError, match="500"):
        async with client.listen():
            pass


async def test_a_silent_socket_says_nothing(host: EmbeddedHost, client: Comfy) -> None:
    host.faults = Faults(socket="silent")
    prompt_id = new_id()
    async with client.listen() as listener:
        await client.submit(fresh("small"), client_id=listener.sid, prompt_id=prompt_id)
        await host.until(lambda it: prompt_id in it.finished)
        host.faults = Faults()
        await client.submit(fresh("small"))
        first: dict[str, Any] = await listener.until(lambda _message: True)

    assert first["type"] == "status"
    assert "sid" not in first["data"], "what was said in silence is not said again"


async def test_a_dropped_socket_closes_one_message_after_the_start(
    host: EmbeddedHost, client: Comfy
) -> None:
    host.faults = Faults(socket="dropped")
    async with client.listen() as listener:
        await client.submit(fresh("small"), client_id=listener.sid)
        with pytest.raises(ConnectionError):
            await listener.until_type("execution_success")

    kinds = [message["type"] for message in listener.messages]
    assert kinds[-2:] == ["execution_start", "execution_cached"]


async def test_a_dead_worker_keeps_its_job_until_the_restart(
    host: EmbeddedHost, client: Comfy
) -> None:
    host.faults = Faults(dead_worker=True)
    first, second = new_id(), new_id()
    await client.submit(fresh("small"), prompt_id=first)
    await host.until(lambda it: it.running == first)
    host.faults = replace(host.faults, dead_worker=False)

    accepted = await client.submit(fresh("small"), prompt_id=second)
    cancelled = await client.post(f"/api/jobs/{first}/cancel", {})

    assert (accepted.status, cancelled.body) == (200, {"cancelled": True})
    assert (host.running, host.pending) == (first, (second,))
    log = (await client.get("/internal/logs/raw")).body["entries"]
    assert log[-2]["m"] == "\n", "what the interpreter wrote last"
    assert log[-1]["m"].endswith("got prompt\n")
    await host.restart()
    assert (await client.run(fresh("small"))).entry["status"]["completed"]


async def test_steps_take_as_long_as_asked(host: EmbeddedHost, client: Comfy) -> None:
    host.faults = Faults(step_ms=60_000)
    prompt_id = new_id()
    async with client.listen() as listener:
        await client.submit(txt2img(), client_id=listener.sid, prompt_id=prompt_id)
        await host.until(lambda it: it.node == "5")
        await client.post("/interrupt", {"prompt_id": prompt_id})
        host.faults = Faults()
        await host.restart()

    assert "progress" not in [message["type"] for message in listener.messages]
