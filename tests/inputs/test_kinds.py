"""What a file is, is said by its bytes; what only pretends, or is a second thing, is refused."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, features

from comfy_mcp.errors import InputError
from comfy_mcp.inputs import Media, identified
from tests.inputs.samples import (
    SOUNDS,
    VIDEOS,
    box,
    jpeg,
    mp3,
    mp4,
    picture,
    png,
    png_chunk,
    wav,
    zipped,
)

PICTURES = {
    "png": picture("PNG"),
    "jpg": picture("JPEG"),
    "webp": picture("WEBP"),
    "gif": picture("GIF"),
    "bmp": picture("BMP"),
    "tiff": picture("TIFF"),
}


def what(data: bytes) -> Media:
    return identified(io.BytesIO(data), len(data))


@pytest.mark.parametrize("ending", PICTURES)
def test_a_picture_is_known_with_its_size(ending: str) -> None:
    media = what(PICTURES[ending])

    assert (media.kind, media.ending) == ("image", ending)
    assert (media.width, media.height) == (8, 6)
    assert media.mime_type.startswith("image/")


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
def test_an_avif_is_known() -> None:
    assert what(picture("AVIF")).ending == "avif"


@pytest.mark.parametrize("ending", SOUNDS)
def test_a_sound_is_known(ending: str) -> None:
    media = what(SOUNDS[ending])

    assert (media.kind, media.ending) == ("audio", ending)


@pytest.mark.parametrize("ending", VIDEOS)
def test_a_video_is_known(ending: str) -> None:
    media = what(VIDEOS[ending])

    assert (media.kind, media.ending) == ("video", ending)


@pytest.mark.parametrize(
    ("data", "seconds"),
    [(wav(0.5), 0.5), (SOUNDS["flac"], 2.0), (mp4(seconds=3), 3.0), (SOUNDS["ogg"], None)],
)
def test_how_long_it_is_is_told_where_the_file_says_so(data: bytes, seconds: float | None) -> None:
    assert what(data).seconds == seconds


def test_an_mp3_with_a_tag_is_known_by_the_sound_behind_it() -> None:
    tag = b"ID3\x03\0\0" + bytes([0, 0, 1, 0]) + b"\0" * 128

    assert what(mp3(tag)).ending == "mp3"
    with pytest.raises(InputError, match="no sound"):
        what(tag + b"<html>" * 100)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"<!DOCTYPE html><html></html>", "HTML"),
        (b"\xef\xbb\xbf  <html>", "HTML"),
        (b"<script>alert(1)</script>", "HTML"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"<?xml version='1.0'?><svg/>", "SVG"),
        (b"<?php system($_GET[0]);", "PHP"),
        (b"#!/bin/sh\nrm -rf /", "script"),
        (b"MZ\x90\0", "program"),
        (b"\x7fELF\x02", "program"),
        (zipped(), "ZIP"),
        (b"%PDF-1.7", "PDF"),
        (b"%!PS-Adobe", "PostScript"),
        (b'{"a": 1}', "JSON"),
        (b"root:x:0:0:root:/root:/bin/bash\n", "text"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\n", "text"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
        (b"\x93NUMPY\x01\0", "unknown"),
        (b"\0" * 100, "unknown"),
    ],
)
def test_what_no_node_loads_is_told_by_what_it_is(data: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        what(data)


def test_none_of_what_is_in_a_refused_file_is_told() -> None:
    with pytest.raises(InputError) as refused:
        what(b"password: hunter2\n")

    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n<html><script>alert(1)</script></html>",
        b"\xff\xd8\xff<html></html>",
        b"GIF89a<script>alert(1)</script>",
        b"RIFF\x10\0\0\0WEBP<html>",
        b"BM<html></html>",
        b"II*\0<html></html>",
        b"RIFF\x10\0\0\0WAVE<html>",
        b"fLaC<html></html>",
        b"\x1a\x45\xdf\xa3\x42\x82\x84webm<html>",
        box(b"ftyp", b"isom") + b"<html></html>",
    ],
)
def test_a_page_behind_the_first_bytes_of_a_picture_is_no_picture(data: bytes) -> None:
    with pytest.raises(InputError):
        what(data)


@pytest.mark.parametrize("data", [png(), jpeg(), picture("GIF"), wav()])
def test_an_archive_hidden_behind_it_is_found(data: bytes) -> None:
    with pytest.raises(InputError, match="ZIP"):
        what(data + zipped())


def test_an_archive_hidden_behind_a_video_is_no_box_of_it() -> None:
    with pytest.raises(InputError):
        what(mp4() + zipped())


@pytest.mark.parametrize("data", [png(), picture("WEBP")])
def test_a_page_hidden_behind_the_end_of_a_picture_is_found(data: bytes) -> None:
    with pytest.raises(InputError, match="follows"):
        what(data + b"<html></html>")


@pytest.mark.parametrize("data", [png((64, 64)), jpeg((64, 64)), mp4(), picture("WEBP", (64, 64))])
def test_a_file_that_is_cut_off_is_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        what(data[: len(data) // 2])


def test_a_picture_that_is_whole_on_the_outside_only_is_refused() -> None:
    inside = png_chunk(b"IDAT", zlib.compress(b"\0" * 10))
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0))

    with pytest.raises(InputError, match="broken"):
        what(b"\x89PNG\r\n\x1a\n" + head + inside + png_chunk(b"IEND", b""))


def bomb(width: int, height: int) -> bytes:
    """A small PNG that says that it is enormous, and nearly is."""
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * (1 << 20), 9)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", head)
        + png_chunk(b"IDAT", rows)
        + png_chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(60_000, 60_000), (2**31 - 1, 1), (1, 2**31 - 1)])
def test_a_small_file_with_an_enormous_picture_is_not_decoded(size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=r"pixels are the most|broken"):
        what(bomb(*size))


def test_an_enormous_webp_is_not_decoded() -> None:
    side = (16_383 - 1).to_bytes(3, "little")
    canvas = b"VP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + side + side
    body = b"WEBP" + canvas + picture("WEBP")[12:]

    with pytest.raises(InputError, match="pixels are the most"):
        what(b"RIFF" + struct.pack("<I", len(body)) + body)


def test_an_enormous_text_in_a_picture_is_not_unpacked() -> None:
    text = b"comment\0\0" + zlib.compress(b"\0" * (200 << 20), 9)
    data = png()
    data = data[:33] + png_chunk(b"zTXt", text) + data[33:]

    with pytest.raises(InputError):
        what(data)


def test_boxes_without_end_are_given_up() -> None:
    with pytest.raises(InputError):
        what(box(b"ftyp", b"isom\0\0\0\0") + box(b"free", b"") * 20_000)


def test_of_an_animation_the_first_frame_is_enough() -> None:
    buffer = io.BytesIO()
    frames = [Image.new("RGB", (8, 6), color) for color in ("red", "green", "blue")]
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:])

    assert what(buffer.getvalue()).ending == "webp"


_STARTS = [*PICTURES.values(), *SOUNDS.values(), *VIDEOS.values(), b""]


@given(st.sampled_from(_STARTS), st.integers(0, 400), st.binary(max_size=64))
def test_whatever_is_given_is_known_or_refused_in_words(
    start: bytes, keep: int, more: bytes
) -> None:
    try:
        media = what(start[:keep] + more)
    except InputError:
        return
    assert media.kind in {"image", "audio", "video"}
