"""A restart, at any moment, loses what a process knows and keeps what is on the disk."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import pytest

from comfy_mcp.embedded import BadAnswer, EmbeddedHost, Faults
from tests.contract.probe import Comfy, fresh, new_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

pytestmark = pytest.mark.anyio

PROMPT = "11111111-2222-4333-8444-555555555555"


async def running(host: EmbeddedHost, client: Comfy) -> None:
    host.faults = Faults(deaf_ms=60_000)
    await client.submit(fresh("small"), prompt_id=PROMPT)
    await host.until(lambda it: it.node == "1")


async def pending(host: EmbeddedHost, client: Comfy) -> None:
    host.faults = Faults(node_ms=60_000)
    await client.submit(fresh("small"))
    await client.submit(fresh("small"), prompt_id=PROMPT)


async def between(host: EmbeddedHost, client: Comfy) -> None:
    host.faults = Faults(success_before_history_ms=60_000)
    async with client.listen() as listener:
        await client.submit(fresh("small"), client_id=listener.sid, prompt_id=PROMPT)
        await listener.until_type("execution_success")


async def starting(host: EmbeddedHost, client: Comfy) -> None:
    host.faults = Faults(lost_cancel_ms=60_000)
    await client.submit(fresh("small"), prompt_id=PROMPT)
    await host.until(lambda it: it.running == PROMPT)


async def dead(host: EmbeddedHost, client: Comfy) -> None:
    host.faults = Faults(dead_worker=True)
    await client.submit(fresh("small"), prompt_id=PROMPT)
    await host.until(lambda it: it.running == PROMPT)


async def finished(host: EmbeddedHost, client: Comfy) -> None:
    await client.submit(fresh("medium"), prompt_id=PROMPT)
    await host.until(lambda it: PROMPT in it.finished)


MOMENTS = [running, pending, between, starting, dead, finished]


@pytest.mark.parametrize("moment", MOMENTS)
async def test_all_that_a_process_knows_is_lost(
    host: EmbeddedHost,
    client: Comfy,
    moment: Callable[[EmbeddedHost, Comfy], Awaitable[None]],
) -> None:
    async with client.listen("me") as listener:
        await moment(host, client)
        url = host.url

        await host.restart()

        with pytest.raises(ConnectionError):
            await listener.until_type("never")
    assert host.url == url
    assert (host.running, host.pending, host.finished, host.clients) == (None, (), (), ())
    assert (await client.get(f"/api/jobs/{PROMPT}")).status == 404
    assert (await client.get(f"/history/{PROMPT}")).body == {}
    assert (await client.get("/internal/logs/raw")).body["entries"] == []
    host.faults = Faults()
    again = await client.submit(fresh("small"), prompt_id=new_id())
    assert again.body["number"] == 0
    await host.until(lambda it: again.body["prompt_id"] in it.finished)
    assert PROMPT not in host.finished


async def test_temporary_files_go_and_others_stay(host: EmbeddedHost, client: Comfy) -> None:
    ended = await client.run(fresh("medium"))
    [preview] = ended.entry["outputs"]["7"]["images"]
    [saved] = ended.entry["outputs"]["6"]["images"]

    await host.restart()

    assert (await client.get("/view", **preview)).status == 404
    assert (await client.get("/view", **saved)).status == 200


async def test_a_request_that_waits_has_no_answer(host: EmbeddedHost, client: Comfy) -> None:
    host.faults = Faults(http=(BadAnswer("mute", "POST", after=True),))
    asked = asyncio.ensure_future(client.submit(fresh("small"), prompt_id=PROMPT))
    await host.until(lambda it: bool(it.seen))

    await host.restart()

    with pytest.raises(aiohttp.ClientError):
        await asked
    assert (host.running, host.pending) == (None, ())


async def test_nobody_listens_while_it_is_away(host: EmbeddedHost, client: Comfy) -> None:
    async with host.away():
        with pytest.raises(aiohttp.ClientConnectorError):
            await client.get("/queue")

    assert (await client.get("/queue")).status == 200


async def test_a_host_that_is_stopped_while_away_does_not_come_back(client: Comfy) -> None:
    host = EmbeddedHost()
    await host.start()
    there = Comfy(host.url, client.session, "0.33.0")
    async with host.away():
        await host.stop()

    with pytest.raises(aiohttp.ClientConnectorError):
        await there.get("/queue")


async def test_a_second_start_is_a_new_process_too(client: Comfy) -> None:
    host = EmbeddedHost()
    async with host:
        await Comfy(host.url, client.session, "0.33.0").run(fresh("small"))
    async with host:
        assert host.finished == ()
        assert host.log.entries() == []
