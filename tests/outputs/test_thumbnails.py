"""A picture is shown small whatever it is; what cannot be shown is an error, never a crash."""

from __future__ import annotations

import io
import random
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from comfy_mcp.errors import OutputError
from comfy_mcp.host import OutputFile
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.outputs import describe, mime_type, parse_uri, thumbnail, uri
from comfy_mcp.settings import Address

JOB = "5a8f9a34-3a0c-4f5b-8f6e-7a8f9c0d1e2f"


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    grains = random.Random(7)  # noqa: S311 - the same picture every time
    return Image.frombytes(mode, (width, height), grains.randbytes(width * height * len(mode)))


def png_of_size(width: int, height: int) -> bytes:
    """A few bytes that claim to be a picture of that size."""

    def chunk(name: bytes, data: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + crc

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
@pytest.mark.parametrize("side", [64, 512, 1024])
def test_even_a_big_noisy_picture_is_shown_in_under_100_kb(kind: str, side: int) -> None:
    data, size = thumbnail(saved(noise(1600, 1200), kind, **_fast(kind)), side)

    small = opened(data)
    assert len(data) < 100_000
    assert small.format == "JPEG"
    assert max(small.size) <= side
    assert size == (1600, 1200)


def _fast(kind: str) -> dict[str, int]:
    return {"compress_level": 0} if kind == "PNG" else {"quality": 80, "method": 0}


def test_a_small_picture_is_not_blown_up() -> None:
    data, size = thumbnail(saved(Image.new("RGB", (40, 20), "red"), "PNG"), 512)

    assert opened(data).size == size == (40, 20)


def test_a_very_long_picture_keeps_a_pixel_of_its_short_side() -> None:
    data, size = thumbnail(saved(Image.new("RGB", (4000, 1)), "PNG"), 64)

    assert opened(data).size == (64, 1)
    assert size == (4000, 1)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_white(mode: str) -> None:
    clear = Image.new("RGBA", (32, 32), (255, 0, 0, 0))
    picture = clear.quantize() if mode == "P" else clear.convert(mode)

    data, _ = thumbnail(saved(picture, "PNG"), 32)

    assert min(_pixel(data)) > 250


def _pixel(data: bytes) -> tuple[int, ...]:
    value = opened(data).getpixel((5, 5))
    assert isinstance(value, tuple)
    return tuple(int(part) for part in value)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "I;16", "RGB"])
def test_pictures_of_every_mode_are_shown(mode: str) -> None:
    picture = Image.new(mode, (32, 32))
    data = saved(picture, "TIFF" if mode == "CMYK" else "PNG")

    assert opened(thumbnail(data, 16)[0]).mode == "RGB"


@pytest.mark.parametrize("kind", ["WEBP", "GIF", "PNG"])
def test_of_an_animation_the_first_frame_is_shown(kind: str) -> None:
    frames = [Image.new("RGB", (64, 64), color) for color in ("red", "lime", "blue")]
    animation = saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=50)

    red, green, blue = _pixel(thumbnail(animation, 64)[0])

    assert red > 200
    assert max(green, blue) < 60


def test_a_picture_that_is_too_large_to_decode_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(OutputError, match="open its url"):
        thumbnail(png_of_size(30_000, 30_000), 64)


def test_a_picture_just_above_the_limit_is_refused_with_its_size() -> None:
    with (
        pytest.warns(Image.DecompressionBombWarning),
        pytest.raises(OutputError, match="10001x10000"),
    ):
        thumbnail(png_of_size(10_001, 10_000), 64)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\x00\x00\x00\x20ftypisom" + bytes(64),
        png_of_size(0, 0),
        saved(Image.new("RGB", (64, 64)), "PNG")[:60],
    ],
)
def test_what_is_no_whole_picture_is_refused(data: bytes) -> None:
    with pytest.raises(OutputError):
        thumbnail(data, 64)


SEEDS = [
    saved(noise(24, 24), kind)
    for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "AVIF")
    if Image.init() is not None and kind in Image.SAVE
]


@settings(max_examples=150)
@given(st.sampled_from(SEEDS), st.data())
def test_a_damaged_picture_is_shown_or_refused_and_nothing_else(
    whole: bytes, data: st.DataObject
) -> None:
    broken = bytearray(whole[: data.draw(st.integers(1, len(whole)))])
    for _ in range(data.draw(st.integers(0, 4))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))

    try:
        small, _ = thumbnail(bytes(broken), 16)
    except OutputError:
        return
    assert len(small) < 100_000


@pytest.mark.parametrize("number", [0, 7, 999_999])
def test_an_output_is_found_by_its_uri(number: int) -> None:
    assert parse_uri(uri(JOB, number)) == (JOB, number)
    assert parse_uri(f"  {uri(JOB, number)}\n") == (JOB, number)


@pytest.mark.parametrize(
    "text",
    [
        "",
        JOB,
        f"comfy://jobs/{JOB}",
        f"comfy://jobs/{JOB}/outputs/",
        f"comfy://jobs/{JOB}/outputs/-1",
        f"comfy://jobs/{JOB}/outputs/1000000",
        f"comfy://jobs/{JOB}/outputs/0/x",
        "comfy://jobs/a/b/outputs/0",
        f"https://jobs/{JOB}/outputs/0",
    ],
)
def test_what_is_no_uri_of_an_output_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(OutputError, match="comfy://jobs/<prompt_id>/outputs/0"):
        parse_uri(text)


@pytest.mark.parametrize(
    ("filename", "mime"),
    [
        ("a_00001_.png", "image/png"),
        ("a.JPG", "image/jpeg"),
        ("a.webp", "image/webp"),
        ("video_00001_.mp4", "video/mp4"),
        ("a.webm", "video/webm"),
        ("a.mkv", "video/x-matroska"),
        ("a.flac", "audio/flac"),
        ("a.mp3", "audio/mpeg"),
        ("a.opus", "audio/opus"),
        ("a.glb", "model/gltf-binary"),
        ("a.latent", "application/octet-stream"),
        ("a.txt", "text/plain"),
        ("a.json", "application/json"),
        ("noend", "application/octet-stream"),
        ("", "application/octet-stream"),
    ],
)
def test_a_file_is_what_its_ending_says(filename: str, mime: str) -> None:
    assert mime_type(filename) == mime


def a_host(**headers: str) -> ComfyHost:
    return ComfyHost(Address("http://gpu:8188/comfy", headers), now_ms=lambda: 0)


@pytest.mark.parametrize(
    ("filename", "kind"),
    [
        ("v.mp4", "video"),
        ("p.png", "image"),
        ("s.flac", "audio"),
        ("m.glb", "3d"),
        ("t.txt", "text"),
        ("t.json", "text"),
        ("l.latent", "file"),
    ],
)
def test_a_video_among_the_images_is_a_video(filename: str, kind: str) -> None:
    found = describe(uri(JOB, 0), OutputFile("6", "images", filename), a_host())

    assert found.kind == kind


def test_a_text_is_an_output_without_a_file() -> None:
    found = describe(uri(JOB, 1), OutputFile("9", "text", text="hello"), a_host())

    assert found.uri == uri(JOB, 1)
    assert (found.kind, found.text, found.filename, found.url) == ("text", "hello", None, None)


def test_a_long_text_is_shown_by_its_beginning() -> None:
    found = describe(uri(JOB, 0), OutputFile("9", "text", text="x" * 500), a_host())

    assert found.text == "x" * 200 + "…"


def test_the_url_of_a_file_is_one_that_a_person_can_open() -> None:
    file = OutputFile("6", "images", "a b&c.png", "sub/dir", "temp")

    found = describe(uri(JOB, 0), file, a_host())

    assert found.url == (
        "http://gpu:8188/comfy/api/view?filename=a%20b%26c.png&subfolder=sub%2Fdir&type=temp"
    )


def test_no_url_is_given_where_it_would_need_credentials() -> None:
    found = describe(uri(JOB, 0), OutputFile("6", "images", "a.png"), a_host(Authorization="x"))

    assert found.url is None
