"""The worker does one job at a time, dies of what kills ComfyUI's, and forgets when told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import pytest

from comfy_mcp.embedded import EmbeddedHost, Faults
from tests.contract.probe import Comfy, fresh, new_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio


@pytest.fixture
async def older() -> AsyncIterator[tuple[EmbeddedHost, Comfy]]:
    """A host of 0.3.64."""
    async with EmbeddedHost(profile="0.3.64") as host, aiohttp.ClientSession() as session:
        yield host, Comfy(host.url, session, "0.3.64")


@pytest.mark.parametrize("profile", ["0.3.64", "0.33"])
async def test_an_orphan_without_inputs_kills_the_worker(profile: str) -> None:
    graph = fresh("small") | {"50": {"class_type": "EmptyImage"}}
    async with EmbeddedHost(profile=profile) as host, aiohttp.ClientSession() as session:
        client = Comfy(host.url, session, host.profile.version)
        prompt_id = (await client.submit(graph, client_id="me")).body["prompt_id"]
        await host.until(lambda it: it.running == prompt_id)
        await client.submit(fresh("small"))
        await client.post("/queue", {"clear": True})
        await client.post("/interrupt", {"prompt_id": prompt_id})

        assert host.running == prompt_id
        assert host.pending == ()


async def test_extra_data_that_is_null_kills_an_older_worker(
    older: tuple[EmbeddedHost, Comfy],
) -> None:
    host, client = older

    answer = await client.submit(fresh("small"), extra_data=None)

    assert answer.status == 200
    prompt_id = answer.body["prompt_id"]
    await host.until(lambda it: it.running == prompt_id)
    await client.submit(fresh("small"))
    assert host.running == prompt_id
    assert len(host.pending) == 1


async def test_the_same_id_and_number_cannot_wait_twice(host: EmbeddedHost, client: Comfy) -> None:
    host.faults = Faults(node_ms=60_000)
    await client.submit(fresh("small"))
    await host.until(lambda it: it.node == "1")
    prompt_id = new_id()

    first = await client.submit(fresh("small"), prompt_id=prompt_id, number=5)
    second = await client.submit(fresh("small"), prompt_id=prompt_id, number=5)

    assert (first.status, second.status) == (200, 500)


async def test_jobs_run_by_number_then_id(host: EmbeddedHost, client: Comfy) -> None:
    host.faults = Faults(node_ms=60_000)
    first = (await client.submit(fresh("small"))).body["prompt_id"]
    await host.until(lambda it: it.node == "1")
    low, high = sorted((new_id(), new_id()))
    numbers = {new_id(): 50.5, high: 20, low: 20, new_id(): -7}
    for prompt_id, number in numbers.items():
        await client.submit(fresh("small"), prompt_id=prompt_id, number=number)
    host.faults = Faults()
    await host.until(lambda it: len(it.finished) == 5)

    late, early = (each for each in numbers if each not in {low, high})
    assert host.finished == (first, early, low, high, late)


async def test_freed_memory_makes_everything_run_again(host: EmbeddedHost, client: Comfy) -> None:
    graph = fresh("small")
    await client.run(graph)
    cached = await client.run(graph)
    await client.post("/free", {"free_memory": True})
    again = await client.run(graph)

    assert cached.of("execution_cached")[0]["nodes"] == ["1", "2"]
    assert again.of("execution_cached")[0]["nodes"] == []
    assert host.finished[-1] == again.prompt_id


async def test_an_older_host_remembers_only_the_last_graph(
    older: tuple[EmbeddedHost, Comfy],
) -> None:
    _host, client = older
    graph = fresh("small")
    await client.run(graph)
    await client.run(fresh("small"))

    again = await client.run(graph)

    assert again.of("execution_cached")[0]["nodes"] == []


async def test_two_equal_nodes_are_worked_once(client: Comfy) -> None:
    graph = fresh("small")
    graph["3"], graph["4"] = graph["1"], {**graph["2"], "inputs": {**graph["2"]["inputs"]}}
    graph["4"]["inputs"]["images"] = ["3", 0]

    ended = await client.run(graph)

    assert len([data for data in ended.of("executing") if data["node"]]) == 2
    assert ended.entry["outputs"]["2"] == ended.entry["outputs"]["4"]


async def test_credentials_are_not_shown(client: Comfy, older: tuple[EmbeddedHost, Comfy]) -> None:
    extra = {"api_key_comfy_org": "k", "auth_token_comfy_org": "t"}

    newer = (await client.run(fresh("small"), extra_data=dict(extra))).entry["prompt"][3]
    before = (await older[1].run(fresh("small"), extra_data=dict(extra))).entry["prompt"][3]

    assert not set(extra) & set(newer)
    assert set(extra) <= set(before)


async def test_before_0_3_57_an_interrupt_always_means_whatever_runs() -> None:
    async with EmbeddedHost(profile="0.3.40") as host, aiohttp.ClientSession() as session:
        client = Comfy(host.url, session, "0.3.40")
        host.faults = Faults(node_ms=60_000)
        answer = await client.submit(fresh("small"), prompt_id="mine")
        prompt_id = answer.body["prompt_id"]
        await host.until(lambda it: it.node == "1")
        await client.post("/interrupt", {"prompt_id": new_id()})
        host.faults = Faults()
        await host.until(lambda it: prompt_id in it.finished)
        entry = (await client.get(f"/history/{prompt_id}")).body[prompt_id]
        features = await client.get("/features")

    assert prompt_id != "mine", "ids of the client's are ignored"
    assert entry["status"]["messages"][-1][0] == "execution_interrupted"
    assert features.status == 404


async def test_before_0_9_an_interrupted_job_is_failed() -> None:
    async with EmbeddedHost(profile="0.8") as host, aiohttp.ClientSession() as session:
        client = Comfy(host.url, session, "0.8.0")
        async with client.busy() as (prompt_id, _listener):
            await client.post("/interrupt", {"prompt_id": prompt_id})
            await host.until(lambda it: prompt_id in it.finished)
        job = (await client.get(f"/api/jobs/{prompt_id}")).body
        cancel = await client.post(f"/api/jobs/{prompt_id}/cancel", {})
        bad = await client.get("/api/jobs", status="cancelled")

    assert job["status"] == "failed"
    assert "previewable_outputs_count" not in job
    assert cancel.status == 405
    assert bad.status == 400
