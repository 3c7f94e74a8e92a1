"""Pictures are measured where nodes find them; what is not plainly one file has no size."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from PIL import Image

from comfy_mcp.embedded import EmbeddedHost
from comfy_mcp.host import pictures
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.host.transport import Timeouts
from comfy_mcp.workflow import Asked, Known

if TYPE_CHECKING:
    from conftest import Stranger

pytestmark = pytest.mark.anyio

Start = Callable[..., Awaitable[EmbeddedHost]]
StrangerAt = Callable[[Any], Awaitable["Stranger"]]
Client = Callable[..., ComfyHost]

HASTY = Timeouts(connect=2, answer=5, submit=5, known=1.5)


def shown(*names: str) -> Asked:
    return Asked(pictures=frozenset(names))


def png(size: tuple[int, int] = (30, 20), kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, "red").save(buffer, kind)
    return buffer.getvalue()


def put(comfy: EmbeddedHost, place: str, content: bytes) -> None:
    path = comfy.folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


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
    ],
)
async def test_a_picture_is_found_where_nodes_find_it(
    client: Client, embedded: Start, name: str, place: str
) -> None:
    comfy = await embedded()
    put(comfy, place, png())

    assert (await client(comfy.url).known(shown(name))).pictures == {name: (30, 20, 1)}


@pytest.mark.parametrize(
    "name",
    [
        "gone.png",
        "gone.png [output]",
        "",
        " ",
        "[input]",
        "sub/",
        "sub//x.png",
        "./x.png",
        "sub/../x.png",
        "../x.png",
        "/x.png",
        "sub\\x.png",
        "x.png [input] [output]",
        "x%d.png",
        "x*.png",
        "blake3:00",
        "x.png\0",
    ],
)
async def test_a_name_that_is_not_plainly_one_file_has_no_size(
    client: Client, embedded: Start, name: str
) -> None:
    comfy = await embedded()
    for place in ("input/x.png", "output/x.png", "input/sub/x.png", "input/x%d.png"):
        put(comfy, place, png())

    assert (await client(comfy.url).known(shown(name))).pictures == {name: None}


async def test_what_is_no_picture_or_more_than_one_has_no_size(
    client: Client, embedded: Start
) -> None:
    comfy = await embedded()
    put(comfy, "input/film.png", b"\0\0\0\x20ftypisom" + bytes(100_000))
    put(comfy, "input/two.png", png() + png())
    put(comfy, "input/empty.png", b"")

    known = await client(comfy.url).known(shown("film.png", "two.png", "empty.png"))

    assert known.pictures == dict.fromkeys(("film.png", "two.png", "empty.png"))


async def test_a_large_picture_is_read_to_its_end(client: Client, embedded: Start) -> None:
    noise, buffer = Image.effect_noise((1500, 1000), 90), io.BytesIO()
    noise.save(buffer, "PNG")
    assert len(buffer.getvalue()) > 1_000_000
    comfy = await embedded()
    put(comfy, "input/noise.png", buffer.getvalue())
    put(comfy, "input/noises.png", buffer.getvalue() + png((1500, 1000)))

    known = await client(comfy.url).known(shown("noise.png", "noises.png"))

    assert known.pictures == {"noise.png": (1500, 1000, 1), "noises.png": None}


async def test_a_file_that_is_too_large_has_no_size(
    client: Client, embedded: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "MOST_BYTES", 5_000)
    comfy = await embedded()
    put(comfy, "input/x.bmp", png(kind="BMP"))
    put(comfy, "input/long.bmp", png((100, 100), "BMP"))

    known = await client(comfy.url).known(shown("x.bmp", "long.bmp"))

    assert known.pictures == {"x.bmp": (30, 20, 1), "long.bmp": None}


async def test_a_host_that_does_not_know_parts_of_files_is_read_as_well(
    client: Client, stranger: StrangerAt
) -> None:
    async def answer(request: web.Request) -> web.Response:
        assert request.headers["Range"].startswith("bytes=0-")
        return web.Response(body=png(), content_type="image/png")

    server = await stranger(answer)

    assert (await client(server.url).known(shown("x.png"))).pictures == {"x.png": (30, 20, 1)}


async def test_what_is_no_picture_is_not_read_on(client: Client, stranger: StrangerAt) -> None:
    dropped = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(bytes(1 << 16))
        finally:
            dropped.set()

    server = await stranger(answer)

    known = await client(server.url).known(shown("film.png"))
    await asyncio.wait_for(dropped.wait(), 5)

    assert known.pictures == {"film.png": None}


@pytest.mark.parametrize("status", [301, 401, 403, 404, 416, 500])
async def test_a_file_that_is_not_handed_out_has_no_size(
    client: Client, stranger: StrangerAt, status: int
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=png(), status=status, headers={"Location": "/elsewhere"})

    server = await stranger(answer)

    assert (await client(server.url).known(shown("x.png"))).pictures == {"x.png": None}
    assert server.seen == [("GET", "/api/view")]


async def test_of_a_host_that_is_not_there_no_picture_is_known(client: Client) -> None:
    assert await client("http://127.0.0.1:9").known(shown("x.png", "y.png")) == Known()


async def test_a_picture_that_takes_too_long_is_left_out(
    client: Client, stranger: StrangerAt
) -> None:
    never = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(png()[:20])
        if request.query["filename"] == "slow.png":
            await never.wait()
        await response.write(png()[20:])
        return response

    server = await stranger(answer)

    known = await client(server.url, timeouts=HASTY).known(shown("slow.png", "quick.png"))

    assert known.pictures == {"quick.png": (30, 20, 1)}


async def test_a_connection_that_breaks_leaves_the_picture_out(
    client: Client, stranger: StrangerAt
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(png()))})
        await response.prepare(request)
        await response.write(png()[:20])
        assert request.transport is not None
        request.transport.abort()
        return response

    server = await stranger(answer)

    assert await client(server.url).known(shown("x.png")) == Known()


async def test_more_pictures_than_anybody_loads_are_not_asked_for(
    client: Client, stranger: StrangerAt
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=png())

    names = [f"{number:05}.png" for number in range(pictures.MOST_FILES + 1)]
    server = await stranger(answer)

    known = await client(server.url).known(shown(*names))

    assert set(names) - set(known.pictures) == {names[-1]}
