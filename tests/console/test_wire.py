"""How much anybody may ask: sizes, time, connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from comfy_mcp.console.app import Console, started
from comfy_mcp.console.wire import MAX_BODY, Bounds
from comfy_mcp.settings import Settings
from tests.console.caller import SECONDS, Caller, Terminal, connected, read, signed_in

pytestmark = pytest.mark.anyio


@pytest.fixture
async def impatient(settings: Settings, terminal: Terminal) -> AsyncIterator[Console]:
    """A console that waits for nobody and has few connections."""
    bounds = Bounds(body_s=0.2, idle_s=0.3, connections=4)
    async with started(settings, terminal, port=0, bounds=bounds) as running:
        yield running


def head(caller: Caller, **more: str | None) -> bytes:
    """The head of a POST that has everything but its body."""
    told = caller.headers("POST", {name.replace("_", "-"): more[name] for name in more})
    lines = ["POST /api/freeze HTTP/1.1", *(f"{name}: {told[name]}" for name in told), "", ""]
    return "\r\n".join(lines).encode()


async def test_a_body_of_more_than_64_kib_is_refused_before_it_is_sent(operator: Caller) -> None:
    said = await operator.raw(head(operator, Content_Length=str(MAX_BODY + 1)))

    assert said.status == 413
    assert said.values["error"] == "More than 65536 bytes are not read."


async def test_a_body_of_exactly_64_kib_is_read(operator: Caller) -> None:
    body = b'{"grant":"' + b"a" * (MAX_BODY - 12) + b'"}'

    said = await operator.raw(head(operator, Content_Length=str(len(body))) + body)

    assert len(body) == MAX_BODY
    assert (said.status, "grant" in said.values["error"]) == (400, True)


async def test_a_chunked_body_without_an_end_is_refused_when_it_is_too_long(
    operator: Caller,
) -> None:
    chunk = b"4000\r\n" + b"a" * 0x4000 + b"\r\n"
    sent = 0

    async with asyncio.timeout(SECONDS), connected(operator.port) as (reader, writer):
        writer.write(head(operator, Transfer_Encoding="chunked"))
        try:
            while sent < 64 and not reader.at_eof():
                writer.write(chunk)
                await writer.drain()
                sent += 1
        except ConnectionError:
            # It hung up, as it should.
            pass
        try:
            said = read(await reader.read())
        except ConnectionError:
            return
    assert said.status == 413


async def test_a_body_that_comes_too_slowly_is_not_waited_for(
    impatient: Console, terminal: Terminal
) -> None:
    caller = await signed_in(impatient, terminal)

    said = await caller.raw(head(caller, Content_Length="10") + b"{")

    assert said.status == 408


async def test_headers_that_never_end_are_not_waited_for(impatient: Console) -> None:
    async with asyncio.timeout(SECONDS), connected(impatient.place.port) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost:")

        assert await reader.read() == b""


async def test_a_connection_that_says_nothing_is_ended(impatient: Console) -> None:
    async with asyncio.timeout(SECONDS), connected(impatient.place.port) as (reader, _):
        assert await reader.read() == b""


async def test_one_connection_too_many_is_ended_at_once_and_the_others_go_on(
    settings: Settings, terminal: Terminal
) -> None:
    bounds = Bounds(connections=2)
    async with (
        started(settings, terminal, port=0, bounds=bounds) as console,
        asyncio.timeout(SECONDS),
        connected(console.place.port) as (first, writer),
        connected(console.place.port),
        connected(console.place.port) as (third, _),
    ):
        assert await third.read() == b""
        writer.write(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{console.place.port}\r\n\r\n".encode())
        assert (await first.readline()).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "lines",
    [
        "GET /" + "a" * 9_000 + " HTTP/1.1\r\nHost: {host}\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: {host}\r\nX: " + "a" * 9_000 + "\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: {host}\r\n"
        + "".join(f"X-{number}: a\r\n" for number in range(500))
        + "\r\n",
    ],
    ids=["line", "header", "headers"],
)
async def test_headers_have_a_bound(stranger: Caller, lines: str) -> None:
    said = await stranger.raw(lines.replace("{host}", stranger.host).encode())

    assert said.status == 400
    assert len(said.body) < 200


async def test_a_query_has_a_bound(operator: Caller) -> None:
    assert (await operator.get("/api/audit?q=" + "a" * 3_000)).status == 414


async def test_a_request_that_breaks_off_does_nothing(
    operator: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    async with asyncio.timeout(SECONDS), connected(operator.port) as (_, writer):
        writer.write(head(operator, Content_Length="100") + b'{"grant": "*"')
        await writer.drain()

    assert (await operator.get("/api/session")).status == 200
    assert caplog.records == []


async def test_a_failure_of_the_program_says_nothing_of_the_program(
    operator: Caller, console: Console, caplog: pytest.LogCaptureFixture
) -> None:
    route = next(one for one in console.reception.routes if one.path == "/api/audit")

    async def broken(_: object) -> None:
        raise RuntimeError("a secret place in the program")

    object.__setattr__(route, "handler", broken)

    said = await operator.get("/api/audit?q=hidden")

    assert said.status == 500
    assert b"secret" not in said.body
    assert b"Traceback" not in said.body
    assert "secret place" in caplog.text
    assert "hidden" not in caplog.text
    assert operator.cookie not in caplog.text
