"""Wrong answers are given to the requests they were ordered for, as wrong as ordered."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from comfy_mcp.embedded import BadAnswer, EmbeddedHost, Faults
from tests.contract.probe import Comfy, fresh, new_id

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.anyio

LONG = Faults(node_ms=60_000)


def weather(*bad: BadAnswer, node_ms: int = 0) -> Faults:
    return Faults(http=bad, node_ms=node_ms)


async def test_a_500_is_the_one_of_aiohttp(host: EmbeddedHost, client: Comfy) -> None:
    host.faults = weather(BadAnswer("500"))

    answer = await client.get("/api/queue")

    assert answer.status == 500
    assert answer.body == "500 Internal Server Error\n\nServer got itself in trouble"
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.headers["Connection"] == "close"


@pytest.mark.parametrize("status", ["502", "503", "504"])
async def test_a_proxys_error_is_a_page(host: EmbeddedHost, client: Comfy, status: str) -> None:
    host.faults = weather(BadAnswer(status))

    answer = await client.get("/api/queue")

    assert answer.status == int(status)
    assert answer.headers["Content-Type"].startswith("text/html")
    assert f"<h1>{status} " in answer.body


async def test_a_413_has_aiohttps_words(host: EmbeddedHost, client: Comfy) -> None:
    host.faults = weather(BadAnswer("413", path="/prompt"))

    answer = await client.submit(fresh("small"))

    assert (answer.status, answer.body) == (413, "Maximum request body size 104857600 exceeded.")


async def test_a_refusal_can_have_a_type(host: EmbeddedHost, client: Comfy) -> None:
    host.faults = weather(BadAnswer("429 QUEUE_LIMIT"))

    answer = await client.submit(fresh("small"))

    assert (answer.status, answer.body["error"]["type"]) == (429, "QUEUE_LIMIT")


async def test_a_page_can_come_instead_of_json(host: EmbeddedHost, client: Comfy) -> None:
    host.faults = weather(BadAnswer("html"))

    answer = await client.get("/api/queue")

    assert answer.status == 200
    assert answer.body.startswith("<html>")


@pytest.mark.parametrize(
    ("after", "accepted"),
    [(False, False), (True, True)],
)
@pytest.mark.parametrize("what", ["500", "502", "html", "truncated", "wrong_types", "reset"])
async def test_a_post_is_carried_out_only_if_ordered(
    host: EmbeddedHost, client: Comfy, what: str, after: bool, accepted: bool
) -> None:
    host.faults = weather(BadAnswer(what, "POST", "/prompt", after=after), node_ms=60_000)
    prompt_id = new_id()

    try:
        answer = await client.submit(fresh("small"), prompt_id=prompt_id)
    except aiohttp.ClientError:
        answer = None

    if answer is not None and isinstance(answer.body, dict):
        assert answer.body["prompt_id"] == 7
    assert (prompt_id in {host.running, *host.pending}) is accepted


@pytest.mark.parametrize("path", ["/api/queue", "/api/view"])
async def test_a_truncated_body_breaks_off(host: EmbeddedHost, client: Comfy, path: str) -> None:
    ended = await client.run(fresh("small"))
    [file] = ended.entry["outputs"]["2"]["images"]
    host.faults = weather(BadAnswer("truncated", "GET"))

    with pytest.raises(aiohttp.ClientPayloadError):
        await client.get(path, **(file if path == "/api/view" else {}))


async def test_wrong_types_keep_the_keys(host: EmbeddedHost, client: Comfy) -> None:
    prompt_id = (await client.run(fresh("small"))).prompt_id
    host.faults = weather(BadAnswer("wrong_types"))

    queue = (await client.get("/queue")).body
    history = (await client.get(f"/history/{prompt_id}")).body
    job = (await client.get(f"/api/jobs/{prompt_id}")).body
    listed = (await client.get("/models")).body
    page = (await client.get("/")).body

    assert queue == {"queue_running": {"nothing": 7}, "queue_pending": {"nothing": 7}}
    assert history == {prompt_id: [7, "nothing"]}
    assert (job["status"], job["outputs"], job["priority"]) == (7, [7, "nothing"], "nothing")
    assert listed == {"nothing": 7}
    assert page == {"nothing": 7}


async def test_a_huge_answer_is_right_and_huge(host: EmbeddedHost, client: Comfy) -> None:
    host.faults = weather(BadAnswer("huge", size=200_000))

    async with client.session.get(client.url + "/api/queue") as response:
        raw = await response.read()

    assert len(raw) == 200_000
    assert response.content_length is None, "it does not say how much comes"
    assert (await client.get("/api/queue")).body == {"queue_running": [], "queue_pending": []}


async def test_a_reset_connection_has_no_answer(host: EmbeddedHost, client: Comfy) -> None:
    host.faults = weather(BadAnswer("reset"))

    with pytest.raises(aiohttp.ClientOSError):
        await client.get("/api/queue")


@pytest.mark.parametrize("after", [False, True])
async def test_a_slow_answer_waits_before_or_after_the_work(
    host: EmbeddedHost, client: Comfy, after: bool
) -> None:
    host.faults = weather(BadAnswer("slow", "POST", after=after, delay_ms=60_000), node_ms=60_000)
    prompt_id = new_id()
    asked = asyncio.ensure_future(client.submit(fresh("small"), prompt_id=prompt_id))

    await host.until(lambda it: bool(it.seen))
    await client.get("/queue")

    assert (prompt_id in {host.running, *host.pending}) is after
    assert not asked.done()
    await host.stop()
    with pytest.raises(aiohttp.ClientError):
        await asked


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("path", "status"), [("/queue", 200), ("/models/none", 404), ("/x", 404)])
async def test_a_slow_answer_comes(
    host: EmbeddedHost, client: Comfy, path: str, status: int, after: bool
) -> None:
    host.faults = weather(BadAnswer("slow", delay_ms=30, after=after), BadAnswer("500"))

    assert (await client.get(path)).status == status


@pytest.mark.parametrize("end", [EmbeddedHost.stop, EmbeddedHost.restart])
async def test_a_mute_answer_ends_with_the_host(
    host: EmbeddedHost, client: Comfy, end: Any
) -> None:
    host.faults = weather(BadAnswer("mute"))
    asked = asyncio.ensure_future(client.get("/queue"))
    await host.until(lambda it: bool(it.seen))
    started = time.monotonic()

    await end(host)

    with pytest.raises(aiohttp.ClientError):
        await asked
    assert time.monotonic() - started < 8


async def test_the_first_that_matches_counts_and_can_be_used_up(
    host: EmbeddedHost, client: Comfy
) -> None:
    host.faults = weather(
        BadAnswer("503", "GET", "/jobs/*", times=2), BadAnswer("502", "GET", "/[hj]*", times=1)
    )

    async def status(path: str) -> int:
        return (await client.get(path)).status

    assert [await status("/api/jobs/x") for _ in range(4)] == [503, 503, 502, 404]
    assert await status("/api/history") == 200
    host.faults = weather(BadAnswer("502", "GET", "/history", times=1))
    assert [await status("/api/history") for _ in range(2)] == [502, 200]


async def test_a_prefix_makes_no_difference_and_a_method_does(
    host: EmbeddedHost, client: Comfy
) -> None:
    host.faults = weather(BadAnswer("502", "POST", "/queue"))

    statuses = [
        (await client.get("/queue")).status,
        (await client.post("/queue", {})).status,
        (await client.post("/api/queue", {})).status,
    ]

    assert statuses == [200, 502, 502]


@pytest.mark.parametrize("what", ["502", "html", "truncated", "wrong_types", "huge"])
async def test_a_handshake_can_be_answered_wrongly(
    host: EmbeddedHost, client: Comfy, what: str
) -> None:
    host.faults = weather(BadAnswer(what, path="/ws", after=True))

    with pytest.raises(aiohttp.ClientError):
        async with client.listen():
            pass


@pytest.mark.parametrize("fields", [{"what": "rain"}, {"what": "99"}, {"what": "502x"}])
def test_an_answer_that_cannot_be_is_an_error(fields: Mapping[str, str]) -> None:
    with pytest.raises(ValueError, match=r"."):
        BadAnswer(**fields)
