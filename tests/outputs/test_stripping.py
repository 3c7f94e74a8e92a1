"""What was written beside a picture is left out, and not one pixel changes."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from comfy_mcp.outputs.stripping import stripped

SECRET = "prompt of somebody"


def saved(form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((40, 30), 90).convert("RGB").save(buffer, form, **options)
    return buffer.getvalue()


def exif(way: int | None = None) -> bytes:
    told = Image.Exif()
    told[0x010F] = f"workflow:{SECRET}"
    if way is not None:
        told[0x0112] = way
    return told.tobytes()


def png() -> bytes:
    chunks = PngInfo()
    chunks.add_text("prompt", SECRET)
    chunks.add_text("workflow", SECRET, zip=True)
    chunks.add_itxt("note", SECRET, zip=True)
    return saved("PNG", pnginfo=chunks, exif=exif())


FILES = {
    "PNG": png(),
    "WEBP": saved("WEBP", exif=exif(), xmp=SECRET.encode(), lossless=True),
    "JPEG": saved("JPEG", exif=exif(), comment=SECRET),
}


def pixels(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data)) as image:
        return image.tobytes()


@pytest.mark.parametrize("form", FILES)
def test_words_go_and_pixels_stay(form: str) -> None:
    data = FILES[form]

    bare = stripped(data)

    assert SECRET.encode() in data
    assert SECRET.encode() not in bare
    assert len(bare) < len(data)
    assert pixels(bare) == pixels(data)
    with Image.open(io.BytesIO(bare)) as image:
        assert not dict(image.getexif())
        assert not {"prompt", "workflow", "note", "xmp", "comment"} & set(image.info)


@pytest.mark.parametrize("form", FILES)
def test_without_words_nothing_is_left_out_twice(form: str) -> None:
    bare = stripped(FILES[form])

    assert stripped(bare) == bare


def test_a_photograph_keeps_which_way_up_it_is() -> None:
    bare = stripped(saved("JPEG", exif=exif(way=6)))

    assert SECRET.encode() not in bare
    with Image.open(io.BytesIO(bare)) as image:
        assert dict(image.getexif()) == {0x0112: 6}


def test_what_follows_the_end_of_a_png_goes() -> None:
    assert stripped(FILES["PNG"] + b"<script>") == stripped(FILES["PNG"])


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"<html>", b"RIFF", b"\xff\xd8\xff"])
def test_what_is_not_known_stays_as_it_is(data: bytes) -> None:
    assert stripped(data) == data


@given(st.sampled_from(list(FILES.values())), st.integers(0, 4_000), st.binary(max_size=30))
def test_a_broken_file_is_no_error(data: bytes, keep: int, more: bytes) -> None:
    assert len(stripped(data[:keep] + more)) <= keep + len(more) + 100
