"""A dead worker's log is that of a real one: written in pieces that push their own head out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from comfy_mcp.embedded import EmbeddedHost, Faults
from tests.contract.probe import Comfy, fresh, new_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

RING = 300


async def log(client: Comfy) -> list[str]:
    entries: list[dict[str, str]] = (await client.get("/internal/logs/raw")).body["entries"]
    return [entry["m"] for entry in entries]


async def killed(host: EmbeddedHost, client: Comfy, **more: Any) -> list[str]:
    prompt_id = new_id()
    graph = fresh("small") | {"50": {"class_type": "EmptyImage"}}
    assert (await client.submit(graph, prompt_id=prompt_id, **more)).status == 200
    await host.until(lambda it: it.running == prompt_id)
    await client.get("/queue")
    return await log(client)


async def test_an_orphan_without_inputs_kills_and_the_log_forgets_whom(
    host: EmbeddedHost, client: Comfy
) -> None:
    written = await killed(host, client)

    assert len(written) == RING
    assert written[-5:] == ["", "KeyError", ": ", "'inputs'", "\n"]
    assert written.count("^") > 50
    assert "prompt_worker" not in "".join(written)
    frames = [each for each in written if each.startswith('  File "')]
    assert "comfy_execution/" in frames[-1]
    assert not any("main.py" in each for each in frames)


async def test_the_fault_kills_in_the_same_way(host: EmbeddedHost, client: Comfy) -> None:
    host.faults = Faults(dead_worker=True)
    await client.submit(fresh("small"))
    await host.until(lambda it: it.running is not None)

    assert (await log(client))[-5:] == ["", "KeyError", ": ", "'inputs'", "\n"]


@pytest.fixture
async def older() -> AsyncIterator[tuple[EmbeddedHost, Comfy]]:
    """A host that takes extra_data that is null, and dies of it."""
    async with EmbeddedHost(profile="0.3.64") as host, aiohttp.ClientSession() as session:
        yield host, Comfy(host.url, session, host.profile.version)


async def test_a_short_traceback_keeps_its_head(older: tuple[EmbeddedHost, Comfy]) -> None:
    host, client = older
    await client.submit(fresh("small"), extra_data=None)
    await host.until(lambda it: it.running is not None)

    told = "".join(await log(client))

    assert "\x1b" not in told, "that version's log has no colours"
    assert "Exception in thread Thread-1 (prompt_worker):\nTraceback (most recent" in told
    assert told.endswith("TypeError: argument of type 'NoneType' is not iterable\n")


async def test_a_node_that_fails_is_one_entry_and_kills_nobody(client: Comfy) -> None:
    ended = await client.run(fresh("fails_at_execution"))

    assert ended.entry["status"]["status_str"] == "error"
    written = await log(client)
    assert any("got prompt" in each for each in written)
    assert any("[ERROR]" in each and "Traceback (most recent" in each for each in written)
    assert any("\x1b[32mPrompt executed in " in each for each in written)
