"""Files are told by what is in them; what cannot be told says why, in time, and is no error."""

from __future__ import annotations

import asyncio
import hashlib
import io
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from PIL import Image

from comfy_mcp.embedded import EmbeddedHost
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.host.fingerprints import Fingerprint, Fingerprints
from comfy_mcp.host.transport import Timeouts, Transport
from comfy_mcp.settings import Address

if TYPE_CHECKING:
    from conftest import Stranger

pytestmark = pytest.mark.anyio

Start = Callable[..., Awaitable[EmbeddedHost]]
StrangerAt = Callable[[Any], Awaitable["Stranger"]]
Client = Callable[..., ComfyHost]
Printer = Callable[..., Fingerprints]

HASTY = Timeouts(connect=2, answer=5, submit=5, view=1)
LATE = "it could not be read in time"


@pytest.fixture
async def printer() -> AsyncIterator[Printer]:
    """Makes what tells files of a host, with bounds that a test can reach."""
    wires: list[Transport] = []

    def make(url: str, *, seconds: float = 5, most: int = 1 << 30) -> Fingerprints:
        wire = Transport(Address(url), timeouts=HASTY, pause=0, lost=lambda: None)
        wires.append(wire)
        return Fingerprints(wire, url, seconds=seconds, most=most)

    yield make
    for wire in wires:
        await wire.close()


def png(color: str = "red") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (30, 20), color).save(buffer, "PNG")
    return buffer.getvalue()


def put(comfy: EmbeddedHost, place: str, content: bytes) -> str:
    """Write a file where ComfyUI finds it; its digest."""
    path = comfy.folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


async def one(host: ComfyHost | Fingerprints, name: str) -> Fingerprint:
    ask = host.fingerprints if isinstance(host, ComfyHost) else host.of
    found = await ask(frozenset({name}))
    assert found.keys() == {name}
    return found[name]


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("x.png", "input/x.png"),
        ("x.png [input]", "input/x.png"),
        ("sub/deep/x.png", "input/sub/deep/x.png"),
        ("x.png [output]", "output/x.png"),
        ("sub/x.png [temp]", "temp/sub/x.png"),
        ("x.png_[output]", "output/x.png"),
        ("a b & c#\u00fc (1).png", "input/a b & c#\u00fc (1).png"),
        ("a [1].png", "input/a [1].png"),
        ("a+b=c.png", "input/a+b=c.png"),
    ],
)
async def test_a_file_is_told_by_what_is_in_it_where_nodes_find_it(
    client: Client, embedded: Start, name: str, place: str
) -> None:
    comfy = await embedded()
    for other in ("input/x.png", "output/x.png", "temp/sub/x.png", "input/sub/deep/x.png"):
        put(comfy, other, other.encode())
    content = png()
    digest = put(comfy, place, content)

    assert await one(client(comfy.url), name) == Fingerprint(digest, len(content), picture=True)


async def test_another_content_under_the_same_name_is_another_file(
    client: Client, embedded: Start
) -> None:
    comfy = await embedded()
    host = client(comfy.url)
    before = put(comfy, "input/x.png", png("red"))
    assert (await one(host, "x.png")).sha256 == before

    after = put(comfy, "input/x.png", png("blue"))
    assert (await one(host, "x.png")).sha256 == after != before


async def test_what_is_no_picture_and_what_is_empty_is_told_too(
    client: Client, embedded: Start
) -> None:
    comfy = await embedded()
    film, nothing = put(comfy, "input/a.mp4", b"\0\0ftyp"), put(comfy, "input/empty.png", b"")

    found = await client(comfy.url).fingerprints(frozenset({"a.mp4", "empty.png"}))

    assert found == {"a.mp4": Fingerprint(film, 6), "empty.png": Fingerprint(nothing, 0)}


@pytest.mark.parametrize(
    "name",
    [
        *("", "[input]", "sub/", "sub//x.png", "./x.png", "sub/../x.png", "../x.png"),
        *("/x.png", "sub\\x.png", "x.png [input] [output]", "x%d.png", "x*.png", "x.png\0"),
        *("blake3:00", "{x}.png", "x?.png", "..", "."),
    ],
)
async def test_a_name_that_is_not_plainly_one_file_is_not_even_asked_for(
    client: Client, stranger: StrangerAt, name: str
) -> None:
    async def any_file(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=png())

    found = await stranger(any_file)

    told = await one(client(found.url), name)

    assert (told.sha256, told.why != "") == (None, True)
    assert found.seen == []


async def test_a_file_that_is_not_there_says_so(client: Client, embedded: Start) -> None:
    host = client((await embedded()).url)

    for name in ("gone.png", "gone.png [output]", "sub/gone.png"):
        assert await one(host, name) == Fingerprint(None, why="ComfyUI has no such file")


@pytest.mark.parametrize("status", [206, 301, 302, 307, 401, 403, 416, 500, 503])
async def test_any_other_answer_than_the_whole_file_is_none_and_nobody_is_followed(
    client: Client, stranger: StrangerAt, status: int
) -> None:
    async def elsewhere(request: web.Request) -> web.StreamResponse:
        if request.path == "/elsewhere":
            return web.Response(body=png())
        return web.Response(status=status, body=png(), headers={"Location": "/elsewhere"})

    found = await stranger(elsewhere)

    assert await one(client(found.url), "x.png") == Fingerprint(
        None, why=f"ComfyUI answered HTTP {status}"
    )
    assert found.seen == [("GET", "/api/view")]


async def test_a_body_that_breaks_off_is_no_file(client: Client, stranger: StrangerAt) -> None:
    async def half(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": "1000"})
        await answer.prepare(request)
        await answer.write(png())
        assert request.transport is not None
        request.transport.close()
        return answer

    told = await one(client((await stranger(half)).url), "x.png")

    assert told == Fingerprint(None, why="ComfyUI could not be asked")


async def test_a_comfyui_that_is_away_is_no_error(client: Client) -> None:
    async with EmbeddedHost() as gone:
        url = gone.url

    told = await one(client(url), "x.png")

    assert told == Fingerprint(None, why="ComfyUI could not be asked")


async def test_a_huge_file_is_given_up_and_the_small_ones_before_it_are_told(
    printer: Printer, embedded: Start
) -> None:
    comfy = await embedded()
    small = put(comfy, "input/a.png", png())
    put(comfy, "input/huge.bin", bytes(3_000_000))
    put(comfy, "input/z.png", png())
    names = frozenset({"a.png", "huge.bin", "z.png"})

    found = await printer(comfy.url, most=1_000_000).of(names)

    assert found["a.png"].sha256 == small
    assert found["huge.bin"] == Fingerprint(None, why="all files together exceed 1000000 bytes")


async def test_many_files_together_are_bounded_like_one(printer: Printer, embedded: Start) -> None:
    comfy = await embedded()
    for at in range(5):
        put(comfy, f"input/{at}.bin", bytes([at]) * 400_000)

    found = await printer(comfy.url, most=1_000_000).of(frozenset(f"{n}.bin" for n in range(5)))

    assert sum(one.sha256 is not None for one in found.values()) <= 2


async def test_an_endless_file_ends_at_the_bound(printer: Printer, stranger: StrangerAt) -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        answer = web.StreamResponse()
        await answer.prepare(request)
        while True:
            sent += 100_000
            await answer.write(bytes(100_000))

    host = await stranger(endless)

    assert (await one(printer(host.url, most=1_000_000), "x.png")).sha256 is None
    assert sent < 50_000_000


async def test_a_slow_file_takes_no_longer_than_it_may_and_the_others_are_told(
    printer: Printer, stranger: StrangerAt
) -> None:
    over = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.query["filename"] != "slow.png":
            return web.Response(body=png())
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(png()[:20])
        await over.wait()
        return response

    host = await stranger(answer)
    began = time.monotonic()

    found = await printer(host.url, seconds=1.5).of(frozenset({"a.png", "slow.png", "z.png"}))

    over.set()
    assert time.monotonic() - began < 20
    told = hashlib.sha256(png()).hexdigest()
    assert (found["a.png"].sha256, found["z.png"].sha256) == (told, told)
    # Either bound may be the first to be noticed.
    assert found["slow.png"] in (
        Fingerprint(None, why=LATE),
        Fingerprint(None, why="ComfyUI could not be asked"),
    )


async def test_many_slow_files_together_take_no_longer_than_one(
    printer: Printer, stranger: StrangerAt
) -> None:
    over = asyncio.Event()

    async def never(_request: web.Request) -> web.StreamResponse:
        await over.wait()
        return web.Response(body=png())

    host = await stranger(never)
    names = frozenset(f"{at}.png" for at in range(12))

    found = await printer(host.url, seconds=0.3).of(names)

    over.set()
    assert found.keys() == names
    assert {one.sha256 for one in found.values()} == {None}
    # The last ones were not even asked for.
    assert len(host.seen) < 12
    assert LATE in {one.why for one in found.values()}


async def test_the_file_is_asked_for_as_it_is(client: Client, stranger: StrangerAt) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        assert dict(request.query) == {"filename": "x.png", "subfolder": "s", "type": "output"}
        return web.Response(body=png())

    host = await stranger(answer)
    told = await one(client(host.url, {"X-Key": "secret"}), "s/x.png [output]")

    assert told.sha256 == hashlib.sha256(png()).hexdigest()
    assert host.headers[0]["Accept-Encoding"] == "identity"
    assert "Range" not in host.headers[0]
