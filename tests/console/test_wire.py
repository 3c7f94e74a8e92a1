"""How much anybody may ask: sizes, time, connections."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from comfy_mcp.console.app import Console, started
from comfy_mcp.console.wire import MAX_BODY, Bounds
from comfy_mcp.oversight.freezing import freeze
from comfy_mcp.oversight.state import now_ms as machine_ms
from comfy_mcp.settings import Settings
from comfy_mcp.store.sqlite import SqliteStore
from tests.console.caller import SECONDS, SOON, Caller, Terminal, connected, read, signed_in

pytestmark = pytest.mark.anyio


@pytest.fixture
async def impatient(settings: Settings, terminal: Terminal) -> AsyncIterator[Console]:
    """A console that waits for nobody and has few connections."""
    bounds = Bounds(head_s=0.3, body_s=0.2, idle_s=0.4, connections=4)
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


@pytest.fixture
async def patient(settings: Settings, terminal: Terminal) -> AsyncIterator[Console]:
    """A console that waits long for everything but headers."""
    async with started(settings, terminal, port=0, bounds=Bounds(head_s=0.2)) as running:
        yield running


def page(port: int) -> bytes:
    """The head of a request for the page that leaves the connection open."""
    return f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()


async def answered(reader: asyncio.StreamReader) -> int:
    """The status of the next answer, which is read to its end."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    assert length is not None
    await reader.readexactly(int(length[1]))
    return int(head.split()[1])


@pytest.mark.parametrize("begun", [b"", b"G", b"GET / HTTP/1.1\r\nHost:"])
async def test_headers_that_do_not_come_are_not_waited_for(patient: Console, begun: bytes) -> None:
    async with asyncio.timeout(SOON), connected(patient.place.port) as (reader, writer):
        writer.write(begun)

        assert await reader.read() == b""


async def test_headers_of_a_later_request_are_not_waited_for_either(patient: Console) -> None:
    port = patient.place.port
    async with asyncio.timeout(SOON), connected(port, first=page(port)) as (reader, writer):
        assert await answered(reader) == 200
        writer.write(b"GET / HTTP/1.1\r\nHo")

        assert await reader.read() == b""


async def test_headers_that_come_a_byte_at_a_time_gain_no_time(patient: Console) -> None:
    async with asyncio.timeout(SOON), connected(patient.place.port) as (reader, writer):
        ended = asyncio.create_task(reader.read())
        writer.write(b"GET / HTTP/1.1\r\nX: ")
        while not ended.done():
            writer.write(b"a")
            await asyncio.wait({ended}, timeout=0.05)


async def test_what_is_slow_after_its_headers_goes_on(
    patient: Console, terminal: Terminal, store: SqliteStore
) -> None:
    caller = await signed_in(patient, terminal)
    body = b'{"grant":"bob"}'

    first = head(caller, Content_Length=str(len(body))) + body[:1]
    async with asyncio.timeout(SECONDS), connected(caller.port, first=first) as (reader, writer):
        answer = asyncio.create_task(reader.read())
        for byte in body[1:]:
            # In all longer than headers may take.
            await asyncio.wait({answer}, timeout=0.04)
            writer.write(bytes([byte]))
        said = read(await answer)

    assert said.status == 200
    assert [one.grant for one in await store.freezes()] == ["bob"]


async def test_a_connection_that_says_nothing_is_ended(impatient: Console) -> None:
    async with asyncio.timeout(SECONDS), connected(impatient.place.port) as (reader, _):
        assert await reader.read() == b""


async def test_whoever_holds_every_connection_open_keeps_nobody_out(
    settings: Settings, store: SqliteStore, terminal: Terminal
) -> None:
    bounds = Bounds(head_s=SECONDS, connections=3)
    async with (
        started(settings, terminal, port=0, bounds=bounds) as console,
        asyncio.timeout(SOON),
        AsyncExitStack() as held,
    ):
        operator = await signed_in(console, terminal)
        async with operator.events() as stream:
            await stream.state()
            for _ in range(40):
                await held.enter_async_context(connected(operator.port))

            assert (await Caller(operator.port).get("/")).status == 200
            assert (await operator.get("/api/session")).status == 200
            await freeze(store, machine_ms(), "bob")
            await stream.until("the freeze", lambda told: told["freezes"] != [])


async def test_the_oldest_connection_that_has_shown_no_session_makes_room(
    settings: Settings, terminal: Terminal
) -> None:
    bounds = Bounds(head_s=SECONDS, connections=2)
    async with (
        started(settings, terminal, port=0, bounds=bounds) as console,
        asyncio.timeout(SOON),
        connected(console.place.port) as (first, _),
        connected(console.place.port) as (second, writer),
        connected(console.place.port),
    ):
        assert await first.read() == b""
        writer.write(page(console.place.port))
        assert await answered(second) == 200


async def test_where_everybody_has_shown_a_session_the_new_connection_goes(
    settings: Settings,
    store: SqliteStore,  # noqa: ARG001 - without it there is nothing to tell
    terminal: Terminal,
) -> None:
    bounds = Bounds(head_s=SECONDS, connections=2)
    async with started(settings, terminal, port=0, bounds=bounds) as console:
        operator = await signed_in(console, terminal)
        async with asyncio.timeout(SOON), operator.events() as one, operator.events() as two:
            await one.state()
            await two.state()
            async with connected(operator.port) as (reader, _):
                assert await reader.read() == b""
            assert not one.reader.at_eof()
            assert not two.reader.at_eof()


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
