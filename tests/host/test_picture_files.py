"""A file's size is what every reader will make of it, or it has none."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from comfy_mcp.host.picture_files import measured

SMALL, LARGE = (64, 48), (640, 480)
FORMATS = {"PNG": "x.png", "JPEG": "x.jpg", "GIF": "x.gif", "BMP": "x.bmp", "WEBP": "x.webp"}
ENDED = b"\xff\xd9"


def picture(kind: str, size: tuple[int, int] = SMALL, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, "red").save(buffer, kind, **options)
    return buffer.getvalue()


def animation(kind: str, count: int, **options: Any) -> bytes:
    buffer = io.BytesIO()
    first, *others = [Image.new("RGB", SMALL, (40 * turn, 0, 0)) for turn in range(count)]
    first.save(buffer, kind, save_all=True, append_images=others, duration=100, **options)
    return buffer.getvalue()


def chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at < len(png):
        length, kind = struct.unpack_from(">I4s", png, at)
        yield kind, png[at + 8 : at + 8 + length]
        at += 12 + length


def png_of(parts: list[tuple[bytes, bytes]]) -> bytes:
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + body


def webp_of(*parts: tuple[bytes, bytes]) -> bytes:
    body = b"".join(
        kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for kind, data in parts
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


@given(
    kind=st.sampled_from(sorted(FORMATS)),
    width=st.integers(1, 70),
    height=st.integers(1, 70),
)
def test_a_picture_is_as_large_as_pillow_says(kind: str, width: int, height: int) -> None:
    assert measured(picture(kind, (width, height)), FORMATS[kind]) == (width, height, 1)


@pytest.mark.parametrize("lossless", [True, False])
@given(width=st.integers(1, 70), height=st.integers(1, 70))
def test_both_kinds_of_webp_are_measured(lossless: bool, width: int, height: int) -> None:
    made = picture("WEBP", (width, height), lossless=lossless)

    assert measured(made, "x.webp") == (width, height, 1)


def test_a_progressive_jpeg_is_one_picture() -> None:
    assert measured(picture("JPEG", progressive=True), "x.jpg") == (64, 48, 1)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP"])
def test_pictures_of_an_animation_are_counted(kind: str) -> None:
    assert measured(animation(kind, 5), FORMATS[kind]) == (64, 48, 5)


def test_a_picture_shown_before_an_animation_begins_is_counted_as_pillow_does() -> None:
    assert measured(animation("PNG", 4, default_image=True), "x.png") == (64, 48, 4)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_that_lies_on_its_side_is_measured_as_it_is_loaded(kind: str) -> None:
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        turned = orientation >= 5

        found = measured(picture(kind, exif=exif), FORMATS[kind])

        assert found == ((48, 64, 1) if turned else (64, 48, 1))


def test_an_animation_that_admits_to_fewer_pictures_is_counted() -> None:
    parts = list(chunks(animation("PNG", 5)))
    lying = [
        (kind, struct.pack(">I", 1) + data[4:] if kind == b"acTL" else data) for kind, data in parts
    ]

    assert measured(png_of(lying), "x.png") == (64, 48, 5)


def test_an_animation_that_claims_more_pictures_is_believed() -> None:
    parts = [(kind, data) for kind, data in chunks(animation("PNG", 5)) if kind != b"fcTL"]
    assert (measured(png_of(parts), "x.png") or ())[2:] == (5,)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "WEBP", "GIF"])
@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_files_joined_into_one_have_no_size(kind: str, size: tuple[int, int]) -> None:
    """FFmpeg reads them as a film, Pillow as the first picture."""
    assert measured(picture(kind) + picture(kind, size), FORMATS[kind]) is None
    assert measured(picture(kind) + b"junk" + picture(kind, size), FORMATS[kind]) is None


def test_what_cameras_put_behind_a_jpeg_does_not_count() -> None:
    made = picture("JPEG")
    assert measured(made + picture("JPEG", LARGE), "x.jpg") == (64, 48, 1)
    assert measured(animation("MPO", 3), "x.jpg") == (64, 48, 1)


@pytest.mark.parametrize("name", ["x", "x.gif", "x.mjpeg", "x.jfif", "x.bin", "x.jpg.mp4"])
def test_a_jpeg_by_another_name_might_be_taken_for_a_film(name: str) -> None:
    assert measured(picture("JPEG"), name) is None


def test_a_jpeg_with_two_frame_headers_has_no_size() -> None:
    """Pillow believes the first, FFmpeg the last."""
    both = picture("JPEG").removesuffix(ENDED) + picture("JPEG", LARGE)[2:]
    assert measured(both, "x.jpg") is None


def test_a_frame_header_in_a_segment_that_is_not_always_skipped_has_no_size() -> None:
    made, hidden = picture("JPEG"), picture("JPEG", LARGE)[2:-2]
    segment = b"\xff\xf0" + struct.pack(">H", 2 + len(hidden)) + hidden
    assert measured(made[:2] + segment + made[2:], "x.jpg") is None


def test_a_second_header_in_a_png_has_no_size() -> None:
    parts = list(chunks(picture("PNG")))
    assert measured(png_of([parts[0], *parts]), "x.png") is None


def test_a_canvas_smaller_than_the_picture_on_it_does_not_hide_it() -> None:
    canvas = (b"VP8X", bytes(4) + (63).to_bytes(3, "little") + (47).to_bytes(3, "little"))
    inner = picture("WEBP", LARGE)[20:]
    assert measured(webp_of(canvas, (b"VP8 ", inner)), "x.webp") == (640, 480, 1)


def test_a_gif_whose_pictures_leave_its_screen_is_as_large_as_they_reach() -> None:
    made = bytearray(picture("GIF"))
    made[6:10] = struct.pack("<HH", 8, 8)
    assert measured(bytes(made), "x.gif") == (64, 48, 1)


@pytest.mark.parametrize("kind", ["TIFF", "PPM", "TGA", "PCX", "ICO"])
def test_other_formats_have_no_size(kind: str) -> None:
    for name in FORMATS.values():
        assert measured(picture(kind), name) is None


@given(
    kind=st.sampled_from(sorted(FORMATS)),
    cut=st.integers(0, 2_000),
    change=st.lists(
        st.tuples(st.integers(0, 2_000), st.binary(min_size=1, max_size=4)), max_size=4
    ),
)
def test_no_damage_makes_it_fail(kind: str, cut: int, change: list[tuple[int, bytes]]) -> None:
    content = bytearray(picture(kind))
    for at, data in change:
        content[at : at + len(data)] = data

    found = measured(bytes(content[: len(content) - cut]), FORMATS[kind])

    assert found is None or min(found) > 0


@given(content=st.binary(max_size=200), name=st.text(max_size=8))
def test_what_is_no_picture_has_no_size(content: bytes, name: str) -> None:
    assert measured(content, name) is None


@given(start=st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"BM", b"RIFF"]))
def test_a_beginning_alone_has_no_size(start: bytes) -> None:
    for name in FORMATS.values():
        assert measured(start, name) is None


@pytest.mark.parametrize("size", [(100_000, 100_000), (2**31 - 1, 2**31 - 1), (2**32 - 1, 1)])
def test_a_small_file_that_claims_to_be_a_huge_picture_is_believed(size: tuple[int, int]) -> None:
    """Nothing is decoded, so that measuring it costs nothing."""
    (kind, data), *rest = chunks(picture("PNG"))
    assert measured(png_of([(kind, struct.pack(">II", *size) + data[8:]), *rest]), "x.png") == (
        *size,
        1,
    )


def test_a_picture_without_an_extent_has_no_size() -> None:
    (kind, data), *rest = chunks(picture("PNG"))
    assert measured(png_of([(kind, bytes(8) + data[8:]), *rest]), "x.png") is None


def test_a_file_of_endless_parts_is_given_up() -> None:
    empty = png_of([(b"tEXt", b"")])[8:]
    header, *rest = chunks(picture("PNG"))
    made = png_of([header]) + empty * 300_001 + png_of(rest)[8:]
    assert measured(made, "x.png") is None
